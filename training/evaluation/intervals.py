"""Bootstrap intervals of the figures of populations, tiers, segments and value.

Customers are resampled, not rows. Each figure is a ratio of sums over customers, so a resample costs one
product; ranks are those of the whole test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import HeldOutOutcomes
from training.statistics import bootstrap_intervals

Floats = NDArray[np.float64]
Integers = NDArray[np.int8]


def population_intervals(
    probability: Floats, outcomes: HeldOutOutcomes, *, seed: int = 0
) -> dict[str, float]:
    """`_low` and `_high` of `base_rate`, `mean_probability` and `drift`."""
    left = outcomes.churned.astype(np.float64)
    sums = _summed(outcomes, probability, left, np.ones(len(left)))

    def figures(total: Floats) -> dict[str, float]:
        predicted, happened, rows = total
        return {
            "mean_probability": predicted / rows,
            "base_rate": happened / rows,
            "drift": (predicted - happened) / rows,
        }

    return _intervals(sums, figures, seed)


def tier_intervals(
    predicted: Floats,
    unchanged: Floats,
    now: Integers,
    then: Integers,
    probability: Floats,
    outcomes: HeldOutOutcomes,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """`_low` and `_high` of the figures of the next tier, of "as it is", and of reliability per tier.

    `predicted` and `unchanged` are float64[n, tiers]: the probabilities of the model and of "as it is".
    """
    n, tiers = predicted.shape
    distance = np.subtract.outer(np.arange(tiers), np.arange(tiers)) ** 2
    parts = []
    for p, guess in ((predicted, predicted.argmax(axis=1)), (unchanged, now)):
        loss = -np.log(np.clip(p[np.arange(n), then], 1e-15, None))
        parts += [_summed(outcomes, loss), _celled(outcomes, then.astype(np.int64) * tiers + guess, tiers**2)]
    for tier in range(tiers):
        mine = (now == tier).astype(np.float64)
        parts.append(_summed(outcomes, mine * probability, mine * outcomes.churned, mine))
    sums = np.concatenate(parts, axis=1)

    def figures(total: Floats) -> dict[str, float]:
        found, width = {}, 1 + tiers * tiers
        for at, name in enumerate(("tier", "tier/unchanged")):
            loss, *cells = total[at * width : (at + 1) * width]
            seen = np.array(cells).reshape(tiers, tiers)
            rows = seen.sum()
            chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / rows
            found[f"{name}/log_loss"] = loss / rows
            found[f"{name}/accuracy"] = np.trace(seen) / rows
            missed = (distance * chance).sum()
            found[f"{name}/kappa"] = 1.0 - (distance * seen).sum() / missed if missed > 0 else 1.0
        for tier, (p, left, rows) in enumerate(total[2 * width :].reshape(tiers, 3)):
            if rows > 0:
                found[f"reliability/tier_{tier}/said"] = p / rows
                found[f"reliability/tier_{tier}/happened"] = left / rows
        return found

    return _intervals(sums, figures, seed)


def reliability_intervals(
    groups: Iterable[tuple[str, NDArray[np.bool_]]],
    probability: Floats,
    outcomes: HeldOutOutcomes,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """`_low` and `_high` of the mean prediction and of the outcome of each group."""
    names: list[str] = []
    parts: list[Floats] = []
    for name, mine in groups:
        names.append(name)
        own = mine.astype(np.float64)
        parts += [own * probability, own * outcomes.churned, own]
    if not names:
        return {}

    def figures(total: Floats) -> dict[str, float]:
        found = {}
        for name, (p, left, rows) in zip(names, total.reshape(-1, 3), strict=True):
            if rows > 0:
                found[f"reliability/{name}/said"] = p / rows
                found[f"reliability/{name}/happened"] = left / rows
        return found

    return _intervals(_summed(outcomes, *parts), figures, seed)


def value_intervals(
    predicted: Floats, spent: Floats, outcomes: HeldOutOutcomes, *, name: str = "value", seed: int = 0
) -> dict[str, float]:
    """`_low` and `_high` of total, ranking, error and tenths of what those who stayed would spend.

    The tenths are those of the whole test.
    """
    from scipy.stats import rankdata

    stayed = ~outcomes.churned
    if not stayed.any() or spent[stayed].sum() <= 0:
        return {}

    def of_stayed(values: Floats) -> Floats:
        whole = np.zeros(len(stayed))
        whole[stayed] = values
        return whole

    x, y = (of_stayed(rankdata(values[stayed])) for values in (predicted, spent))
    parts = [
        predicted * stayed,
        spent * stayed,
        np.abs(predicted - spent) * stayed,
        x,
        y,
        x * x,
        y * y,
        x * y,
    ]
    parts.append(stayed.astype(np.float64))
    tenth = np.full(len(stayed), -1)
    tenths = np.array_split(np.argsort(predicted[stayed], kind="stable"), 10) if stayed.sum() >= 10 else []
    for number, mine in enumerate(tenths):
        tenth[np.flatnonzero(stayed)[mine]] = number
    for number in range(len(tenths)):
        own = (tenth == number).astype(np.float64)
        parts += [own * predicted, own * spent, own]
    sums = _summed(outcomes, *parts)

    def figures(total: Floats) -> dict[str, float]:
        predicted_total, spent_total, missed, a, b, aa, bb, ab, rows = total[:9]
        found = {f"{name}/mean_absolute_error": missed / rows}
        if spent_total > 0:
            found[f"{name}/total_ratio"] = predicted_total / spent_total
        scale = (aa - a * a / rows) * (bb - b * b / rows)
        if scale > 0:
            found[f"{name}/rank_correlation"] = (ab - a * b / rows) / np.sqrt(scale)
        for number, (p, got, own) in enumerate(total[9:].reshape(-1, 3), start=1):
            if own > 0:
                found[f"{name}/decile_{number:02}/said"] = p / own
                found[f"{name}/decile_{number:02}/happened"] = got / own
        if f"{name}/decile_10/happened" in found and spent_total > 0:
            found[f"{name}/top_decile_lift"] = found[f"{name}/decile_10/happened"] / (spent_total / rows)
        return found

    return _intervals(sums, figures, seed)


def _summed(outcomes: HeldOutOutcomes, *columns: Floats) -> Floats:
    """float64[customers, columns]: what each customer's rows add to each sum."""
    weight = outcomes.weight_or_ones
    return np.stack([np.bincount(outcomes.customers, column * weight) for column in columns], axis=1)


def _celled(outcomes: HeldOutOutcomes, cell: NDArray[np.int64], cells: int) -> Floats:
    """float64[customers, cells]: how many of each customer's rows lie in each cell."""
    size = int(outcomes.customers.max(initial=-1)) + 1
    counts = np.bincount(outcomes.customers * cells + cell, outcomes.weight, minlength=size * cells)
    return counts.reshape(size, cells).astype(np.float64)


def _intervals(sums: Floats, figures: Callable[[Floats], dict[str, float]], seed: int) -> dict[str, float]:
    """`_low` and `_high` of figures that are computed from sums over customers."""
    return bootstrap_intervals(lambda weight: figures(weight @ sums), len(sums), seed=seed)

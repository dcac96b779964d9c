"""What the models say about customers whose outcome they have not seen, and how right they were.

With enough history the roles follow each other in time. With little, each fold of customers is foreseen
by models of the others, and the evidence is low: the same days taught and judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from features.catalog import Catalog
from training.baselines import baselines
from training.calendar import Calendar
from training.calibration import Calibration, choose_method, fit_calibration
from training.dataset import Rows, mixed
from training.intervals import population_intervals, tier_intervals, value_intervals
from training.judge import METRICS, Outcomes, judge, rank_correlation, weighted_kappa
from training.labels import Churn
from training.lists import list_figures, quiet_days
from training.models import VALUE_POWERS, Models, Settings, fit_churn, fit_tier, fit_value
from training.tiers import TierScale

Floats = NDArray[np.float64]

FOLDS = 5
ENOUGH = 30_000
"""Rows above which models skip as-of dates, for neighbours share most of their horizon: a third of the dates
gave as good an AUC on Complete Journey and .002 more on online_retail_ii, in a third of the time."""
LONGEST_STEP = 3
SAMPLE = 2_000
"""Test rows kept for plots of contributions."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that fitting needs besides rows."""

    settings: Settings
    catalog: Catalog
    churn: Churn
    tiers: TierScale
    value_power: float = VALUE_POWERS[1]

    def fit(self, known: Rows) -> Models:
        """The three models of these rows; no value model where nothing was spent."""
        few = thinned(known)
        churn = fit_churn(self.settings, few.matrix, few.churned, few.columns)
        tiers = len(self.tiers.names)
        tier = fit_tier(self.settings, few.matrix, self.tier_next(few), tiers, few.columns)
        value = self.fit_value(few, self.value_power)
        return Models(churn.model_to_string(), tier.model_to_string(), value and value.model_to_string())

    def fit_value(self, known: Rows, power: float) -> Booster | None:
        """The value model of those who stayed; none where they spent nothing."""
        stayed = known.where(~known.churned)
        if not (stayed.value > 0).any():
            return None
        return fit_value(self.settings, power, stayed.matrix, stayed.value, stayed.columns)

    def tier_now(self, rows: Rows) -> NDArray[np.int8]:
        return self.tiers.tier(self.tiers.index(rows.now))

    def tier_next(self, rows: Rows) -> NDArray[np.int8]:
        """The tier at the end of the horizon, by the same scale."""
        return self.tiers.tier(self.tiers.index(rows.next))


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What was said about rows before their outcome was known."""

    rows: Rows
    churn: Floats
    tier: Floats
    """float64[n, tiers]."""
    value: Floats | None
    rivals: Mapping[str, Floats]
    tier_unchanged: Floats
    """float64[n, tiers]: how often customers of the same tier were in each tier one period later."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """How good the models were on the test, and the arrays that plots are drawn from."""

    level: Literal["normal", "low"]
    figures: Mapping[str, float]
    calibration: Calibration
    value_scale: float
    base_rate: float
    rows: Rows
    probability: Floats
    """float64[n], calibrated on earlier dates than the test's."""
    rivals: Mapping[str, Floats]
    tier_now: NDArray[np.int8]
    tier_next: NDArray[np.int8]
    tier_predicted: NDArray[np.int8]
    value_predicted: Floats | None
    sample: Floats
    """float64[<=2000, f]: test rows."""


def foresee(recipe: Recipe, known: Rows, asked: Rows) -> Foreseen:
    """What models of the known rows say about the rows asked."""
    models = recipe.fit(known)
    threads = recipe.settings.threads
    said = {
        name: Booster(model_str=text).predict(asked.matrix, num_threads=threads)
        for name, text in (("churn", models.churn), ("tier", models.tier), ("value", models.value))
        if text is not None
    }
    moves = np.ones((len(recipe.tiers.names),) * 2)
    np.add.at(moves, (recipe.tier_now(known), recipe.tier_next(known)), 1.0)
    moves /= moves.sum(axis=1, keepdims=True)
    return Foreseen(
        rows=asked,
        churn=said["churn"],
        tier=said["tier"],
        value=said.get("value"),
        rivals=baselines(known, asked, recipe.catalog, recipe.churn),
        tier_unchanged=moves[recipe.tier_now(asked)],
    )


def cross_foresee(recipe: Recipe, rows: Rows) -> Foreseen:
    """What models of the other folds' customers say about each fold."""
    fold = mixed(rows.hashes) % np.uint64(FOLDS)
    parts = [foresee(recipe, rows.where(fold != one), rows.where(fold == one)) for one in range(FOLDS)]
    back = np.argsort(np.concatenate([np.flatnonzero(fold == one) for one in range(FOLDS)]), kind="stable")
    values = [part.value for part in parts]
    return Foreseen(
        rows=rows,
        churn=np.concatenate([part.churn for part in parts])[back],
        tier=np.concatenate([part.tier for part in parts])[back],
        value=None
        if any(value is None for value in values)
        else np.concatenate([value for value in values if value is not None])[back],
        rivals={
            name: np.concatenate([part.rivals[name] for part in parts])[back] for name in parts[0].rivals
        },
        tier_unchanged=np.concatenate([part.tier_unchanged for part in parts])[back],
    )


def examine(recipe: Recipe, rows: Rows, dates: Calendar, contacts: int) -> tuple[Recipe, Evidence]:
    """Fit, calibrate and test in time order; the recipe comes back with what the evidence chose."""
    if dates.evidence == "low":
        said = cross_foresee(recipe, rows)
        return recipe, _verdict(recipe, "low", said, said, contacts)
    known = rows.on(dates.fit)
    recipe = replace(recipe, value_power=_value_power(recipe, known, rows.on(dates.calibrate)))
    later = foresee(recipe, known, rows.on((*dates.calibrate, *dates.test)))
    is_test = np.isin(later.rows.as_of, dates.test)
    return recipe, _verdict(recipe, "normal", _of(later, ~is_test), _of(later, is_test), contacts)


def thinned(rows: Rows) -> Rows:
    """The rows of every second or third as-of date, the newest among them, where there are plenty."""
    step = min(LONGEST_STEP, -(-len(rows) // ENOUGH))
    return rows if step <= 1 else rows.on(np.unique(rows.as_of)[::-1][::step].tolist())


def halves(rows: Rows) -> NDArray[np.bool_]:
    """bool[n]: one half of the customers."""
    return (rows.hashes & np.uint64(1)).astype(np.bool_)


def _verdict(
    recipe: Recipe, level: Literal["normal", "low"], middle: Foreseen, last: Foreseen, contacts: int
) -> Evidence:
    rows, y = last.rows, last.rows.churned
    method, losses = choose_method(middle.churn, middle.rows.churned, middle.rows.as_of, halves(middle.rows))
    if level == "low":
        mine, probability = halves(rows), np.empty(len(rows))
        for side in (mine, ~mine):
            probability[side] = fit_calibration(method, last.churn[~side], y[~side])(last.churn[side])
        calibration = fit_calibration(method, last.churn, y)
    else:
        probability = fit_calibration(method, middle.churn, middle.rows.churned)(last.churn)
        # The delivered model has seen every labelled date; only these dates show how such a model errs later.
        calibration = fit_calibration(method, np.r_[middle.churn, last.churn], np.r_[middle.rows.churned, y])
    customers = np.cumsum(np.r_[False, rows.keys[1:] != rows.keys[:-1]])
    outcomes = Outcomes(y, customers.astype(np.int64), rows.as_of, contacts)
    figures = judge(probability, last.rivals, outcomes, seed=recipe.settings.seed)
    raw = judge(last.churn, {}, outcomes, seed=recipe.settings.seed, resamples=1)
    figures |= {f"uncalibrated/{metric}": raw[metric] for metric in METRICS}
    figures |= {f"calibration/{name}/log_loss": loss for name, loss in losses.items()}
    figures |= _populations(middle, last, probability)
    figures |= population_intervals(probability, outcomes, seed=recipe.settings.seed)
    quiet = quiet_days(rows.matrix, rows.columns, recipe.churn)
    figures |= list_figures(probability, outcomes, quiet, seed=recipe.settings.seed)
    now, then = recipe.tier_now(rows), recipe.tier_next(rows)
    predicted = last.tier.argmax(axis=1).astype(np.int8)
    figures |= _tier_figures(last, now, then, predicted, probability, len(recipe.tiers.names))
    figures |= tier_intervals(
        last.tier, last.tier_unchanged, now, then, probability, outcomes, seed=recipe.settings.seed
    )
    scale, value = 1.0, last.value
    if value is not None and middle.value is not None:
        value = value * _scale(middle)
        scale = _scale(middle, last)
        figures |= _value_figures(recipe, rows, value)
        figures |= value_intervals(value, rows.value, outcomes, seed=recipe.settings.seed)
    chosen = np.argsort(mixed(rows.hashes ^ mixed(rows.as_of.astype(np.uint64))), kind="stable")[:SAMPLE]
    return Evidence(
        level=level,
        figures=figures,
        calibration=calibration,
        value_scale=scale,
        base_rate=float(y.mean()),
        rows=rows,
        probability=probability,
        rivals=last.rivals,
        tier_now=now,
        tier_next=then,
        tier_predicted=predicted,
        value_predicted=value,
        sample=rows.matrix[np.sort(chosen)],
    )


def _of(said: Foreseen, chosen: NDArray[np.bool_]) -> Foreseen:
    return Foreseen(
        said.rows.where(chosen),
        said.churn[chosen],
        said.tier[chosen],
        None if said.value is None else said.value[chosen],
        {name: p[chosen] for name, p in said.rivals.items()},
        said.tier_unchanged[chosen],
    )


def _value_power(recipe: Recipe, known: Rows, middle: Rows) -> float:
    """The Tweedie power whose amounts are nearest to those of the calibration dates, once totals agree."""
    later, known = middle.where(~middle.churned), thinned(known)
    misses = {}
    # A third of the trees, in steps three times as large, tells the powers apart.
    settings = replace(recipe.settings, trees=recipe.settings.trees // 3, rate=3 * recipe.settings.rate)
    quick = replace(recipe, settings=settings)
    for power in VALUE_POWERS:
        model = quick.fit_value(known, power)
        if model is None or not (later.value > 0).any():
            return recipe.value_power
        said = model.predict(later.matrix, num_threads=recipe.settings.threads)
        misses[power] = float(np.abs(said * (later.value.sum() / said.sum()) - later.value).mean())
    return min(misses, key=lambda power: misses[power])


def _scale(*parts: Foreseen) -> float:
    """What makes the total right: spent ÷ foreseen, of those who stayed."""
    spent = sum(float(part.rows.value[~part.rows.churned].sum()) for part in parts)
    said = sum(float(part.value[~part.rows.churned].sum()) for part in parts if part.value is not None)
    return spent / said if spent > 0 and said > 0 else 1.0


def _populations(middle: Foreseen, last: Foreseen, probability: Floats) -> dict[str, float]:
    """How many were judged, and whether the share that leaves has drifted between the dates."""
    rate = float(last.rows.churned.mean())
    return {
        "test_rows": float(len(last.rows)),
        "test_customers": float(len(np.unique(last.rows.keys))),
        "test_churners": float(len(np.unique(last.rows.keys[last.rows.churned]))),
        "base_rate": rate,
        "base_rate_calibrate": float(middle.rows.churned.mean()),
        "mean_probability": float(probability.mean()),
        "drift": float(probability.mean()) - rate,
    }


def _tier_figures(
    last: Foreseen,
    now: NDArray[np.int8],
    then: NDArray[np.int8],
    predicted: NDArray[np.int8],
    probability: Floats,
    tiers: int,
) -> dict[str, float]:
    """The tier of the next period against "the tier stays as it is", and reliability per tier."""

    def loss(p: Floats) -> float:
        return float(-np.log(np.clip(p[np.arange(len(then)), then], 1e-15, None)).mean())

    figures = {
        "tier/log_loss": loss(last.tier),
        "tier/accuracy": float((predicted == then).mean()),
        "tier/kappa": weighted_kappa(then, predicted, tiers),
        "tier/unchanged/log_loss": loss(last.tier_unchanged),
        "tier/unchanged/accuracy": float((now == then).mean()),
        "tier/unchanged/kappa": weighted_kappa(then, now, tiers),
    }
    for tier in range(tiers):
        mine = now == tier
        if mine.any():
            figures[f"reliability/tier_{tier}/said"] = float(probability[mine].mean())
            figures[f"reliability/tier_{tier}/happened"] = float(last.rows.churned[mine].mean())
    return figures


def _value_figures(recipe: Recipe, rows: Rows, value: Floats) -> dict[str, float]:
    """Total, ranking and error of what the stayers would spend, against "as in the last period"."""
    stayed = ~rows.churned
    spent, said = rows.value[stayed], value[stayed]
    figures = {
        "value/total_ratio": float(said.sum() / spent.sum()) if spent.sum() > 0 else math.nan,
        "value/rank_correlation": rank_correlation(said, spent),
        "value/mean_absolute_error": float(np.abs(said - spent).mean()),
        "value/power": recipe.value_power,
    }
    days = recipe.churn.horizon.days
    sums = [c for c in rows.columns if c.split("_sum_")[0] in recipe.churn.indicators and c.endswith("d")]
    widths = {int(c.rsplit("_", 1)[1][:-1]): c for c in sums if c.rsplit("_", 2)[1] == "sum"}
    if widths:
        near = min(widths, key=lambda width: abs(math.log(width / days)))
        before = rows.matrix[stayed, rows.columns.index(widths[near])] * (days / near)
        figures["value/as_before/rank_correlation"] = rank_correlation(before, spent)
        figures["value/as_before/mean_absolute_error"] = float(np.abs(before - spent).mean())
    return figures

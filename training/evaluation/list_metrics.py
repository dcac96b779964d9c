"""How a list would have worked on the test dates: whom it reached, how early, and how steady it was.

The list is that of the likeliest to leave, as many as can be contacted, whatever they are worth. A leaver is
reached when they stood on it on some test date. The lead time counts from the first such date to the last
thing they did: positive while they were still coming, negative when they had gone already. It cannot exceed
the span of the test, so more test dates show more of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from training.evaluation.metrics import RESAMPLES, HeldOutOutcomes
from training.labels.settings import Churn

Floats = NDArray[np.float64]


def list_figures(
    probability: Floats, outcomes: HeldOutOutcomes, days_since_last: Floats, *, seed: int = 0
) -> dict[str, float]:
    """`leavers_reached`, `leavers_reached_in_time`, `lead_days` and `list_stability` with `_low` and `_high`.

    `days_since_last` is float64[n]: days from the customer's last activity to the row's as-of date; zero
    where a contract runs until its end.
    """
    listed = outcomes.on_list(probability)
    lead, leaver = _lead(listed, outcomes, days_since_last)
    kept, places = _kept(listed, outcomes)
    drawn: dict[str, list[float]] = {}
    ones = np.ones(len(leaver))
    point = _measured(ones, lead, leaver, kept, places)
    generator = np.random.default_rng(seed)
    size = len(leaver)
    for _ in range(RESAMPLES):
        weight = generator.multinomial(size, np.full(size, 1 / size)).astype(np.float64)
        for name, value in _measured(weight, lead, leaver, kept, places).items():
            drawn.setdefault(name, []).append(value)
    figures: dict[str, float] = {}
    for name, value in point.items():
        values = np.array(drawn[name])
        values = values[~np.isnan(values)]
        low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (np.nan, np.nan)
        figures |= {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}
    return figures


def quiet_days(matrix: Floats, columns: Sequence[str], churn: Churn) -> Floats:
    """float64[n]: days from the last activity that counts to the row's as-of date; zero under a contract."""
    if churn.type != "inactivity":
        return np.zeros(len(matrix))
    wanted = {f"{indicator}_days_since_last" for indicator in churn.indicators}
    since = matrix[:, [at for at, name in enumerate(columns) if name in wanted]]
    nearest: Floats = np.fmin.reduce(since, axis=1, initial=np.inf)
    return nearest


def _measured(weight: Floats, lead: Floats, leaver: Floats, kept: Floats, places: Floats) -> dict[str, float]:
    """The figures with each customer counted `weight` times; NaN where there is nobody to count."""
    reached = ~np.isnan(lead)
    left = float(weight @ leaver)
    return {
        "leavers_reached": _share(float(weight @ (leaver * reached)), left),
        "leavers_reached_in_time": _share(float(weight @ (leaver * (reached & (lead >= 0)))), left),
        "lead_days": _median(lead[reached], weight[reached]),
        "list_stability": _share(float(weight @ kept), float(weight @ places)),
    }


def _lead(
    listed: NDArray[np.bool_], outcomes: HeldOutOutcomes, days_since_last: Floats
) -> tuple[Floats, Floats]:
    """For each customer: days from the first list to the last activity, NaN if none; and 1.0 for a leaver."""
    size = int(outcomes.customers.max(initial=-1)) + 1
    first, last = np.full(size, np.inf), np.full(size, -np.inf)
    when = outcomes.as_of / DAY
    np.minimum.at(first, outcomes.customers[listed], when[listed])
    left = outcomes.churned
    np.maximum.at(last, outcomes.customers[left], (when - days_since_last)[left])
    leaver = np.isfinite(last)
    lead = np.where(leaver & np.isfinite(first), last - first, np.nan)
    return lead, leaver.astype(np.float64)


def _kept(listed: NDArray[np.bool_], outcomes: HeldOutOutcomes) -> tuple[Floats, Floats]:
    """For each customer: how often they stay on the list of the next date, and how often they stand on one.

    Counted from the second date on, so that kept ÷ places is the share of a list that was on the one before.
    """
    size = int(outcomes.customers.max(initial=-1)) + 1
    kept, places = np.zeros(size), np.zeros(size)
    before: NDArray[np.bool_] | None = None
    for date in np.unique(outcomes.as_of):
        now = np.zeros(size, dtype=np.bool_)
        now[outcomes.customers[listed & (outcomes.as_of == date)]] = True
        if before is not None:
            kept += now & before
            places += now
        before = now
    return kept, places


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _median(values: Floats, weight: Floats) -> float:
    """The value in the middle of the weight."""
    if weight.sum() <= 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])

"""Metrics of the at-risk list on the test dates: precision, leavers reached, lead time and stability.

The list holds as many customers as can be contacted, by value at risk or by probability; the figures in
the bundle are those by probability, whatever customers are worth. A leaver is reached when they stood on the
list on some test date. The lead time counts from the first such date to the last
thing they did: positive while they were still coming, negative when they had gone already. It cannot exceed
the span of the test, so more test dates show more of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from training.bundle.list_policy import ListOrder, list_metric
from training.evaluation.metrics import HeldOutOutcomes
from training.labels.settings import Churn
from training.statistics import bootstrap_intervals

Floats = NDArray[np.float64]

LIST_METRICS = (
    "precision_at_capacity",
    "lift_at_capacity",
    "leavers_reached",
    "leavers_reached_in_time",
    "lead_days",
    "list_stability",
)


def list_figures(
    measure: Floats, outcomes: HeldOutOutcomes, days_since_last: Floats, *, seed: int = 0
) -> dict[str, float]:
    """`leavers_reached`, `leavers_reached_in_time`, `lead_days` and `list_stability` with `_low` and `_high`.

    `measure` is what the list is ordered by, float64[n]: the probability of leaving, or the value at risk.
    `days_since_last` is float64[n]: days from the customer's last activity to the row's as-of date; zero
    where a contract runs until its end.
    """
    listed = outcomes.on_list(measure)
    lead, leaver = _lead(listed, outcomes, days_since_last)
    stayed, places = _stayed(listed, outcomes)
    own = np.ones(len(leaver))
    if outcomes.weight is not None:  # a customer counts as often as their rows do on average
        rows = np.bincount(outcomes.customers)
        own = np.bincount(outcomes.customers, outcomes.weight) / np.maximum(rows, 1)

    def figures(weight: Floats) -> dict[str, float]:
        return _measured(weight * own, lead, leaver, stayed, places)

    return figures(np.ones(len(leaver))) | bootstrap_intervals(figures, len(leaver), seed=seed)


def purity_figures(measure: Floats, outcomes: HeldOutOutcomes, *, seed: int = 0) -> dict[str, float]:
    """`precision_at_capacity` and `lift_at_capacity` of a list by this measure, with `_low` and `_high`.

    Precision is the share of the list that left; lift is that share ÷ the share of all rows.
    """
    listed, left = outcomes.on_list(measure).astype(np.float64), outcomes.churned.astype(np.float64)
    columns = (listed * left, listed, left, np.ones(len(left)))
    own = outcomes.weight_or_ones
    sums = np.stack([np.bincount(outcomes.customers, column * own) for column in columns], axis=1)

    def figures(weight: Floats) -> dict[str, float]:
        hits, places, churners, rows = (float(total) for total in weight @ sums)
        precision = _share(hits, places)
        return {"precision_at_capacity": precision, "lift_at_capacity": _share(precision * rows, churners)}

    return figures(np.ones(len(sums))) | bootstrap_intervals(figures, len(sums), seed=seed)


def of_order(order: ListOrder, figures: Mapping[str, float]) -> dict[str, float]:
    """The metrics of the list among these figures, under names that say the order: `list_by_{order}/…`."""
    names = [f"{metric}{end}" for metric in LIST_METRICS for end in ("", "_low", "_high")]
    return {list_metric(order, name): figures[name] for name in names if name in figures}


def last_days_columns(churn: Churn) -> set[str]:
    """The columns that `quiet_days` reads."""
    return {f"{indicator}_days_since_last" for indicator in churn.indicators}


def quiet_days(matrix: Floats, columns: Sequence[str], churn: Churn) -> Floats:
    """float64[n]: days from the last activity that counts to the row's as-of date; zero under a contract."""
    if churn.type != "inactivity":
        return np.zeros(len(matrix))
    wanted = last_days_columns(churn)
    since = matrix[:, [at for at, name in enumerate(columns) if name in wanted]]
    nearest: Floats = np.fmin.reduce(since, axis=1, initial=np.inf)
    return nearest


def _measured(
    weight: Floats, lead: Floats, leaver: Floats, stayed: Floats, places: Floats
) -> dict[str, float]:
    """The figures with each customer counted `weight` times; NaN where there is nobody to count."""
    reached = ~np.isnan(lead)
    left = float(weight @ leaver)
    return {
        "leavers_reached": _share(float(weight @ (leaver * reached)), left),
        "leavers_reached_in_time": _share(float(weight @ (leaver * (reached & (lead >= 0)))), left),
        "lead_days": _median(lead[reached], weight[reached]),
        "list_stability": _share(float(weight @ stayed), float(weight @ places)),
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


def _stayed(listed: NDArray[np.bool_], outcomes: HeldOutOutcomes) -> tuple[Floats, Floats]:
    """For each customer: how often they stay on the list of the next date, and how often they stand on one.

    Counted from the second date on: stayed ÷ places is the share of a list that was on the one before.
    """
    size = int(outcomes.customers.max(initial=-1)) + 1
    stayed, places = np.zeros(size), np.zeros(size)
    before: NDArray[np.bool_] | None = None
    for date in np.unique(outcomes.as_of):
        now = np.zeros(size, dtype=np.bool_)
        now[outcomes.customers[listed & (outcomes.as_of == date)]] = True
        if before is not None:
            stayed += now & before
            places += now
        before = now
    return stayed, places


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _median(values: Floats, weight: Floats) -> float:
    """The value in the middle of the weight."""
    if weight.sum() <= 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])

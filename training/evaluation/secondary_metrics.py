"""The figures of a test beyond those of the churn probabilities: drift, tiers, segments and value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.metrics import rank_correlation, weighted_kappa
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Tiers = NDArray[np.int8]

PROFILE = re.compile(r"profile_(?P<name>.+)_last_detail")
SEGMENTS = 8
"""The most frequent values of an attribute whose reliability is shown."""
SMALLEST_SEGMENT = 100
"""Rows of a segment: fewer say little about its reliability."""


def populations(
    earlier: LabelledRows,
    earlier_predicted: Floats,
    rows: LabelledRows,
    predicted: Floats,
    probability: Floats,
) -> dict[str, float]:
    """How many were judged, and how far the share that leaves lay off on each date.

    `earlier` and `earlier_predicted` are rows and uncalibrated probabilities of the calibration dates;
    `predicted` and `probability` are the test's probabilities, before and after calibration.
    """
    weight = rows.weight

    def mean(values: Floats | Flags, chosen: Flags | None = None) -> float:
        if chosen is None:
            return float(np.average(values, weights=weight))
        return float(np.average(values[chosen], weights=None if weight is None else weight[chosen]))

    rate, gap = mean(rows.churned), predicted - rows.churned
    by_date = [mean(gap, rows.as_of == date) for date in np.unique(rows.as_of)]
    return {
        "test_rows": float(len(rows)),
        "test_customers": float(len(np.unique(rows.keys))),
        "test_churners": float(len(np.unique(rows.keys[rows.churned]))),
        "base_rate": rate,
        "base_rate_calibrate": float(np.average(earlier.churned, weights=earlier.weight)),
        "mean_probability": mean(probability),
        "drift": mean(probability) - rate,
        "drift_calibrate": float(
            np.average(earlier_predicted, weights=earlier.weight)
            - np.average(earlier.churned, weights=earlier.weight)
        ),
        "drift_uncalibrated": mean(predicted) - rate,
        "drift_worst_date": max(by_date, key=abs),
    }


def tier_figures(
    probabilities: Floats, unchanged: Floats, now: Tiers, then: Tiers, weight: Floats | None = None
) -> dict[str, float]:
    """The tier of the next period against "the tier stays as it is".

    Both are float64[n, tiers]: `probabilities` of the model, and `unchanged`, how often customers of the same
    tier were in each tier one period later.
    """
    tiers = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1).astype(np.int8)

    def loss(p: Floats) -> float:
        losses = -np.log(np.clip(p[np.arange(len(then)), then], 1e-15, None))
        return float(np.average(losses, weights=weight))

    return {
        "tier/log_loss": loss(probabilities),
        "tier/accuracy": float(np.average(predicted == then, weights=weight)),
        "tier/kappa": weighted_kappa(then, predicted, tiers, weight),
        "tier/unchanged/log_loss": loss(unchanged),
        "tier/unchanged/accuracy": float(np.average(now == then, weights=weight)),
        "tier/unchanged/kappa": weighted_kappa(then, now, tiers, weight),
    }


def reliability_by_tier(now: Tiers, probability: Floats, rows: LabelledRows, tiers: int) -> dict[str, float]:
    """The mean prediction for each tier's customers, and the share that left."""
    figures: dict[str, float] = {}
    for tier in range(tiers):
        figures |= _reliability(f"tier_{tier}", now == tier, probability, rows)
    return figures


def reliability_by_segment(
    rows: LabelledRows, probability: Floats, books: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """The same for the most frequent values of each profile attribute."""
    figures: dict[str, float] = {}
    for name, mine in segments(rows, books):
        figures |= _reliability(name, mine, probability, rows)
    return figures


def segments(rows: LabelledRows, books: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Flags]]:
    """The most frequent values of each profile attribute, and the rows that have them."""
    for at, column in enumerate(rows.columns):
        named = PROFILE.fullmatch(column)
        if named is None:
            continue
        codes = rows.column(at)
        for code, value in list(enumerate(books.get(column, ())))[:SEGMENTS]:
            mine = codes == code
            if mine.sum() >= SMALLEST_SEGMENT:
                name = re.sub(r"[^\w\-. ]", "_", f"{named['name']}={value}".replace("=", "."))
                yield f"segment_{name}", mine


def value_figures(rows: LabelledRows, predicted: Floats, churn: Churn) -> dict[str, float]:
    """Total, ranking, deciles and error of what the stayers would spend, against "as in the last period"."""
    stayed = ~rows.churned
    spent, predicted_spend = rows.value[stayed], predicted[stayed]
    weight = None if rows.weight is None else rows.weight[stayed]

    def mean(values: Floats, chosen: NDArray[np.int64] | None = None) -> float:
        if chosen is None:
            return float(np.average(values, weights=weight))
        return float(np.average(values[chosen], weights=None if weight is None else weight[chosen]))

    def ratio(values: Floats) -> float:
        own = 1.0 if weight is None else weight
        return float((own * values).sum() / (own * spent).sum())

    figures = {
        "value/total_ratio": ratio(predicted_spend) if spent.sum() > 0 else math.nan,
        "value/rank_correlation": rank_correlation(predicted_spend, spent, weight),
        "value/mean_absolute_error": mean(np.abs(predicted_spend - spent)),
    }
    if spent.sum() > 0 and len(spent) >= 10:
        order = np.argsort(predicted_spend, kind="stable")
        for decile, mine in enumerate(np.array_split(order, 10), start=1):
            figures[f"value/decile_{decile:02}/said"] = mean(predicted_spend, mine)
            figures[f"value/decile_{decile:02}/happened"] = mean(spent, mine)
        figures["value/top_decile_lift"] = figures["value/decile_10/happened"] / mean(spent)
    before = as_before(rows, churn)
    if before is not None:
        before = before[stayed]
        figures["value/as_before/rank_correlation"] = rank_correlation(before, spent, weight)
        figures["value/as_before/mean_absolute_error"] = mean(np.abs(before - spent))
        if before.sum() > 0 and spent.sum() > 0:
            figures["value/as_before/total_ratio"] = ratio(before)
            top = np.argsort(before, kind="stable")[-max(1, len(before) // 10) :]
            figures["value/as_before/top_decile_lift"] = mean(spent, top) / mean(spent)
    return figures


def as_before(rows: LabelledRows, churn: Churn) -> Floats | None:
    """What each customer spent in the window nearest to the horizon, scaled to it; None without amounts."""
    days = churn.horizon.days
    sums = [c for c in rows.columns if c.split("_sum_")[0] in churn.indicators and c.endswith("d")]
    widths = {int(c.rsplit("_", 1)[1][:-1]): c for c in sums if c.rsplit("_", 2)[1] == "sum"}
    if not widths:
        return None
    near = min(widths, key=lambda width: abs(math.log(width / days)))
    before: Floats = rows.column(rows.columns.index(widths[near])) * (days / near)
    return before


def _reliability(name: str, mine: Flags, probability: Floats, rows: LabelledRows) -> dict[str, float]:
    if not mine.any():
        return {}
    weight = None if rows.weight is None else rows.weight[mine]
    return {
        f"reliability/{name}/said": float(np.average(probability[mine], weights=weight)),
        f"reliability/{name}/happened": float(np.average(rows.churned[mine], weights=weight)),
    }

"""Performance of stored scores on matured outcomes: AUC, log loss, calibration by band and segment, value.

One date has one row a customer. Intervals are percentiles of the bootstrap over customers, who are put
together into `GROUPS` random groups by a hash of their key: a resample is then one product of a matrix,
however many customers there are, and a customer is in the same group at every date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.data.customer_hashes import shuffled_by_customer
from training.evaluation.metrics import BINS, METRICS, HeldOutOutcomes, WeightedMetrics
from training.monitoring.records import (
    GroupCalibration,
    IntervalEstimate,
    ListPerformance,
    ListSource,
    Performance,
    ValueComparison,
)
from training.statistics import finite, percentile_interval, resampled_sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

GROUPS = 1000
"""Random groups of customers that are resampled."""
BANDS = 5
"""Risk bands: fifths of a cohort by churn probability, the first the least risky."""
AUC_BINS = 256
"""Bins of probability on which resampled AUCs are computed; the figure itself is exact."""
SMALLEST_SEGMENT = 20
"""Customers that a segment needs to be shown."""
LARGEST_SEGMENTS = 20
"""Segments of one attribute that are shown, the largest."""


@dataclass(frozen=True, eq=False)
class JudgedRows:
    """n scored customers of one date whose outcome is known. Row i of every array is one customer."""

    keys: Ints
    """int64[n]: today's key of the customer."""
    probability: Floats
    expected_value: Floats
    """float64[n]: NaN where not known."""
    churned: Flags
    value: Floats
    """float64[n]: what the customer spent over the horizon."""
    treated: Flags
    """bool[n]: in the treatment arm of a campaign that ran in the horizon."""
    segments: Mapping[str, tuple[NDArray[np.int32], tuple[str, ...]]] = field(default_factory=dict)
    """By attribute: int32[n], the position of each customer's value, -1 for none; and the values."""
    arms: Mapping[str, Flags] = field(default_factory=dict)
    """By `campaign/arm`: who was assigned to it."""
    listed: Flags | None = None
    """bool[n]: who was on the list that was shown."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def counted(self) -> Flags:
        """bool[n]: the customers by whom the model is judged, all but the treated."""
        return ~self.treated


def random_groups(keys: Ints) -> Ints:
    """int64[n]: the random group of each customer, 0 to `GROUPS` − 1; the same at every date."""
    return (shuffled_by_customer(keys.astype(np.uint64)) % np.uint64(GROUPS)).astype(np.int64)


def risk_bands(probability: Floats) -> Ints:
    """int64[n]: the fifth of each customer by churn probability, 0 the least risky; ties stay together."""
    cuts = np.quantile(probability, np.arange(1, BANDS) / BANDS)
    return np.asarray(np.searchsorted(cuts, probability, side="right"), dtype=np.int64)


def performance(rows: JudgedRows, source: ListSource = "list", *, seed: int = 0) -> Performance:
    """Judge the scores of one date by its `counted` customers, of whom there must be one at least.

    `source` says where the list that was shown comes from, `plan` or `list`.
    """
    counted = rows.counted
    p, left = rows.probability[counted], rows.churned[counted]
    groups = random_groups(rows.keys[counted])
    outcomes = HeldOutOutcomes(left, np.arange(len(p)), np.zeros(len(p), np.int64), len(p))
    measure = WeightedMetrics(p, outcomes)
    exact = dict(zip(METRICS, measure(np.ones(len(p))), strict=True))
    losses = _sums(groups, measure.loss, np.ones(len(p)))
    gaps = _celled(groups, measure.bin, BINS, p - left)
    rates = resampled_sums(losses, seed=seed)
    errors = np.abs(resampled_sums(gaps, seed=seed)).sum(axis=1) / rates[:, 1]
    variance = np.bincount(measure.bin, p * (1.0 - p), minlength=BINS)
    bands = risk_bands(p)
    band_groups = [(str(band + 1), bands == band) for band in range(BANDS)]
    everybody = random_groups(rows.keys)
    return Performance(
        customers=len(p),
        leavers=int(left.sum()),
        expected_leavers=float(p.sum()),
        auc=_auc(exact["auc"], p, left, groups, seed),
        log_loss=_estimate(float(measure.loss.mean()), rates[:, 0] / rates[:, 1]),
        calibration_error=_estimate(float(np.abs(gaps.sum(axis=0)).sum()) / len(p), errors),
        calibration_noise=float(np.sqrt(2.0 / np.pi * variance).sum()) / len(p),
        observed_to_expected=_ratio(groups, left, p, seed),
        bands=_calibrations(band_groups, p, left, groups, seed),
        segments=_calibrations(_segment_groups(rows, counted), p, left, groups, seed),
        arms=_calibrations(list(rows.arms.items()), rows.probability, rows.churned, everybody, seed),
        spent_by_stayers=_spent(rows, counted, seed),
        value_lost=_lost(rows, counted, seed),
        shown=_shown(rows, source, seed),
    )


def _sums(groups: Ints, *columns: NDArray[np.generic]) -> Floats:
    """float64[GROUPS, columns]: what each random group adds to each sum."""
    return np.stack(
        [np.bincount(groups, column.astype(np.float64), minlength=GROUPS) for column in columns], axis=1
    )


def _celled(groups: Ints, cell: Ints, cells: int, weight: NDArray[np.generic]) -> Floats:
    """float64[GROUPS, cells]: the sum of a column in each cell, by random group."""
    summed = np.bincount(groups * cells + cell, weight.astype(np.float64), minlength=GROUPS * cells)
    return np.asarray(summed.reshape(GROUPS, cells), dtype=np.float64)


def _estimate(value: float, resampled: Floats) -> IntervalEstimate:
    low, high = percentile_interval(resampled)
    return IntervalEstimate(finite(value), finite(low), finite(high))


def _ratio(
    groups: Ints, above: NDArray[np.generic], below: NDArray[np.generic], seed: int, factor: float = 1.0
) -> IntervalEstimate:
    """Σ above ÷ Σ below with its interval; undefined where the sum below is not positive."""
    totals = resampled_sums(_sums(groups, above, below), seed=seed)
    whole = float(below.astype(np.float64).sum())
    defined = totals[:, 1] > 0
    if whole <= 0:
        return IntervalEstimate(None, None, None)
    value = factor * float(above.astype(np.float64).sum()) / whole
    return _estimate(value, factor * totals[defined, 0] / totals[defined, 1])


def _auc(exact: float, p: Floats, left: Flags, groups: Ints, seed: int) -> IntervalEstimate:
    """The exact AUC with percentiles of the AUC on bins of probability, moved to the exact one."""
    cuts = np.unique(np.quantile(p, np.arange(1, AUC_BINS) / AUC_BINS))
    cell = np.searchsorted(cuts, p, side="right")
    cells = len(cuts) + 1

    def areas(hits: Floats, misses: Floats) -> Floats:
        """float64[k]: the AUC of each row of counts by bin; ties within a bin count half."""
        below = np.cumsum(misses, axis=1) - misses / 2
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        concordant = (hits * below).sum(axis=1)
        return np.asarray(np.divide(concordant, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))

    parts = _celled(groups, cell, cells, left), _celled(groups, cell, cells, ~left)
    binned = float(areas(*(part.sum(axis=0, keepdims=True) for part in parts))[0])
    return _estimate(exact, areas(*(resampled_sums(part, seed=seed) for part in parts)) + exact - binned)


def _calibrations(
    chosen: Sequence[tuple[str, Flags]], p: Floats, left: Flags, groups: Ints, seed: int
) -> tuple[GroupCalibration, ...]:
    """Expected and observed leavers of each group that has customers."""
    found = []
    for name, mine in chosen:
        if mine.any():
            own, gone = p[mine], left[mine]
            found.append(
                GroupCalibration(
                    name,
                    int(mine.sum()),
                    float(own.sum()),
                    int(gone.sum()),
                    float(own.min()),
                    float(own.max()),
                    _ratio(groups[mine], gone, own, seed),
                )
            )
    return tuple(found)


def _segment_groups(rows: JudgedRows, counted: Flags) -> list[tuple[str, Flags]]:
    """The largest segments of each attribute, by attribute and falling size."""
    found: list[tuple[str, Flags]] = []
    for name, (codes, values) in sorted(rows.segments.items()):
        mine = codes[counted]
        sizes = np.bincount(mine[mine >= 0], minlength=len(values))
        largest = np.argsort(-sizes, kind="stable")[:LARGEST_SEGMENTS].tolist()
        found += [(f"{name}={values[one]}", mine == one) for one in largest if sizes[one] >= SMALLEST_SEGMENT]
    return found


def _compared(
    rows: JudgedRows, mine: Flags, predicted: Floats, observed: Floats, seed: int
) -> ValueComparison:
    groups = random_groups(rows.keys[mine])
    above, below = observed[mine], predicted[mine]
    return ValueComparison(float(below.sum()), float(above.sum()), _ratio(groups, above, below, seed))


def _spent(rows: JudgedRows, counted: Flags, seed: int) -> ValueComparison | None:
    mine = counted & ~rows.churned & ~np.isnan(rows.expected_value)
    return _compared(rows, mine, rows.expected_value, rows.value, seed) if mine.any() else None


def _lost(rows: JudgedRows, counted: Flags, seed: int) -> ValueComparison | None:
    mine, value = counted & ~np.isnan(rows.expected_value), rows.expected_value
    return _compared(rows, mine, rows.probability * value, rows.churned * value, seed) if mine.any() else None


def _shown(rows: JudgedRows, source: ListSource, seed: int) -> ListPerformance | None:
    if rows.listed is None or not rows.listed.any():
        return None
    listed, groups = rows.listed, random_groups(rows.keys)
    share = float(rows.churned.mean())
    totals = resampled_sums(
        _sums(groups, listed & rows.churned, listed, rows.churned, np.ones(len(rows))), seed=seed
    )
    hit, size, left, everybody = totals.T
    precision = float((listed & rows.churned).sum() / listed.sum())
    shares = np.divide(hit, size, out=np.full(len(size), np.nan), where=size > 0)
    lifts = np.divide(shares * everybody, left, out=np.full(len(size), np.nan), where=left > 0)
    return ListPerformance(
        source,
        int(listed.sum()),
        int((listed & rows.churned).sum()),
        int((listed & rows.treated).sum()),
        _estimate(precision, shares),
        _estimate(precision / share if share > 0 else float("nan"), lifts),
    )

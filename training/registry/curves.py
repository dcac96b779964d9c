"""The curves that say how good a model is: reliability in bins, and whom the list reaches at each depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.statistics import RESAMPLES, cluster_resamples, percentile_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BINS = 10


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Bins of equally many rows by their prediction; float64[bins] each."""

    predicted: Floats
    """The mean prediction."""
    happened: Floats
    """The share that left."""
    low: Floats
    """Its 95 % interval, customers resampled."""
    high: Floats


def reliability_bins(probability: Floats, churned: Flags, customers: NDArray[np.int64]) -> ReliabilityBins:
    """Mean prediction and share that left in bins of equally many rows; empty bins are left out.

    The intervals resample customers, not rows: one customer may stand in several as-of dates.
    """
    cuts = np.unique(np.quantile(probability, np.arange(1, BINS) / BINS))
    bins = np.searchsorted(cuts, probability, side="right")
    size = len(cuts) + 1
    count = np.bincount(bins, minlength=size)
    full = count > 0
    predicted = np.bincount(bins, probability, minlength=size)[full] / count[full]
    happened = np.bincount(bins, churned, minlength=size)[full] / count[full]
    low, high = _bin_intervals(bins, churned, customers, size)
    return ReliabilityBins(predicted, happened, low[full], high[full])


def _bin_intervals(
    bins: NDArray[np.int64], churned: Flags, customers: NDArray[np.int64], size: int
) -> tuple[Floats, Floats]:
    """The 95 % interval of the share that left in each bin, customers resampled."""
    numbers = np.unique(customers, return_inverse=True)[1]
    shares = np.zeros((RESAMPLES, size))
    for share, of_customers in zip(shares, cluster_resamples(int(numbers.max()) + 1), strict=True):
        weight = of_customers[numbers]
        total = np.bincount(bins, weight, minlength=size)
        left = np.bincount(bins, weight * churned, minlength=size)
        share[:] = np.divide(left, total, out=np.full(size, np.nan), where=total > 0)
    ends = np.array([percentile_interval(share) for share in shares.T])
    return np.nan_to_num(ends[:, 0]), np.nan_to_num(ends[:, 1])


def reached_share(probability: Floats, churned: Flags, depth: Floats) -> Floats:
    """The share of leavers among the likeliest, at each depth; rows that tie are reached evenly."""
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    ends = np.flatnonzero(np.r_[np.diff(falling) != 0, True]) if len(falling) else np.empty(0, np.int64)
    hits = np.cumsum(churned[order])[ends] / max(int(churned.sum()), 1)
    return np.interp(depth, np.r_[0.0, (ends + 1) / len(falling)], np.r_[0.0, hits])

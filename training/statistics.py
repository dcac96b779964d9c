"""95 % confidence intervals: Wilson for shares, linearisation for ratios, the cluster bootstrap for the rest.

The bootstrap resamples customers, not rows: the rows of one customer are not independent, and they go in
and out of a resample together. All figures of one call are measured on the same resamples, so the interval
of a difference is far narrower than those of its two sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
RESAMPLES = 200


def wilson(share: float, n: float) -> tuple[float, float]:
    """The score interval of a share of n.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209–212.
    """
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def ratio(n: float, y: float, x: float, yy: float, xy: float, xx: float) -> tuple[float, float] | None:
    """The interval of Σy ÷ Σx over n units, from their sums, squares and products; a mean has x = 1.

    Linearised as in Cochran, W. G. (1977), Sampling Techniques, 3rd ed., chapter 6. None for one unit.
    """
    if n < 2 or x == 0:
        return None
    value = y / x
    spread = max(yy - 2 * value * xy + value * value * xx, 0.0) * n / (n - 1)
    half = Z * math.sqrt(spread) / abs(x)
    return value - half, value + half


def cluster_resamples(clusters: int, *, seed: int = 0, count: int = RESAMPLES) -> Iterator[Floats]:
    """float64[clusters] per resample of the cluster bootstrap: how often each cluster (customer) is drawn."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.multinomial(clusters, np.full(clusters, 1 / clusters)).astype(np.float64)


def percentile_interval(values: ArrayLike) -> tuple[float, float]:
    """The 95 % percentile interval of a figure's resampled values; NaN where it was never defined."""
    defined = np.asarray(values, dtype=np.float64)
    defined = defined[~np.isnan(defined)]
    if not len(defined):
        return math.nan, math.nan
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_intervals(
    measure: Callable[[Floats], Mapping[str, float]],
    clusters: int,
    *,
    seed: int = 0,
    count: int = RESAMPLES,
) -> dict[str, float]:
    """`_low` and `_high` of every figure: 95 % percentile intervals of the cluster bootstrap.

    `measure` gives the figures by name, with each cluster counted `weight` times. A figure that a resample
    leaves out or gives as NaN is undefined there.
    """
    drawn: dict[str, list[float]] = {}
    for weight in cluster_resamples(clusters, seed=seed, count=count):
        for name, value in measure(weight).items():
            drawn.setdefault(name, []).append(float(value))
    ends: dict[str, float] = {}
    for name, values in drawn.items():
        ends[f"{name}_low"], ends[f"{name}_high"] = percentile_interval(values)
    return ends

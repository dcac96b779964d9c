"""95 % confidence intervals of shares, ratios and means, of their differences, and of several dates together.

Wilson for shares, Newcombe for differences of shares, linearisation and Fieller for ratios, the cluster
bootstrap for the rest; and the smallest effect that an experiment of a given size can find.

The bootstrap resamples customers, not rows: the rows of one customer are not independent, and they go in
and out of a resample together. All figures of one call are measured on the same resamples, so the interval
of a difference is far narrower than those of its two sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
RESAMPLES = 200
KEPT = 10_000_000
"""So many draws of resamples are kept in memory for the next figures, two bytes each."""
Verdict = Literal["better", "worse", "no_difference", "unknown"]
"""Of the second of two: whether the interval of the difference leaves out 0; `unknown` without one."""


def wilson(share: float, n: float, factor: float = Z) -> tuple[float, float]:
    """The score interval of a share of n; a larger `factor` makes it hold for several shares together.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209–212.
    """
    square = factor * factor
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = factor / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
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


def finite(figure: float) -> float | None:
    """The figure, None where it is undefined (NaN, infinite): JSON has neither."""
    return float(figure) if math.isfinite(figure) else None


def verdict(low: float, high: float, higher_is_better: bool = True) -> Verdict:
    """What the 95 % interval of a difference says; `unknown` where an end is undefined."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    if low <= 0.0 <= high:
        return "no_difference"
    return "better" if (low > 0.0) == higher_is_better else "worse"


def cluster_resamples(clusters: int, *, seed: int = 0, count: int = RESAMPLES) -> Iterator[Floats]:
    """float64[clusters] per resample of the cluster bootstrap: how often each cluster (customer) is drawn."""
    drawn = _kept_resamples if clusters * count <= KEPT else _resamples
    yield from (counts.astype(np.float64) for counts in drawn(clusters, seed, count))


def _resamples(clusters: int, seed: int, count: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.multinomial(clusters, np.full(clusters, 1 / clusters))


@lru_cache(maxsize=2)
def _kept_resamples(clusters: int, seed: int, count: int) -> NDArray[np.uint16]:
    """uint16[count, clusters]: the figures of one evaluation are all resampled in the same way."""
    kept = np.zeros((count, clusters), dtype=np.uint16)
    for place, drawn in enumerate(_resamples(clusters, seed, count)):
        kept[place] = drawn
    return kept


def resampled_sums(sums: Floats, *, seed: int = 0, count: int = RESAMPLES) -> Floats:
    """float64[count, k]: the totals of k columns in each resample of the cluster bootstrap.

    `sums` is float64[clusters, k], what each cluster adds to each column. Customers may be put together into
    random clusters first, which leaves the distribution of totals as it is in large samples.
    """
    clusters = len(sums)
    if clusters * count <= KEPT:
        return np.asarray(_kept_resamples(clusters, seed, count).astype(np.float64) @ sums)
    return np.stack([weight @ sums for weight in cluster_resamples(clusters, seed=seed, count=count)])


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


def newcombe(
    events: float, customers: float, other_events: float, other_customers: float, factor: float = Z
) -> tuple[float, float]:
    """The interval of a difference of two rates, made of their score intervals; for any counts, 0 of n too.

    Method 10 of Newcombe, R. G. (1998), Interval estimation for the difference between independent
    proportions: comparison of eleven methods, Statistics in Medicine 17, 873–890.
    """
    rate, other = events / customers, other_events / other_customers
    low, high = wilson(rate, customers, factor)
    other_low, other_high = wilson(other, other_customers, factor)
    difference = rate - other
    return (
        difference - math.hypot(rate - low, other_high - other),
        difference + math.hypot(high - rate, other - other_low),
    )


def ratio_of_rates(
    events: float, customers: float, other_events: float, other_customers: float, factor: float = Z
) -> tuple[float, float]:
    """The interval of a ratio of two rates on the scale of logarithms, ½ added to each count of events.

    Walter, S. D. (1975), The distribution of Levin's measure of attributable risk, Biometrika 62, 371–374.
    It is defined for 0 events too.
    """
    rate = (events + 0.5) / (customers + 0.5)
    other = (other_events + 0.5) / (other_customers + 0.5)
    spread = (
        1 / (events + 0.5) - 1 / (customers + 0.5) + 1 / (other_events + 0.5) - 1 / (other_customers + 0.5)
    )
    half, middle = factor * math.sqrt(spread), math.log(rate / other)
    return math.exp(middle - half), math.exp(middle + half)


def ratio_of_means(
    mean: float, error: float, other: float, other_error: float, factor: float = Z
) -> tuple[float, float] | None:
    """The interval of a ratio of two independent means by Fieller's theorem.

    None where the denominator cannot be told from zero: the ratio may then be anything.
    Fieller, E. C. (1954), Some problems in interval estimation, Journal of the Royal Statistical Society B
    16, 175–185. Unlike the delta method it stays right where the denominator is uncertain.
    """
    middle, a, c = (
        mean * other,
        other**2 - (factor * other_error) ** 2,
        mean**2 - (factor * error) ** 2,
    )
    if not a > 0:
        return None
    half = math.sqrt(max(middle**2 - a * c, 0.0))
    return (middle - half) / a, (middle + half) / a


def unskewed(points: Floats, skewness: Floats) -> Floats:
    """Points of the studentised estimate whose estimator is skewed, from those of the normal distribution.

    The inverse of the monotone cubic transformation of Hall, P. (1992), On the removal of skewness by
    transformation, Journal of the Royal Statistical Society B 54, 221–228, for two samples as in Zhou, X.-H.
    and Dinh, P. (2005), Nonparametric confidence intervals for the one- and two-sample problems,
    Biostatistics 6, 187–200. `skewness` is that of the estimator: third cumulant ÷ standard error³.
    """
    skewed = np.abs(skewness) > 1e-6
    safe = np.where(skewed, skewness, 1.0)
    turned = 3 / safe * (np.cbrt(1 + safe * (points - safe / 6)) - 1)
    return np.where(skewed, turned, points)


def simultaneous_factor(correlation: Floats, *, dates: int | None = None, level: float = 0.95) -> float:
    """How many standard errors make intervals that hold at all dates together: the max-|t| quantile.

    `correlation` is that of the estimates at the dates reached. Of `dates` declared, those not reached count
    as uncorrelated with the others, which is the widest case (Royen 2014); so the factor of an early date
    is never below the one of the end. Hothorn, T., Bretz, F. and Westfall, P. (2008), Simultaneous inference
    in general parametric models, Biometrical Journal 50, 346–363. The quantile is taken over a fixed
    quasi-random sequence, so that it is the same at every call, and kept between the factor of one date and
    Šidák's (1967) bound.
    """
    reached = len(correlation)
    total = max(reached, dates or 0)
    pointwise = NormalDist().inv_cdf((1 + level) / 2)
    widest = NormalDist().inv_cdf((1 + level ** (1 / total)) / 2)
    values, vectors = np.linalg.eigh(np.nan_to_num(correlation))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    largest = np.abs(_normal_points(total)[:, :reached] @ root.T).max(axis=1)
    pending = np.abs(_normal_points(total)[:, reached:])
    if pending.shape[1]:
        largest = np.maximum(largest, pending.max(axis=1))
    return float(np.clip(np.quantile(largest, level), pointwise, widest))


@cache
def _normal_points(dimensions: int, count: int = 1 << 16) -> Floats:
    """float64[count, dimensions]: a Kronecker sequence of the square roots of primes, as normal deviates."""
    from scipy.special import ndtri

    candidates = range(2, 1_000)
    primes = [n for n in candidates if all(n % k for k in range(2, math.isqrt(n) + 1))][:dimensions]
    steps = np.arange(1, count + 1)[:, np.newaxis] * np.sqrt(np.array(primes, dtype=np.float64))
    return np.asarray(ndtri((steps + 0.5 / count) % 1.0), dtype=np.float64)


def smallest_effect_on_mean(
    deviation: float,
    treated: int,
    controls: int,
    *,
    explained: float = 0.0,
    factor: float = Z,
    power: float = 0.8,
) -> float:
    """The smallest difference of two means that is found with this power, from their standard deviation.

    `explained` is the share of the variance that covariates explain (R²), `factor` that of simultaneous
    intervals where several dates are read. Infinite where an arm is empty. See List, J. A., Sadoff, S. and
    Wagner, M. (2011), So you want to run an experiment, now what?, Experimental Economics 14, 439–457.
    """
    if min(treated, controls) < 1:
        return math.inf
    error = deviation * math.sqrt((1 - explained) * (1 / treated + 1 / controls))
    return (factor + NormalDist().inv_cdf(power)) * error


def smallest_effect_on_rate(
    rate: float,
    treated: int,
    controls: int,
    *,
    explained: float = 0.0,
    factor: float = Z,
    power: float = 0.8,
) -> float | None:
    """The smallest rise of a rate in the treatment arm that is found with this power, from the control rate.

    As `smallest_effect_on_mean`, with the variance that the risen rate has. None where even a rise to 1
    would not be found.
    """
    if min(treated, controls) < 1:
        return None

    def detectable(rise: float) -> float:
        risen = rate + rise
        variance = risen * (1 - risen) / treated + rate * (1 - rate) / controls
        return (factor + NormalDist().inv_cdf(power)) * math.sqrt((1 - explained) * variance)

    low, high = 0.0, 1.0 - rate
    if high <= 0 or detectable(high) > high:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if detectable(middle) > middle else (low, middle)
    return high


def customers_to_see_rise(
    rate: float, rise: float, control_share: float, *, factor: float = Z, power: float = 0.8
) -> int | None:
    """How many customers, this share of them in control, show a rise of a rate: a sample size.

    The inverse of `smallest_effect_on_rate`. None for a rise of nothing, or to more than 1.
    """
    risen = rate + rise
    if rise <= 0 or risen > 1 or not 0 < control_share < 1:
        return None
    variance = risen * (1 - risen) / (1 - control_share) + rate * (1 - rate) / control_share
    return math.ceil(((factor + NormalDist().inv_cdf(power)) / rise) ** 2 * variance)

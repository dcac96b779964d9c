"""An asymptotic confidence sequence of an effect: intervals that hold at all looks together, however many.

The boundary is the Gaussian mixture of Robbins, H. (1970), Statistical methods related to the law of the
iterated logarithm, Annals of Mathematical Statistics 41, 1397–1409, as used by Waudby-Smith, I., Arbour, D.,
Sinha, R., Kennedy, E. H. and Ramdas, A. (2024), Time-uniform central limit theory and asymptotic confidence
sequences, Annals of Statistics 52, 2613–2640. There, time is the number of units that came. Here the same
customers are looked at again and again, so nothing of that is independent, and what plays the part of time is
an intrinsic clock read off the correlation of the estimates at the looks (`information_clock`):

- In the number of customers the estimates at all looks are jointly normal (central limit theorem).
- Brownian motion with the clock v has the correlation √(v of j ÷ v of k) between looks j < k. The clock is
  the slowest whose correlations are nowhere above those of the estimates. By Slepian's inequality (1962) the
  estimates, divided by their errors, cross a boundary above zero, or one below, no more often than it does.
- Of cumulative sums with increments that are not negatively correlated the clock is at most their variance;
  of retention without return it is the odds of having left, and the bound is exact.

It is asymptotic in customers, not in looks, and rests on estimated correlations. The clock of a look needs
earlier looks only, so that an interval never changes when later ones come; looks begin at
the first one given.
"""

from __future__ import annotations

import math

import numpy as np

from training.statistics import Floats

TIGHTEST = 4.0
"""The clock reading at which the intervals are narrowest; 1 is the first look."""
LEAST_CORRELATION = 0.1
"""Looks correlated less count as correlated so much, which bounds the clock."""


def information_clock(correlation: Floats) -> Floats:
    """The clock of looks in order, 1 at the first, from the correlation of the estimates at them."""
    squares = np.maximum(correlation, LEAST_CORRELATION) ** 2
    clock = np.ones(len(correlation))
    for look in range(1, len(clock)):
        clock[look] = max(clock[look - 1], float((clock[:look] / squares[:look, look]).max()))
    return clock


def sequence_factors(correlation: Floats, *, level: float = 0.95) -> Floats:
    """How many standard errors the interval of each look takes to each side, so that all hold together.

    `correlation` is that of the estimates at the looks, in order of time.
    """
    clock, spread = information_clock(correlation), TIGHTEST * _narrowest(1 - level)
    logarithm = np.log((clock + spread) / spread) - 2 * math.log(1 - level)
    return np.asarray(np.sqrt((1 + spread / clock) * logarithm))


def _narrowest(alpha: float) -> float:
    """The variance of the mixture, in units of the clock, with the narrowest interval at 1: a fixed point."""
    inverse = 8.0
    for _ in range(50):
        inverse = math.log1p(inverse) - 2 * math.log(alpha)
    return 1 / inverse

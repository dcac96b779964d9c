"""How sure a figure is: 95 % intervals for shares, means and ratios."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


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

"""Buy till you die: how often customers come, and when they stop without saying so.

MBG/NBD (Batislam, Denizel and Filiztekin 2007; BG/NBD by Fader, Hardie and Lee 2005, with a chance to drop
out after the first purchase too): while alive a customer comes at random with a rate of their own, drawn from
Gamma(r, alpha), and after each visit stops for good with a probability of their own, drawn from Beta(a, b).
Days of several visits count once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 50
"""Customers, and days on which some of them came back, that say something about a population."""
WIDEST = 8.0
"""How far, in natural logarithms, a parameter may go from where the search begins."""
PULL = 1.0
"""How hard the parameters are held there, in customers: without drop-outs there is no unique answer."""


@dataclass(frozen=True)
class MbgNbdParameters:
    """The four numbers of a population; time in days."""

    r: float
    alpha: float
    a: float
    b: float


def fit_mbg_nbd(active_days: Floats, since_first: Floats, since_last: Floats) -> MbgNbdParameters | None:
    """The population that makes these customers' visits likeliest; None where too few came back.

    float64[n] each: days with a visit (1 or more), days since the first and since the last one.
    """
    from scipy.optimize import minimize
    from scipy.special import gammaln

    x, whole, last = active_days - 1.0, since_first, np.maximum(since_first - since_last, 0.0)
    if len(x) < FEWEST or x.sum() < FEWEST or not whole.max() > 0:
        return None
    unit = float(whole.mean())  # parameters near 1 are easily searched
    whole, last = whole / unit, last / unit
    begin = np.log([1.0, 1.0, 0.5, 2.0])
    begin[1] -= np.log(max(float(x.mean()), 1e-3))

    def loss(theta: Floats) -> float:
        r, alpha, a, b = np.exp(theta)
        shared = gammaln(r + x) - gammaln(r) + r * theta[1]
        # B(a, b + x) / B(a, b) stands in both terms.
        shared += gammaln(a + b) - gammaln(b) + gammaln(b + x) - gammaln(a + b + x)
        alive = np.log((b + x) / (a + b + x)) - (r + x) * np.log(alpha + whole)
        gone = np.log(a / (a + b + x)) - (r + x) * np.log(alpha + last)
        pull = PULL / 2 * float(((theta - begin) ** 2).sum())
        return pull - float((shared + np.logaddexp(alive, gone)).sum())

    bounds = [(start - WIDEST, start + WIDEST) for start in begin]
    found = minimize(loss, begin, method="L-BFGS-B", bounds=bounds)
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return MbgNbdParameters(r, alpha * unit, a, b)

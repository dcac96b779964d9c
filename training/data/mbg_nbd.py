"""Buy till you die: how often customers come, and when they stop without saying so.

MBG/NBD (Batislam, Denizel and Filiztekin 2007; BG/NBD by Fader, Hardie and Lee 2005, with a chance to drop
out after the first purchase too): while alive a customer comes at random with a rate of their own, drawn from
Gamma(r, alpha), and after each visit stops for good with a probability of their own, drawn from Beta(a, b).
Days of several visits count once.
"""

from __future__ import annotations

import math
from dataclasses import astuple
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from training.bundle.lifetime.parameters import MbgNbdParameters

Floats = NDArray[np.float64]

FEWEST = 50
"""Customers, and days on which some of them came back, that say something about a population."""
WIDEST = 8.0
"""How far, in natural logarithms, a parameter may go from where the search begins."""
ENOUGH = 1e-7
"""The share of the log-likelihood below which a step is the last."""
PULL = 1.0
"""How hard the parameters are held there, in customers: without drop-outs there is no unique answer."""


def fit_mbg_nbd(
    active_days: Floats, since_first: Floats, since_last: Floats, near: MbgNbdParameters | None = None
) -> MbgNbdParameters | None:
    """The population that makes these customers' visits likeliest; None where too few came back.

    float64[n] each: days with a visit (1 or more), days since the first and since the last one. `near` is
    where to search first, such as the population of an earlier date.
    """
    from scipy.optimize import minimize
    from scipy.special import digamma, gammaln

    x, whole, last = active_days - 1.0, since_first, np.maximum(since_first - since_last, 0.0)
    if len(x) < FEWEST or x.sum() < FEWEST or not whole.max() > 0:
        return None
    unit = float(whole.mean())  # parameters near 1 are easily searched
    whole, last = whole / unit, last / unit
    begin = np.log([1.0, 1.0, 0.5, 2.0])
    begin[1] -= np.log(max(float(x.mean()), 1e-3))
    # What depends on the number of visits alone is computed once for each number.
    visits, which, customers = np.unique(x, return_inverse=True, return_counts=True)

    def loss(theta: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(theta)
        # B(a, b + x) / B(a, b) stands in both terms.
        shared = gammaln(r + visits) - gammaln(r) + r * theta[1]
        shared += gammaln(a + b) - gammaln(b) + gammaln(b + visits) - gammaln(a + b + visits)
        alive = np.log((b + visits) / (a + b + visits))
        gone = np.log(a / (a + b + visits))
        likelihood, living, of_rate, of_scale = _of_customers(which, x, whole, last, r, alpha, alive, gone)
        pull = PULL / 2 * float(((theta - begin) ** 2).sum())
        either = digamma(a + b) - digamma(a + b + visits) - 1.0 / (a + b + visits)
        drawn = digamma(b + visits) - digamma(b) + either
        slope = np.array(
            [
                (customers * (digamma(r + visits) - digamma(r) + theta[1])).sum() - of_rate,
                len(x) * r / alpha - of_scale,
                (customers * either).sum() + (customers - living).sum() / a,
                (customers * drawn).sum() + (living / (b + visits)).sum(),
            ]
        )
        likelihood += (customers * shared).sum()
        return float(pull - likelihood), PULL * (theta - begin) - slope * np.exp(theta)

    bounds = [(start - WIDEST, start + WIDEST) for start in begin]
    start = begin
    if near is not None:
        start = np.log(np.array(astuple(near)) / np.array([1.0, unit, 1.0, 1.0]))
        start = np.clip(start, begin - WIDEST, begin + WIDEST)
    # On four numbers BLAS threads only wait for each other: they took ten times as long as all else.
    with _threads().limit(limits=1, user_api="blas"):
        found = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"ftol": ENOUGH})
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return MbgNbdParameters(r, alpha * unit, a, b)


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """Kept, for finding the libraries takes as long as a search."""
    return ThreadpoolController()


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _of_customers(which, x, whole, last, r, alpha, alive, gone):  # type: ignore[no-untyped-def]
    """The part of the log-likelihood that differs between customers of equally many visits.

    `which` says where a customer's number of visits stands in `alive` and `gone`, the logarithms of the odds
    of these two. Returns the sum, the chances of being alive by number of visits, and the sums that the
    slopes of the rate's two parameters are made of.
    """
    total, of_rate, of_scale, living = 0.0, 0.0, 0.0, np.zeros(len(alive))
    for n in range(len(x)):
        of_whole, of_last = math.log(alpha + whole[n]), math.log(alpha + last[n])
        stays = alive[which[n]] - (r + x[n]) * of_whole
        left = gone[which[n]] - (r + x[n]) * of_last
        ratio = math.exp(-abs(stays - left))
        total += max(stays, left) + math.log1p(ratio)
        chance = (1.0 if stays >= left else ratio) / (1.0 + ratio)
        living[which[n]] += chance
        of_rate += chance * of_whole + (1.0 - chance) * of_last
        of_scale += (r + x[n]) * (chance / (alpha + whole[n]) + (1.0 - chance) / (alpha + last[n]))
    return total, living, of_rate, of_scale

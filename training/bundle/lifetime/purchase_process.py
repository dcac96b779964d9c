"""How many purchases are to come, the conditional expectation of MBG/NBD, and how long a contract will run.

The mean over the drop-out chance of a customer who is alive, Beta(a, b + x + 1), is taken numerically. The
closed form with Gauss' hypergeometric function has no value where a is 1, and loses all digits near it.

The compiled part, `expect`. Inputs: what is known of each customer and the four numbers of the population.
Output: float64[n, h], expected days with a purchase. Plain version: the closed form; a test compares them.
"""

from __future__ import annotations

import math
from dataclasses import astuple

import numba
import numpy as np
from numpy.typing import NDArray

from training.bundle.lifetime.parameters import MbgNbdParameters

Floats = NDArray[np.float64]

NODES = 48
"""Places at which the chance of dropping out is looked at; the error is below 1e-3 of the value."""
FADED = 25.0
"""Natural logarithms by which the density has fallen at the edges."""
WIDEST = 14.0


def expected_purchase_days(population: MbgNbdParameters, facts: Floats, ahead: Floats) -> Floats:
    """float64[n, h]: the expected days with a purchase within each of the days `ahead`, float64[h].

    `facts`, float64[n, 3 or more]: days with a purchase so far, days since the first and since the last one.
    None are expected of who never bought.
    """
    return np.asarray(expect(np.ascontiguousarray(facts), ahead, astuple(population)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def expect(facts, ahead, population):  # type: ignore[no-untyped-def]
    r, alpha, a, b = population
    expected = np.empty((len(facts), len(ahead)))
    sums = np.empty(len(ahead))
    for n in range(len(facts)):
        if not facts[n, 0] > 0.0 or r == 0.0:
            expected[n, :] = 0.0
            continue
        again, until = facts[n, 0] - 1.0, alpha + facts[n, 1]
        rate = r + again
        grown = (until / (until - facts[n, 2])) ** rate
        alive = 1.0 / (1.0 + a / (b + again) * grown)
        other = b + again + 1.0
        centre = math.log(a / other)
        left = min(WIDEST, max(FADED / a, 7.0 / math.sqrt(a)))
        right = math.log(1.0 + FADED / a + 7.0 / math.sqrt(a))
        if centre + right > 0.0:  # the chance of dropping out may be near one: there 1 - p fades
            right = max(right, FADED / other - centre)
        step = (left + right) / (NODES - 1)
        peak = a * centre - (a + other) * math.log1p(math.exp(centre))
        whole = 0.0
        sums[:] = 0.0
        for i in range(NODES):
            odds = centre - left + step * i
            back = math.exp(-odds)
            below = math.log1p(back)
            p = 1.0 / (1.0 + back)
            weight = math.exp(-a * below - other * (odds + below) - peak) * step
            if i == 0:  # half a step, and all that lies below: there the expectation is constant
                weight *= 0.5 + 1.0 / (step * a)
            whole += weight
            for h in range(len(ahead)):
                sums[h] += weight * -math.expm1(-rate * math.log1p(p * ahead[h] / until)) / p
        for h in range(len(ahead)):
            expected[n, h] = alive * sums[h] / whole
    return expected


@numba.njit(cache=True, nogil=True, error_model="numpy")
def days_under_contract(since, ahead, shape):  # type: ignore[no-untyped-def]
    """The mean of the days that a contract will run, at most `ahead`."""
    longer = math.log1p(ahead / since)
    if abs(shape - 1.0) < 1e-9:
        return since * longer
    return since * -math.expm1((1.0 - shape) * longer) / (shape - 1.0)

"""Lifetime values held to the calibrated churn probability: a compiled loop over customers.

`hold_to_churn`. Inputs: `value`, `low` and `high`, float64[n, h]; `facts`, `running`, `days` and `expected`
of `value_kernel`; `probability`, float64[n], that a customer leaves within the churn horizon, NaN outside the
cohort; `churn`: the horizon in days, 0 for none, and float64[h], what keeps the total. Output: the values in
place, still growing from horizon to horizon. Invariant: a customer's numbers do not depend on the others.

The purchase process (or that of contracts) has a chance of leaving of its own. What it expects is split into
what it expects of who leaves and of who stays, and both are weighted by the calibrated probability instead.
Read on only to change the speed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from training.bundle.lifetime.purchase_process import days_under_contract, expect

FARTHEST = 50.0
"""A value is multiplied and divided by no more than the square root of this."""
RARE = 1e-9


@njit(cache=True, nogil=True, error_model="numpy")
def hold_to_churn(  # type: ignore[no-untyped-def]
    value, low, high, facts, running, days, expected, probability, population, contract, churn
):
    """Multiply the values of the cohort by the square root of what their churn probability says."""
    horizon, kept = churn
    if horizon == 0.0:
        return
    later, rest = facts.copy(), np.maximum(days - horizon, 0.0)
    later[:, 1] += horizon
    later[:, 2] += horizon
    silent = expect(later, rest, population)
    for i in range(len(facts)):
        leaves = probability[i]
        if not leaves >= 0.0:
            continue
        before, least, most = 0.0, 0.0, 0.0
        for j in range(len(days)):
            if contract[0] > 0.0:
                ratio = _of_contract(facts[i], running[i], days[j], leaves, horizon, contract)
            else:
                ratio = _of_purchases(facts[i], expected[i, j], silent[i, j], leaves, horizon, population)
            factor = kept[j] * math.sqrt(min(max(ratio, 1.0 / FARTHEST), FARTHEST))
            before = max(before, value[i, j] * factor)
            least, most = max(least, low[i, j] * factor), max(most, high[i, j] * factor)
            value[i, j], low[i, j], high[i, j] = before, least, most


@njit(cache=True, nogil=True, error_model="numpy")
def _of_purchases(facts, expected, silent, leaves, horizon, population):  # type: ignore[no-untyped-def]
    """Expected purchases by the churn probability, as a multiple of those by MBG/NBD."""
    r, alpha, a, b = population
    if not facts[0] > 0.0 or r == 0.0 or not expected > 0.0:
        return 1.0
    again, until = facts[0] - 1.0, alpha + facts[1]
    rate = r + again
    alive = 1.0 / (1.0 + a / (b + again) * (until / (until - facts[2])) ** rate)
    stays = alive * -math.expm1(-rate * math.log1p(horizon / until))
    if stays < RARE:
        return 1.0
    of_stayed = (expected - (1.0 - stays) * silent) / stays
    return (leaves * silent + (1.0 - leaves) * of_stayed) / expected


@njit(cache=True, nogil=True, error_model="numpy")
def _of_contract(facts, running, days, leaves, horizon, contract):  # type: ignore[no-untyped-def]
    """Expected days under contract by the churn probability, as a multiple of those by tenure alone."""
    shape, scale, _ = contract
    if not (running and facts[4] > 0.0):
        return 1.0
    since = scale + max(facts[5] if facts[5] >= 0.0 else facts[6], 0.0)
    stays = (since / (since + horizon)) ** shape
    expected, of_stayed = days_under_contract(since, days, shape), days
    if days > horizon:
        of_stayed = horizon + days_under_contract(since + horizon, days - horizon, shape)
    if 1.0 - stays < RARE:
        return 1.0
    of_left = max(expected - stays * of_stayed, 0.0) / (1.0 - stays)
    return (leaves * of_left + (1.0 - leaves) * of_stayed) / expected

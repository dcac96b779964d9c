"""Expected spend, values and intervals of customers: compiled loops over customers.

`expectations`. Inputs: `facts`, float64[n, 4 or 7], what is known of purchases and contracts
(`spend_process`); `running`, bool[n], who has a contract; `days`, float64[h], and the parameters of the
populations. Outputs: `expected` and `plain`.

`values_and_intervals`. Inputs: `plain` and `expected`, float64[n, h], spend and days with a purchase until
each horizon, growing; `learned`, float64[n] or empty; `tables`: the levels, float64[h], and the interval
tables, float64[h, k], of which row j has `sizes[j]` places. Outputs: value, low and high, float64[n, h], each
growing from horizon to horizon. Invariant: low <= value <= high, and a customer's numbers do not depend on
the others.

`of_one`: the same for one customer in one call, from `facts`, float64[1, 4], and their features,
float64[1, f]. Each call from Python costs as much as the work. Plain version: `LifetimeModel.values` of
several customers; tests compare the bits.
Read on only to change the speed: in NumPy, one customer took ten times as long.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from features.timeline import DAY
from training.bundle.lifetime.churn_kernel import hold_to_churn
from training.bundle.lifetime.purchase_process import days_under_contract, expect
from training.bundle.tree_inference import predict_row


@njit(cache=True, nogil=True, error_model="numpy")
def values_and_intervals(plain, expected, learned, tables):  # type: ignore[no-untyped-def]
    """Value, low and high of each customer over each horizon."""
    levels, places, lows, highs, sizes = tables
    n, horizons = plain.shape
    value, low, high = np.empty((n, horizons)), np.empty((n, horizons)), np.empty((n, horizons))
    for i in range(n):
        before, told, worth, least, most = 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(horizons):
            step = max(plain[i, j] - before, 0.0) * levels[j]
            before = plain[i, j]
            told += step
            worth += (step + learned[i]) / 2.0 if j == 0 and len(learned) else step
            at = math.log(max(expected[i, j], 1e-12))
            # The spread is known of what is told without the learned model; the interval holds what both say.
            below = min(1.0, _between(at, places[j], lows[j], sizes[j])) * told
            above = max(1.0, _between(at, places[j], highs[j], sizes[j])) * told
            least, most = max(least, min(below, worth)), max(most, above, worth)
            value[i, j], low[i, j], high[i, j] = worth, least, most
    return value, low, high


@njit(cache=True, nogil=True, error_model="numpy")
def expectations(facts, running, days, population, spend, contract):  # type: ignore[no-untyped-def]
    """Payments expected within these days, and what they bring."""
    p, q, scale = spend
    shape, begin, period = contract
    expected = expect(facts, days, population)
    plain = np.empty(expected.shape)
    for i in range(len(facts)):
        each = p * (scale + max(facts[i, 3], 0.0)) / (p * facts[i, 0] + q - 1.0)
        for j in range(len(days)):
            plain[i, j] = expected[i, j] * each
        if shape > 0.0 and running[i] and facts[i, 4] > 0.0:
            tenure = facts[i, 5] if facts[i, 5] >= 0.0 else facts[i, 6]
            for j in range(len(days)):
                periods = days_under_contract(begin + max(tenure, 0.0), days[j], shape) / period
                expected[i, j] += periods
                plain[i, j] += periods * facts[i, 4]
    return expected, plain


@njit(cache=True, nogil=True, error_model="numpy")
def of_one(  # type: ignore[no-untyped-def]
    facts,
    features,
    days,
    as_of,
    in_cohort,
    probability,
    midnights,
    population,
    spend,
    contract,
    churn,
    trees,
    units,
    tables,
):
    """Value, low, high and month of joining of one customer; `trees` is the learned model, if any, and
    `units` its unit and scale."""
    pays = contract[0] > 0.0 and in_cohort[0] and facts[0, 4] > 0.0
    if not (facts[0, 0] > 0.0 or pays):
        nothing = np.full((1, len(days)), np.nan)
        return nothing, nothing.copy(), nothing.copy(), np.full(1, -1)
    expected, plain = expectations(facts, in_cohort, days, population, spend, contract)
    learned = np.empty(0)
    if len(trees[0]):
        row = np.empty(features.shape[1] + 1)
        row[:-1] = features[0]
        row[-1] = plain[0, 0] / units[0]
        learned = predict_row(row, trees) * units[0] * units[1]
    value, low, high = values_and_intervals(plain, expected, learned, tables)
    hold_to_churn(
        value, low, high, facts, in_cohort, days, expected, probability, population, contract, churn
    )
    if not in_cohort[0]:
        low[:], high[:] = np.nan, np.nan
    since = facts[0, 1]
    if facts.shape[1] > 6 and not since > facts[0, 6]:
        since = since if np.isnan(facts[0, 6]) else facts[0, 6]
    joined = as_of - np.int64(np.round(since * DAY))
    return value, low, high, np.full(1, _month(np.searchsorted(midnights, joined, side="right") - 2))


@njit(cache=True, nogil=True)
def _month(day):  # type: ignore[no-untyped-def]
    """The month of a day since 1970, both counted from 0: years of the calendar from 1 March to February."""
    day += 719_468
    era = day // 146_097
    of_era = day - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (era * 400 + year - 1970) * 12 + (5 * of_year + 2) // 153 + 2


@njit(cache=True, nogil=True, error_model="numpy")
def _between(at, places, ends, size):  # type: ignore[no-untyped-def]
    """The end at a place, on straight lines between those that are known; the outermost beyond them."""
    if at <= places[0]:
        return ends[0]
    for k in range(1, size):
        if at < places[k]:
            share = (at - places[k - 1]) / (places[k] - places[k - 1])
            return ends[k - 1] + share * (ends[k] - ends[k - 1])
    return ends[size - 1]

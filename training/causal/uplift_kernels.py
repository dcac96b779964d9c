"""The Qini curve of weighted customers: compiled loops in the order of a score.

Inputs: `order`, int64[n], the customers by descending score; `ends`, bool[n], whether a place is the last of
those with the same score; `treated`, bool[n], and `outcome`, float64[n], a row a customer; `weight`,
int64[n], how often each customer counts. Output: the curve's points, or the area above random, both per
treated customer. Invariant: the order among customers with the same score changes nothing but rounding. Plain
version: `tests.training.causal.test_uplift_metrics`; a test compares them. Read on only to change the speed:
1,000 resamples of 42,000 customers take about a second.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def curve(order, ends, treated, outcome, weight):  # type: ignore[no-untyped-def]
    """float64[m], float64[m]: the share of customers contacted, and the incremental outcomes per treated
    customer.

    NaN at the end where an arm is empty.
    """
    share, gain = np.zeros(len(order) + 1), np.zeros(len(order) + 1)
    points = 1
    treated_customers = control_customers = 0
    treated_outcome = control_outcome = 0.0
    for place in range(len(order)):
        customer = order[place]
        times = weight[customer]
        if treated[customer]:
            treated_customers += times
            treated_outcome += times * outcome[customer]
        else:
            control_customers += times
            control_outcome += times * outcome[customer]
        if ends[place] and treated_customers > 0 and control_customers > 0:
            share[points] = treated_customers + control_customers
            gain[points] = treated_outcome - control_outcome * (treated_customers / control_customers)
            points += 1
    if points == 1:
        return np.array([0.0, 1.0]), np.array([0.0, np.nan])
    return share[:points] / share[points - 1], gain[:points] / treated_customers


@njit(cache=True, nogil=True)
def coefficient(order, ends, treated, outcome, weight):  # type: ignore[no-untyped-def]
    """The area between the curve and the straight line to its end, per treated customer; NaN where an arm is
    empty.
    """
    treated_customers = control_customers = 0
    treated_outcome = control_outcome = 0.0
    share = gain = area = 0.0
    for place in range(len(order)):
        customer = order[place]
        times = weight[customer]
        if treated[customer]:
            treated_customers += times
            treated_outcome += times * outcome[customer]
        else:
            control_customers += times
            control_outcome += times * outcome[customer]
        if ends[place] and treated_customers > 0 and control_customers > 0:
            reached = treated_customers + control_customers
            gained = treated_outcome - control_outcome * (treated_customers / control_customers)
            area += (reached - share) * (gained + gain) / 2
            share, gain = reached, gained
    if share == 0.0:
        return np.nan
    return (area / share - gain / 2) / treated_customers

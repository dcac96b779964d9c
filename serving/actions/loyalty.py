"""Loyalty levels: which level a customer holds by purchases, what the next one takes, and when it ends.

The compiled part, `_levels`. Inputs: the `Purchases` of the window, sorted by customer and instant; `Levels`.
Outputs, for each customer: level (−1 for none), purchases, amount, purchases and amount to the next level,
and when the level ends. Invariant: a customer's row depends on their own purchases alone.
Plain version: `tests.reference.loyalty_level`; a test compares them. Read on only to change the speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from features.events.attributes import same_value
from features.timeline import DAY, in_window
from serving.actions.playbook import LoyaltyProgramme
from serving.reports.event_index import EventIndex

NO_LEVEL = -1


def loyalty(facts: EventIndex, programmes: Sequence[LoyaltyProgramme], as_of: int) -> dict[str, pa.Array]:
    """The columns of every customer: programme and level, what the next one takes, until when this one lasts.

    Refunds take back from the amount. A customer in two programmes counts in the one joined last. Without new
    purchases the level ends on `loyalty_lasts_until`.
    """
    n = facts.history.customers
    chosen = np.full(n, NO_LEVEL, dtype=np.int16)
    several = np.zeros(n, dtype=np.bool_)
    for number, programme in enumerate(programmes):
        if programme.members is None:
            chosen[chosen == NO_LEVEL] = number
            continue
        values, member = facts.attribute(programme.members.attribute), programme.members.value
        joined = [value is not None and same_value(value, member) for value in values]
        chosen[np.array(joined, dtype=np.bool_)] = number
        several |= facts.had_several(programme.members.attribute)
    level, bought = np.full(n, NO_LEVEL, np.int16), np.zeros(n, np.int64)
    amount, more, spend = np.zeros(n), np.zeros(n, np.int64), np.zeros(n)
    lasts = np.zeros(n, np.int64)
    wholes: tuple[NDArray[np.generic], ...] = (level, bought, amount, more, spend, lasts)
    for number, programme in enumerate(programmes):
        mine = chosen == number
        for whole, part in zip(wholes, _standing(facts, programme, as_of), strict=True):
            whole[mine] = part[mine]
    out = chosen == NO_LEVEL
    return {
        "loyalty_programme": pa.array(chosen, mask=out),
        "loyalty_level": pa.array(level, mask=out),
        "loyalty_purchases": pa.array(bought, mask=out),
        "loyalty_amount": pa.array(amount, mask=out),
        "loyalty_purchases_to_next": pa.array(more, mask=out | (more < 0)),
        "loyalty_amount_to_next": pa.array(spend, mask=out | (more < 0)),
        "loyalty_lasts_until": pa.array(lasts, pa.timestamp("us", "UTC"), mask=out | (level == NO_LEVEL)),
        "loyalty_in_two": pa.array(several),
    }


class Purchases(NamedTuple):
    """The purchases of customers, sorted by customer and instant."""

    ends: NDArray[np.int64]
    """int64[c + 1]: those of customer c are the rows `ends[c]` to `ends[c + 1]`."""
    instants: NDArray[np.int64]
    values: NDArray[np.float64]
    counts: NDArray[np.bool_]
    """Whether it counts as a purchase; what takes back only enters the amount."""


class Levels(NamedTuple):
    """What each level takes, ascending."""

    purchases: NDArray[np.int64]
    amounts: NDArray[np.float64]


def _standing(facts: EventIndex, programme: LoyaltyProgramme, as_of: int) -> tuple[NDArray[np.generic], ...]:
    """The arrays of `_levels` for one programme."""
    history, window = facts.history, programme.window_days * DAY
    at = facts.of("purchase")
    at = at[in_window(history.instants[at], programme.window_days, as_of)]
    counts = ~facts.taken_back[at]
    ends = np.searchsorted(facts.row[at], np.arange(history.customers + 1))
    levels = Levels(
        np.array([level.purchases for level in programme.levels], dtype=np.int64),
        np.array([level.amount for level in programme.levels], dtype=np.float64),
    )
    purchases = Purchases(ends, history.instants[at], np.nan_to_num(history.values[at]), counts)
    columns: tuple[NDArray[np.generic], ...] = _levels(purchases, levels, window)
    return columns


@njit(cache=True, nogil=True)
def _levels(purchases, levels, window):  # type: ignore[no-untyped-def]
    """Level, purchases, amount, purchases and amount to the next level, and end of the level; each [c]."""
    ends, instants, values, counts = purchases
    need, worth = levels
    n = len(ends) - 1
    level, bought, amount = np.full(n, -1, np.int16), np.zeros(n, np.int64), np.zeros(n)
    more, spend, lasts = np.full(n, -1, np.int64), np.zeros(n), np.zeros(n, np.int64)
    for c in range(n):
        for i in range(ends[c], ends[c + 1]):
            bought[c] += counts[i]
            amount[c] += values[i]
        for k in range(len(need)):
            if bought[c] >= need[k] and amount[c] >= worth[k]:
                level[c] = k
        k = level[c] + 1
        if k < len(need):
            more[c] = max(need[k] - bought[c], 0)
            spend[c] = max(worth[k] - amount[c], 0.0)
        if level[c] >= 0:
            # The level lasts until the newest purchases that hold it lose the oldest of them.
            k, many, much = level[c], 0, 0.0
            lasts[c] = instants[ends[c]] + window if ends[c] < ends[c + 1] else 0
            for i in range(ends[c + 1] - 1, ends[c] - 1, -1):
                many += counts[i]
                much += values[i]
                if many >= need[k] and much >= worth[k]:
                    lasts[c] = instants[i] + window
                    break
    return level, bought, amount, more, spend, lasts


def warm() -> None:
    """Compiles the loop into the cache on disk, so that no first plan waits for it."""
    none, amounts = np.empty(0, np.int64), np.empty(0)
    _levels(Purchases(np.zeros(1, np.int64), none, amounts, np.empty(0, np.bool_)), Levels(none, amounts), 1)

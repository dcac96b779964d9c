"""Sums of a report by customer, period and group: compiled loops over sorted event histories.

Inputs: arrays of events sorted by customer and instant. A *cell* is one customer in one period, as the number
`customer × periods + period`; equal cells stand together and ascend. A *code* is a group (a channel, a
detail), a number below `codes`.
Outputs: sums, counts of events, of distinct things and of customers, by cell and code.
Invariant: one pass, in the order of events, so sums have the same bits on every machine.
Plain versions: the SQL of `tests/serving/reports/plain_sql.py`, and `tests.reference.window_sums` and
`tests.reference.first_contacts`; tests compare them.
Read on only to change the speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.timeline import DAY

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Touches(NamedTuple):
    """Contacts or responses, sorted by cell."""

    cell: Ints
    campaign: Ints
    """A number below a limit; 0 where the campaign has no name."""
    place: Ints
    """The place in the history, ascending in time."""


NOTHING = np.empty(0, dtype=np.float64)
NO_THINGS = np.empty(0, dtype=np.int64)


def gathered(
    cell: Ints, code: Ints, codes: int, weights: Floats | None = None, things: tuple[Ints, int] | None = None
) -> tuple[Ints, Floats]:
    """Sums by cell and code: the keys `cell × codes + code`, ascending, and a number for each.

    The number is the sum of `weights`; without them the count of events; with `things` (a number for each
    event, and their limit) the count of distinct things.
    """
    thing, limit = things or (NO_THINGS, 1)
    keys, sums = _gather(cell, code, codes, NOTHING if weights is None else weights, thing, limit)
    return keys, sums


def customers(place: Ints, row: Ints, size: int) -> Floats:
    """float64[size]: the number of customers at each place; equal rows (customers) stand together."""
    counts: Floats = _customers(place, row, size)
    return counts


def window_sums(ends: Ints, instants: Ints, values: Floats, begins: Ints, edges: Ints) -> Floats:
    """float64[edges, customers]: each customer's sum of values in `[begins[e], edges[e])`.

    The events of customer c are those from `ends[c]` to `ends[c + 1]`.
    """
    sums: Floats = _window_sums(ends, instants, values, begins, edges)
    return sums


@njit(cache=True, nogil=True)
def _gather(cell, code, codes, weights, thing, limit):  # type: ignore[no-untyped-def]
    n = len(cell)
    keys, sums = np.empty(n, np.int64), np.empty(n, np.float64)
    if n == 0:
        return keys, sums
    # Of the cell that is open: where each code's number stands, and the codes of earlier cells.
    slot, owner = np.zeros(codes, np.int64), np.full(codes, -1, np.int64)
    seen = np.full(codes * limit if len(thing) else 1, -1, np.int64)
    filled = begin = 0
    for i in range(n):
        mine = cell[i]
        if i > 0 and mine != cell[i - 1]:
            _ascend(keys, sums, begin, filled)
            begin = filled
        c = np.uintp(code[i])
        if owner[c] != mine:
            owner[c], slot[c] = mine, filled
            keys[filled], sums[filled] = mine * codes + code[i], 0.0
            filled += 1
        if len(thing):
            at = np.uintp(code[i] * limit + thing[i])
            if seen[at] != mine:
                seen[at] = mine
                sums[np.uintp(slot[c])] += 1.0
        else:
            sums[np.uintp(slot[c])] += weights[i] if len(weights) else 1.0
    _ascend(keys, sums, begin, filled)
    return keys[:filled].copy(), sums[:filled].copy()


@njit(cache=True, nogil=True)
def _ascend(keys, sums, begin, end):  # type: ignore[no-untyped-def]
    """Sort the keys from `begin` to `end`, few and mostly in order, and their sums with them."""
    for i in range(begin + 1, end):
        key, total, j = keys[i], sums[i], i
        while j > begin and keys[j - 1] > key:
            keys[j], sums[j] = keys[j - 1], sums[j - 1]
            j -= 1
        keys[j], sums[j] = key, total


@njit(cache=True, nogil=True)
def days(instants, midnights):  # type: ignore[no-untyped-def]
    """int64[n]: the number of local midnights, ascending, at or before each instant."""
    day_of = np.empty(len(instants), np.int64)
    for i in range(len(instants)):
        day = min(max((instants[i] - midnights[0]) // DAY, 0), len(midnights) - 1)
        while day > 0 and midnights[day] > instants[i]:
            day -= 1
        while day + 1 < len(midnights) and midnights[day + 1] <= instants[i]:
            day += 1
        day_of[i] = day + 1 if midnights[day] <= instants[i] else 0
    return day_of


@njit(cache=True, nogil=True)
def merged(first_cells, keys, numbers):  # type: ignore[no-untyped-def]
    """The union of two ascending sets of cells: the cells, the numbers of the second set (else 0), and 1 for
    the cells of the first set (else 0).
    """
    n, m = len(first_cells), len(keys)
    cells, amounts, first = np.empty(n + m, np.int64), np.zeros(n + m), np.zeros(n + m)
    i = j = filled = 0
    while i < n or j < m:
        left = i < n and (j == m or first_cells[i] <= keys[j])
        right = j < m and (i == n or keys[j] <= first_cells[i])
        cells[filled] = first_cells[i] if left else keys[j]
        if right:
            amounts[filled] = numbers[j]
            j += 1
        if left:
            first[filled] = 1.0
            i += 1
        filled += 1
    return cells[:filled].copy(), amounts[:filled].copy(), first[:filled].copy()


@njit(cache=True, nogil=True)
def first_contact_and_response(sent, back, size):  # type: ignore[no-untyped-def]
    """The first contact of each cell and campaign, as places among the contacts, and 1 where a response to
    the campaign came after it in the same cell, else 0.

    `sent` and `back` are `Touches`; campaigns are numbers below `size`.
    """
    cell, which, place = sent
    back_cell, back_which, back_place = back
    n = len(cell)
    first, answer = np.empty(n, np.int64), np.zeros(n, np.float64)
    owner, slot = np.full(size, -1, np.int64), np.zeros(size, np.int64)
    filled = i = j = 0
    while i < n:
        mine = cell[i]
        while i < n and cell[i] == mine:
            if owner[which[i]] != mine:
                owner[which[i]], slot[which[i]], first[filled] = mine, filled, i
                filled += 1
            i += 1
        while j < len(back_cell) and back_cell[j] < mine:
            j += 1
        while j < len(back_cell) and back_cell[j] == mine:
            if owner[back_which[j]] == mine:
                at = slot[back_which[j]]
                if back_place[j] > place[first[at]]:
                    answer[at] = 1.0
            j += 1
    return first[:filled].copy(), answer[:filled].copy()


@njit(cache=True, nogil=True)
def totals(at, y, x, size):  # type: ignore[no-untyped-def]
    """float64[size, 6]: n, Σy, Σx, Σy², Σxy, Σx² of the units at each place; x is 1 where there is none."""
    sums, has_x = np.zeros((size, 6)), len(x) > 0
    for i in range(len(at)):
        a, b, c = np.uintp(at[i]), y[i], x[i] if has_x else 1.0
        sums[a, 0] += 1.0
        sums[a, 1] += b
        sums[a, 2] += c
        sums[a, 3] += b * b
        sums[a, 4] += b * c
        sums[a, 5] += c * c
    return sums


@njit(cache=True, nogil=True)
def _customers(place, row, size):  # type: ignore[no-untyped-def]
    last, counts = np.full(size, -1, np.int64), np.zeros(size, np.float64)
    for i in range(len(place)):
        if last[place[i]] != row[i]:
            last[place[i]] = row[i]
            counts[place[i]] += 1.0
    return counts


@njit(cache=True, nogil=True)
def _window_sums(ends, instants, values, begins, edges):  # type: ignore[no-untyped-def]
    n = len(ends) - 1
    sums = np.zeros((len(edges), n), np.float64)
    for c in range(n):
        for e in range(len(edges)):
            for i in range(ends[c], ends[c + 1]):
                if instants[i] >= edges[e]:
                    break
                if instants[i] >= begins[e] and not np.isnan(values[i]):
                    sums[e, c] += values[i]
    return sums

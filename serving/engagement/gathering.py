"""One pass over events that stand customer by customer in time order, as a history has them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NOTHING = np.empty(0, dtype=np.float64)
NO_THINGS = np.empty(0, dtype=np.int64)


def gathered(
    cell: Ints, code: Ints, codes: int, weights: Floats | None = None, things: tuple[Ints, int] | None = None
) -> tuple[Ints, Floats]:
    """Sums by cell and code: the keys `cell × codes + code`, ascending, and a number for each.

    Equal cells must stand together and cells ascend. The number is the sum of weights, or how many events
    there are, or of how many different things (numbers below a limit) they are.
    """
    thing, limit = things or (NO_THINGS, 1)
    keys, sums = _gather(cell, code, codes, NOTHING if weights is None else weights, thing, limit)
    return keys, sums


def customers(place: Ints, row: Ints, size: int) -> Floats:
    """float64[size]: how many customers stand behind each place; the rows of one stand together."""
    counts: Floats = _customers(place, row, size)
    return counts


def window_sums(ends: Ints, instants: Ints, values: Floats, edges: Ints, length: int) -> Floats:
    """float64[edges, customers]: each customer's sum of values in `[edge - length, edge)`.

    The events of customer c are those from `ends[c]` to `ends[c + 1]`.
    """
    sums: Floats = _window_sums(ends, instants, values, edges, length)
    return sums


@njit(cache=True, nogil=True)
def _gather(cell, code, codes, weights, thing, limit):  # type: ignore[no-untyped-def]
    n = len(cell)
    keys, sums = np.empty(n, np.int64), np.empty(n, np.float64)
    total, touched = np.zeros(codes, np.float64), np.empty(codes, np.int64)
    there = np.zeros(codes, np.bool_)
    seen = np.full(codes * limit if len(thing) else 1, -1, np.int64)
    found, open_ = 0, 0
    for i in range(n):
        if i > 0 and cell[i] != cell[i - 1]:
            found = _flush(keys, sums, found, cell[i - 1] * codes, total, there, touched, open_)
            open_ = 0
        c = code[i]
        if not there[c]:
            there[c] = True
            touched[open_] = c
            open_ += 1
        if len(thing):
            at = c * limit + thing[i]
            if seen[at] != cell[i]:
                seen[at] = cell[i]
                total[c] += 1.0
        else:
            total[c] += weights[i] if len(weights) else 1.0
    if n:
        found = _flush(keys, sums, found, cell[n - 1] * codes, total, there, touched, open_)
    return keys[:found].copy(), sums[:found].copy()


@njit(cache=True, nogil=True)
def _flush(keys, sums, found, base, total, there, touched, open_):  # type: ignore[no-untyped-def]
    if open_ > 1:
        touched[:open_].sort()
    for j in range(open_):
        c = touched[j]
        keys[found], sums[found] = base + c, total[c]
        found += 1
        total[c], there[c] = 0.0, False
    return found


@njit(cache=True, nogil=True)
def _customers(place, row, size):  # type: ignore[no-untyped-def]
    last, counts = np.full(size, -1, np.int64), np.zeros(size, np.float64)
    for i in range(len(place)):
        if last[place[i]] != row[i]:
            last[place[i]] = row[i]
            counts[place[i]] += 1.0
    return counts


@njit(cache=True, nogil=True)
def _window_sums(ends, instants, values, edges, length):  # type: ignore[no-untyped-def]
    n = len(ends) - 1
    sums = np.zeros((len(edges), n), np.float64)
    for c in range(n):
        for e in range(len(edges)):
            for i in range(ends[c], ends[c + 1]):
                if instants[i] >= edges[e]:
                    break
                if instants[i] >= edges[e] - length and not np.isnan(values[i]):
                    sums[e, c] += values[i]
    return sums

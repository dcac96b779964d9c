"""Statuses by inactivity, and what customers spent: compiled loops over sorted event histories.

Inputs: the arrays of a `History`; `roles`, uint8[n], what each event means to the label (bits: 1 started or
active, 8 amount; decided in `cohort.event_roles`); `Futures`, the horizons to label. Contracts are read in
`contract_kernels`.
Outputs: the status of each customer at a date, int8; per horizon whether they were silent, and their amounts.
Invariant: `standings` reads only events known before the as-of date, `outcomes` only events in the horizon.
Plain versions: `tests.reference.status` and `tests.reference.outcome`; a test compares them.
Read on only to change the speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Futures(NamedTuple):
    """The horizons to label."""

    rows: NDArray[np.int64]
    """int64[p]: the customer's place in the history, −1 for one without events."""
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    """int64[p]: the horizon is `[starts, ends)`, instants."""


@njit(cache=True, nogil=True)
def roles(kinds, values, of_kind, if_negative):  # type: ignore[no-untyped-def]
    """uint8[n]: the role of each event by its kind (the last stands for none), and by whether its value is
    negative."""
    of_event = np.empty(len(kinds), dtype=np.uint8)
    for i in range(len(kinds)):
        negative = len(values) > 0 and values[i] < 0.0
        of_event[i] = if_negative[kinds[i]] if negative else of_kind[kinds[i]]
    return of_event


@njit(cache=True, nogil=True)
def standings(offsets, instants, recorded, roles, as_of, floor):  # type: ignore[no-untyped-def]
    """int8[customers]: −1 without known events, 2 without activity; by the newest one 0 in the cohort (at or
    after `floor`) or 1 lapsed.
    """
    customers = len(offsets) - 1
    late = len(recorded) > 0
    out = np.full(customers, -1, dtype=np.int8)
    for c in range(customers):
        low = offsets[c]
        past = np.searchsorted(instants[low : offsets[c + 1]], as_of)
        for i in range(low + past - 1, low - 1, -1):
            if late and recorded[i] >= as_of:
                continue
            out[c] = 2
            if roles[i] & 1:
                out[c] = 0 if instants[i] >= floor else 1
                break
    return out


@njit(cache=True, nogil=True)
def outcomes(offsets, instants, values, roles, futures):  # type: ignore[no-untyped-def]
    """Whether each customer was silent in their horizon, bool[p], and their sum of amounts, float64[p]."""
    rows, starts, ends = futures
    n = len(rows)
    silent = np.ones(n, dtype=np.bool_)
    value = np.zeros(n, dtype=np.float64)
    for p in range(n):
        if rows[p] >= 0:
            low, high = offsets[rows[p]], offsets[rows[p] + 1]
            i = low + np.searchsorted(instants[low:high], starts[p])
            while i < high and instants[i] < ends[p]:
                role = roles[i]
                if role & 1:
                    silent[p] = False
                if role & 8 and len(values) > 0 and not np.isnan(values[i]):
                    value[p] += values[i]
                i += 1
    return silent, value


@njit(cache=True, nogil=True)
def amounts_between(offsets, instants, kinds, values, of_kind, futures):  # type: ignore[no-untyped-def]
    """float64[p]: the sum of the amounts in each customer's horizon, where kinds alone decide over roles."""
    rows, starts, ends = futures
    value = np.zeros(len(rows), dtype=np.float64)
    for p in range(len(rows)):
        if rows[p] >= 0:
            low, high = offsets[rows[p]], offsets[rows[p] + 1]
            i = low + np.searchsorted(instants[low:high], starts[p])
            while i < high and instants[i] < ends[p]:
                if of_kind[kinds[i]] & 8 and not np.isnan(values[i]):
                    value[p] += values[i]
                i += 1
    return value


@njit(cache=True, nogil=True)
def rows_of_keys(keys, wanted):  # type: ignore[no-untyped-def]
    """int64[p]: the place of each wanted key among ascending keys, −1 for one that is not there.

    Looks at the next keys first: mostly the wanted ones ascend too.
    """
    n, row = len(keys), 0
    rows = np.full(len(wanted), -1, dtype=np.int64)
    for p in range(len(wanted)):
        key, ahead = wanted[p], row + 4
        if row >= n or keys[row] > key:
            row = ahead = 0
        while row < min(ahead, n) and keys[row] < key:
            row += 1
        if row == ahead and row < n and keys[row] < key:
            row += np.searchsorted(keys[row:], key)
        if row < n and keys[row] == key:
            rows[p] = row
    return rows

"""The compiled loops behind statuses and labels; what the roles mean is decided in `labelling`."""

from __future__ import annotations

import numpy as np
from numba import njit


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
            if roles[i] & 6:
                out[c] = 1
                break
    return out


@njit(cache=True, nogil=True)
def outcomes(offsets, instants, values, roles, rows, starts, ends, contract):  # type: ignore[no-untyped-def]
    n = len(rows)
    churned = np.zeros(n, dtype=np.bool_)
    value = np.zeros(n, dtype=np.float64)
    for p in range(n):
        open_, gone = True, not contract
        if rows[p] >= 0:
            low, high = offsets[rows[p]], offsets[rows[p] + 1]
            i = low + np.searchsorted(instants[low:high], starts[p])
            while i < high and instants[i] < ends[p]:
                role = roles[i]
                if contract and open_ and role & 6:
                    gone, open_ = (role & 2) != 0, False
                if not contract and role & 1:
                    gone = False
                if role & 8 and len(values) > 0 and not np.isnan(values[i]):
                    value[p] += values[i]
                i += 1
        churned[p] = gone
    return churned, value

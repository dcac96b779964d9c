"""The store's order of events: sorting a run, interleaving sorted runs, and telling whether one is sorted.

The order is customer key, instant, event id. The plain version of the compiled loops is Python's `sorted` on
the same keys. Read on only to change the speed.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.storage.hashing import buffers
from features.timeline import Instants

Rowset = NDArray[np.int64]


def order(keys: Rowset, occurred: Instants, ids: pa.Array) -> Rowset:
    """int64[n]: the positions of rows in the store's order."""
    span = int(keys.max() - keys.min()) + 1 if len(keys) else 0
    places: Rowset = np.argsort(occurred, kind="stable")
    if span <= 16 * len(keys) + 1024:
        places = _by_key(places, keys, keys.min() if len(keys) else 0, span)
    else:
        places = places[np.argsort(keys[places], kind="stable")]
    _settle_ties(places, keys, occurred, *buffers(ids))
    return places


@numba.njit(cache=True, nogil=True)
def in_order(starts, instants, earliest, latest):  # type: ignore[no-untyped-def]
    """Whether instants lie in `[earliest, latest)`, and those of each customer in order.

    `starts`, int64[c + 1]: where the events of each customer begin; nobody is without.
    """
    first, last, back = latest, earliest, 0
    for i in range(np.uintp(1), np.uintp(max(len(instants), 1))):
        first, last = min(first, instants[i]), max(last, instants[i])
        back += instants[i] < instants[i - np.uintp(1)]
    for c in range(1, len(starts) - 1):
        back -= instants[starts[c]] < instants[starts[c] - 1]
    if len(instants):
        first, last = min(first, instants[0]), max(last, instants[0])
    return earliest <= first and last < latest and back == 0


@numba.njit(cache=True, nogil=True)
def _by_key(places, keys, first, span):  # type: ignore[no-untyped-def]
    starts = np.zeros(span + 1, np.int64)
    for key in keys:
        starts[key - first + 1] += 1
    for i in range(span):
        starts[i + 1] += starts[i]
    sorted_places = np.empty_like(places)
    for place in places:
        bin_ = keys[place] - first
        sorted_places[starts[bin_]] = place
        starts[bin_] += 1
    return sorted_places


@numba.njit(cache=True, nogil=True)
def _after(offsets, data, i, j):  # type: ignore[no-untyped-def]
    """Whether the text `i` comes after the text `j`, byte by byte."""
    a, b = offsets[i], offsets[j]
    for step in range(min(offsets[i + 1] - a, offsets[j + 1] - b)):
        if data[a + step] != data[b + step]:
            return data[a + step] > data[b + step]
    return offsets[i + 1] - a > offsets[j + 1] - b


@numba.njit(cache=True, nogil=True)
def _settle_ties(places, keys, occurred, offsets, data):  # type: ignore[no-untyped-def]
    start, count = 0, len(places)
    while start < count:
        stop = start + 1
        while (
            stop < count
            and keys[places[stop]] == keys[places[start]]
            and occurred[places[stop]] == occurred[places[start]]
        ):
            stop += 1
        if stop - start > 1:
            _sort_by_id(places[start:stop], offsets, data)
        start = stop


@numba.njit(cache=True, nogil=True)
def _sort_by_id(places, offsets, data):  # type: ignore[no-untyped-def]
    """Merge sort, in place."""
    count, width = len(places), 1
    source, target = places.copy(), np.empty_like(places)
    while width < count:
        for left in range(0, count, 2 * width):
            middle, right = min(left + width, count), min(left + 2 * width, count)
            i, j = left, middle
            for k in range(left, right):
                if i < middle and (j >= right or not _after(offsets, data, source[i], source[j])):
                    target[k] = source[i]
                    i += 1
                else:
                    target[k] = source[j]
                    j += 1
        source, target = target, source
        width *= 2
    places[:] = source


@numba.njit(cache=True, nogil=True)
def interleave(keys, starts, places, more_keys, more_starts, first, instants):  # type: ignore[no-untyped-def]
    """Two sets of customers with their events as one: keys, starts, places, and whether that is the order.

    The events of the customer `keys[c]` are the rows `places[starts[c]]` to `places[starts[c + 1]]`; those of
    `more_keys` lie row by row from `first` on. It is not the order where both have events of one customer at
    one instant; then only the event ids can tell.
    """
    both = np.empty(len(keys) + len(more_keys), np.int64)
    begins = np.empty(len(both) + 1, np.int64)
    rows = np.empty(starts[-1] + more_starts[-1], np.int64)
    i = j = found = row = 0
    sure = True
    while i < len(keys) or j < len(more_keys):
        left = i < len(keys) and (j == len(more_keys) or keys[i] <= more_keys[j])
        right = j < len(more_keys) and (i == len(keys) or more_keys[j] <= keys[i])
        both[found], begins[found] = keys[i] if left else more_keys[j], row
        found += 1
        a, a_stop, b, b_stop = 0, 0, 0, 0
        if left:
            a, a_stop = starts[i], starts[i + 1]
            i += 1
        if right:
            b, b_stop = first + more_starts[j], first + more_starts[j + 1]
            j += 1
        # Mostly the later run's events are all later: then nothing is compared event by event.
        if left and right and instants[places[a_stop - 1]] >= instants[b]:
            while a < a_stop and b < b_stop:
                sure &= instants[places[a]] != instants[b]
                if instants[places[a]] <= instants[b]:
                    rows[row] = places[a]
                    a += 1
                else:
                    rows[row] = b
                    b += 1
                row += 1
        for place in range(a, a_stop):
            rows[row] = places[place]
            row += 1
        for place in range(b, b_stop):
            rows[row] = place
            row += 1
    begins[found] = row
    return both[:found].copy(), begins[: found + 1].copy(), rows, sure

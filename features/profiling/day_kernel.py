"""Counts events by unit (source × kind) and day, compiled: one pass over a bucket.

Input: `instants` int64[n], ascending within each customer; `kinds` and `sources` int32[n] (a source may be
-1, none); `counted` bool[kinds]: which kinds count; `midnights` int64[d], ascending: the days begin there.
Output: int64[units, d] events, int64[units] newest instant (-1 for none), int64[units] events at midnight.
Plain version: `np.bincount` over unit × day with the day by `np.searchsorted`, as the test has it.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def span_of_counted(instants, kinds, counted):  # type: ignore[no-untyped-def]
    """The oldest and the newest instant of the kinds that count; oldest > newest where there are none."""
    oldest, newest = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for i in range(len(instants)):
        if counted[kinds[i]]:
            oldest, newest = min(oldest, instants[i]), max(newest, instants[i])
    return oldest, newest


@numba.njit(cache=True, nogil=True)
def count_by_day(instants, kinds, sources, counted, midnights, source_count):  # type: ignore[no-untyped-def]
    """Events by unit and day; a unit is (source + 1) × kinds + kind. All that count lie within the days."""
    units = source_count * len(counted)
    events = np.zeros((units, len(midnights)), np.int64)
    newest, at_midnight = np.full(units, -1, np.int64), np.zeros(units, np.int64)
    day = 0
    for i in range(len(instants)):
        kind = kinds[i]
        if not counted[kind]:
            continue
        instant = instants[i]
        if instant < midnights[day] or (day + 1 < len(midnights) and instant >= midnights[day + 1]):
            day = np.searchsorted(midnights, instant, side="right") - 1
        source = sources[i] if len(sources) else -1
        unit = (source + 1) * len(counted) + kind
        events[unit, day] += 1
        newest[unit] = max(newest[unit], instant)
        at_midnight[unit] += instant == midnights[day]
    return events, newest, at_midnight

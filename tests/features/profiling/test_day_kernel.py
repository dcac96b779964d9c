"""The compiled count of events by day against a plain one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.profiling.day_kernel import count_by_day, span_of_counted

KINDS, SOURCES = 3, 2
EVENTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, KINDS - 1), st.integers(-1, SOURCES - 1)), max_size=40
)


@given(EVENTS, st.booleans())
def test_events_are_counted_by_unit_and_day(events: list[tuple[int, int, int]], sources_known: bool) -> None:
    instants = np.array([at for at, _, _ in events], dtype=np.int64)
    kinds = np.array([kind for _, kind, _ in events], dtype=np.int32)
    sources = np.array([source for _, _, source in events if sources_known], dtype=np.int32)
    counted = np.array([True, False, True])
    mine = counted[kinds]
    oldest, newest = span_of_counted(instants, kinds, counted)
    assert (oldest > newest) == (not mine.any())
    if not mine.any():
        return
    assert (oldest, newest) == (instants[mine].min(), instants[mine].max())
    midnights = np.arange(0, 500, 7, dtype=np.int64)
    found, latest, at_midnight = count_by_day(instants, kinds, sources, counted, midnights, SOURCES + 1)
    owners = sources if sources_known else np.full(len(kinds), -1)
    unit = ((owners + 1) * KINDS + kinds)[mine]
    day = np.searchsorted(midnights, instants[mine], side="right") - 1
    plain = np.zeros_like(found)
    np.add.at(plain, (unit, day), 1)
    np.testing.assert_array_equal(found, plain)
    for number in range(len(latest)):
        theirs = instants[mine][unit == number]
        assert latest[number] == max(theirs.tolist(), default=-1)
        assert at_midnight[number] == (theirs % 7 == 0).sum()

"""The compiled sums of reports are those of their plain versions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.reports.kernels import Touches, first_contact_and_response, window_sums
from tests import reference

VALUES = st.one_of(st.integers(-5, 5).map(float), st.just(float("nan")))
EVENTS = st.lists(st.tuples(st.integers(0, 20), VALUES), max_size=6).map(
    lambda some: sorted(some, key=lambda e: e[0])
)
TOUCHES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=8)


@given(st.lists(EVENTS, min_size=1, max_size=3), st.lists(st.integers(0, 22), min_size=1, max_size=3))
def test_window_sums_are_sums_of_the_values_in_the_window(customers, edges) -> None:  # type: ignore[no-untyped-def]
    flat = [event for events in customers for event in events]
    instants, values = np.array([e[0] for e in flat], np.int64), np.array([e[1] for e in flat], np.float64)
    ends = np.cumsum([0, *map(len, customers)])
    begins = [edge - 7 for edge in edges]
    sums = window_sums(ends, instants, values, np.array(begins, np.int64), np.array(edges))
    assert sums.T.tolist() == [reference.window_sums(events, begins, edges) for events in customers]


@given(TOUCHES, TOUCHES)
def test_a_response_counts_after_the_first_contact_of_its_campaign(sent, back) -> None:  # type: ignore[no-untyped-def]
    contacts = [
        (cell, campaign, 2 * at) for at, (cell, campaign) in enumerate(sorted(sent, key=lambda s: s[0]))
    ]
    answers = [
        (cell, campaign, 3 * at) for at, (cell, campaign) in enumerate(sorted(back, key=lambda s: s[0]))
    ]

    def touches(some: list[tuple[int, int, int]]) -> Touches:
        return Touches(*(np.array([one[k] for one in some], np.int64) for k in range(3)))

    first, answered = first_contact_and_response(touches(contacts), touches(answers), 3)
    assert list(zip(first.tolist(), answered.tolist(), strict=True)) == reference.first_contacts(
        contacts, answers
    )

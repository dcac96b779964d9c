"""The compiled loops of labels compute what their plain versions compute."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.timeline import NEVER, known_from
from tests.reference import outcome, status
from training.labels.kernels import Futures, outcomes, standings

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, 15),
        st.sampled_from([0, 1, 8, 9]),
        st.sampled_from([NEVER, NEVER, 3, 7, 12]),
        st.floats(-5, 5),
    ),
    max_size=6,
)


@given(st.lists(EVENTS, min_size=1, max_size=3), st.integers(0, 13), st.integers(0, 13))
def test_statuses_and_labels_are_those_of_a_plain_reading(customers, start, floor) -> None:  # type: ignore[no-untyped-def]
    customers = [sorted(events) for events in customers]
    flat = [event for events in customers for event in events]
    offsets = np.cumsum([0, *map(len, customers)])
    instants = np.array([event[0] for event in flat], np.int64)
    recorded = np.array([event[1] for event in flat], np.int64)
    roles = np.array([event[2] for event in flat], np.uint8)
    retracted = np.array([event[3] for event in flat], np.int64)
    values = np.array([event[4] for event in flat], np.float64)
    found = standings(offsets, instants, known_from(recorded, retracted, start), roles, start, floor)
    assert found.tolist() == [status([e[:4] for e in events], start, floor) for events in customers]
    n = len(customers)
    futures = Futures(np.arange(n), np.full(n, start), np.full(n, start + 5))
    churned, amount = outcomes(offsets, instants, values, roles, futures)
    plain = [outcome([(e[0], e[2], e[4]) for e in events], start, start + 5) for events in customers]
    assert churned.tolist() == [one for one, _ in plain]
    assert amount.tolist() == [value for _, value in plain]

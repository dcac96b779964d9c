"""The compiled loyalty levels are those of their plain version."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.actions.loyalty import Levels, Purchases, _levels
from tests.reference import loyalty_level

PURCHASES = st.lists(
    st.tuples(st.integers(0, 90), st.integers(-20, 100).map(float), st.booleans()), max_size=6
).map(lambda some: sorted(some, key=lambda e: e[0]))
LEVELS = [(1, 0.0), (2, 50.0), (4, 150.0)]


@given(st.lists(PURCHASES, min_size=1, max_size=3))
def test_the_level_and_its_end_are_those_of_a_plain_reading(customers) -> None:  # type: ignore[no-untyped-def]
    flat = [event for events in customers for event in events]
    purchases = Purchases(
        np.cumsum([0, *map(len, customers)]),
        np.array([at for at, *_ in flat], np.int64),
        np.array([value for _, value, _ in flat], np.float64),
        np.array([counts for *_, counts in flat], np.bool_),
    )
    levels = Levels(np.array([need for need, _ in LEVELS]), np.array([worth for _, worth in LEVELS]))
    rows = zip(*(column.tolist() for column in _levels(purchases, levels, 30)), strict=True)
    assert list(rows) == [loyalty_level(events, LEVELS, 30) for events in customers]

"""Keys are found in a sorted array as a plain search finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.storage.key_lookup import key_positions
from tests.reference import positions

KEYS = st.lists(st.integers(-5, 20), max_size=8)


@given(KEYS, KEYS)
def test_each_key_is_found_where_the_plain_version_finds_it(known: list[int], keys: list[int]) -> None:
    ascending = sorted(set(known))
    places = key_positions(np.array(ascending, np.int64), np.array(keys, np.int64))
    assert places.tolist() == positions(ascending, keys)

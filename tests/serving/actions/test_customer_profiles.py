"""Profiles are joined to scores by the customer's key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from serving.actions.customer_profiles import WITHOUT_HISTORY, profiles_of

TABLE = pa.table(
    {
        "key": pa.array([4, 1, 9]),
        "attitude": pa.array([0, 1, 2], pa.int8()),
        "returned": pa.array([True, True, True]),
        "inquiry": pa.array([2, 2, 2], pa.int8()),
        "loyalty_in_two": pa.array([True, True, True]),
        "birthday_in_days": pa.array([4, 1, 9]),
    }
)


def test_each_customer_has_their_own_profile_in_the_order_asked() -> None:
    joined = profiles_of(TABLE, np.array([1, 4, 9]))
    assert joined.column("birthday_in_days").to_pylist() == [1, 4, 9]
    assert joined.column("attitude").to_pylist() == [1, 0, 2]


def test_a_customer_without_history_has_an_empty_profile() -> None:
    joined = profiles_of(TABLE, np.array([2, 4, 10]))
    assert joined.column("key").to_pylist() == [2, 4, 10]
    assert joined.column("birthday_in_days").to_pylist() == [None, 4, None]
    for name, value in WITHOUT_HISTORY.items():
        assert joined.column(name).to_pylist()[::2] == [value, value], name


def test_a_store_without_anybody_gives_empty_profiles() -> None:
    joined = profiles_of(TABLE[:0], np.array([2, 4]))
    assert joined.column("inquiry").to_pylist() == [0, 0]
    assert joined.column("birthday_in_days").to_pylist() == [None, None]

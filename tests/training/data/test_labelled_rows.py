"""Rows with their features in memory once: selections, parts and columns give the same numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.rows.labelled_rows import ROWS_AT_ONCE, LabelledRows
from training.data.rows.row_buffer import RowBuffer, permute_rows

COLUMNS = ("purchase_count_30d", "purchase_sum_30d", "login_days_since_last")


def rows(n: int, seed: int = 5) -> LabelledRows:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(n, 3)).astype(np.float32)
    matrix[draw.random(matrix.shape) < 0.2] = np.nan
    keys = np.arange(n)
    return LabelledRows(
        keys,
        keys.astype(np.uint64),
        keys * 10,
        matrix,
        draw.random(n) < 0.3,
        draw.random(n),
        draw.random((n, 1)),
        COLUMNS,
        ("purchase_count_30d",),
        draw.random(n),
    )


@given(st.lists(st.integers(0, 49), max_size=80), st.lists(st.booleans(), min_size=80, max_size=80))
def test_a_selection_of_a_selection_has_the_features_of_its_rows(chosen: list[int], then: list[bool]) -> None:
    whole = rows(50)
    places = np.array(chosen, dtype=np.int64)
    mask = np.array(then[: len(places)], dtype=np.bool_)
    some = whole.where(places).where(mask)
    at = places[mask]
    np.testing.assert_array_equal(some.matrix, whole.stored[at].astype(np.float64))
    np.testing.assert_array_equal(some.keys, at)
    assert some.weight is not None
    assert whole.weight is not None
    np.testing.assert_array_equal(some.weight, whole.weight[at])


def test_a_selection_copies_no_features() -> None:
    whole = rows(100)
    assert whole.where(whole.churned).stored is whole.stored


def test_parts_columns_and_named_features_are_those_of_the_matrix() -> None:
    whole = rows(2 * ROWS_AT_ONCE + 17)
    some = whole.where(~whole.churned)
    together = np.concatenate([part for _, part in some.parts()])
    np.testing.assert_array_equal(together, some.matrix)
    np.testing.assert_array_equal(some.column(1), some.matrix[:, 1])
    np.testing.assert_array_equal(some.some_columns([2, 0]), some.matrix[:, [2, 0]])
    named = some.named({COLUMNS[2], COLUMNS[0]})
    assert named.columns == (COLUMNS[0], COLUMNS[2])
    np.testing.assert_array_equal(named.matrix, some.matrix[:, [0, 2]])
    chosen = some.by_column(np.array([0, 2]))
    np.testing.assert_array_equal(chosen[:, [0, 2]], some.matrix[:, [0, 2]].astype(np.float32))
    assert not chosen[:, 1].any()


def test_a_buffer_holds_the_rows_of_all_parts_even_where_more_come_than_expected() -> None:
    whole = rows(100).stored
    buffer = RowBuffer(10, 3)
    for begin in range(0, 100, 7):
        buffer.append(whole[begin : begin + 7])
    np.testing.assert_array_equal(buffer.rows, whole)


@given(st.permutations(range(30)))
def test_rows_are_put_in_order_in_place(order: list[int]) -> None:
    whole = rows(30).stored.astype(np.float32)
    expected = whole[np.array(order)]
    permute_rows(whole, np.array(order, dtype=np.int64))
    np.testing.assert_array_equal(whole, expected)


def test_compact_rows_have_the_same_features_and_hold_no_others() -> None:
    whole = rows(300)
    some = whole.where(whole.churned)
    own = some.compact
    np.testing.assert_array_equal(own.matrix, some.matrix)
    np.testing.assert_array_equal(own.next.matrix, some.next.matrix)
    assert len(own.stored) == len(some) < len(some.stored)
    assert own.compact is own

"""Of a wide catalogue the trees may split on the columns that quick models use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.data.rows.labelled_rows import LabelledRows
from training.fitting.column_choice import FEWEST_ROWS, MOST_COLUMNS, OF_EACH, choose_columns
from training.fitting.lightgbm import TreeParameters

SETTINGS = TreeParameters(trees=30, threads=1)
N, WIDE = FEWEST_ROWS, MOST_COLUMNS + 20
CHURN, TIER, VALUE = (3, 50), 100, 199


def tier_next(rows: LabelledRows) -> np.ndarray:
    return (rows.column(TIER) > 0).astype(np.int8)


def wide(rows: int = N, columns: int = WIDE, seed: int = 1) -> LabelledRows:
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(rows, columns)).astype(np.float32)
    churned = draw.random(rows) < 1 / (1 + np.exp(1.0 - matrix[:, CHURN[0]] - matrix[:, CHURN[1]]))
    value = np.exp(matrix[:, min(VALUE, columns - 1)].astype(np.float64))
    keys = np.arange(rows)
    names = tuple(f"login_count_{n}d" for n in range(columns))
    none = np.zeros((rows, 0))
    return LabelledRows(keys, keys.astype(np.uint64), keys % 4, matrix, churned, value, none, names, ())


def test_what_tells_churn_tier_or_value_is_chosen() -> None:
    chosen = choose_columns(SETTINGS, wide(), tier_next, 2)
    assert chosen is not None
    assert {*CHURN, TIER, VALUE} <= {*chosen.tolist()}
    assert len(chosen) <= 3 * OF_EACH
    assert (np.diff(chosen) > 0).all()


def test_threads_change_no_choice() -> None:
    rows = wide(N)
    threads = [choose_columns(replace(SETTINGS, threads=n), rows, tier_next, 2) for n in (1, 2)]
    assert threads[0] is not None
    assert threads[1] is not None
    np.testing.assert_array_equal(threads[0], threads[1])


def test_nothing_is_chosen_of_few_columns_or_few_rows_or_one_outcome() -> None:
    assert choose_columns(SETTINGS, wide(columns=MOST_COLUMNS), tier_next, 2) is None
    assert choose_columns(SETTINGS, wide(N - 1), tier_next, 2) is None
    alike = wide()
    assert choose_columns(SETTINGS, replace(alike, churned=alike.churned & False), tier_next, 2) is None

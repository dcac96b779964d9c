"""The compiled choice of reasons is that of its plain version."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import chosen_reasons
from training.explanation.kernels import ColumnWeights, Groups, reasons

GROUPS = [[0, 1], [2, 3], [4]]
CONTRIBUTIONS = st.lists(st.integers(-400, 400).map(lambda n: n / 256), min_size=5, max_size=5)


@given(st.lists(CONTRIBUTIONS, min_size=1, max_size=4), st.lists(st.floats(0.1, 1), min_size=5, max_size=5))
def test_reasons_are_the_largest_groups_what_raises_first(
    rows: list[list[float]], plain: list[float]
) -> None:
    contributions = np.array(rows)
    matrix = np.zeros((len(rows), 5))
    far, none = np.ones(5), np.zeros(5)
    weights = ColumnWeights(np.array(plain), np.zeros(5, np.bool_), none, far, none, 0.3, far, none)
    groups = Groups(np.array([0, 2, 4, 5]), np.arange(5))
    columns, sums, values = reasons(matrix, contributions, weights, groups, groups, 2, True, 0.05, 0.0)
    for row, mine in enumerate(rows):
        chosen = chosen_reasons(mine, plain, GROUPS, 2, 0.05)
        if chosen is not None:
            assert columns[row].tolist() == [column for column, _ in chosen]
            assert sums[row].tolist() == [total for _, total in chosen]
            assert values[row].tolist() == [0.0, 0.0]

"""The compiled engagement index is that of its plain version."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import engagement_index
from training.bundle.tier_kernels import TierCurves, indices

VALUES = st.lists(st.one_of(st.floats(-1, 9), st.just(float("nan"))), min_size=4, max_size=4)
PARTS = [
    (False, 0.5, [1.0, 2.0, 5.0], [0.2, 0.6, 1.0]),
    (True, 0.3, [0.0, 4.0, 8.0], [0.1, 0.5, 0.9]),
    (False, 0.2, [1.0, 2.0], [0.5, 1.0]),
]


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_the_index_of_a_row_is_the_weighted_rank_of_its_parts(rows: list[list[float]]) -> None:
    scale = TierCurves(
        np.array([0, 1, 2, 4]),
        np.array([recent for recent, *_ in PARTS]),
        np.array([weight for _, weight, *_ in PARTS]),
        np.array([0, 3, 6, 8]),
        np.array([value for *_, at, _ in PARTS for value in at]),
        np.array([share for *_, rank in PARTS for share in rank]),
    )
    index = indices(np.array(rows), np.array([0, 1, 2, 3]), scale)
    plain = [engagement_index([[a], [b], [c, d]], PARTS) for a, b, c, d in rows]
    np.testing.assert_allclose(index, plain, rtol=1e-12, atol=1e-12)

"""The engagement index of many rows: the weighted mean of ranks in the cohort, compiled.

Inputs: `matrix`, float64[n, f]; `places`, the matrix column of each column that a part reads; `TierCurves`,
the parts of a `TierScale` one after the other.
Output: float64[n], 0..100.
Invariant: the index of a row does not depend on other rows.
Plain version: `tests.reference.engagement_index`; a test compares them.
Read on only to change the speed: one customer's index takes no longer than reading the numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray


class TierCurves(NamedTuple):
    """The parts of a tier scale one after the other, in flat arrays."""

    columns: NDArray[np.int64]
    """int64[parts + 1]: part p reads `places[columns[p]:columns[p + 1]]`; of several, those above 0 count."""
    recent: NDArray[np.bool_]
    """bool[parts]: whether a lower value is better (days since the last event)."""
    weights: NDArray[np.float64]
    curves: NDArray[np.int64]
    """int64[parts + 1]: the curve of part p is `at` and `rank` from `curves[p]` to `curves[p + 1]`."""
    at: NDArray[np.float64]
    rank: NDArray[np.float64]
    """The share of the cohort at or below each value `at`; linear between them."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def indices(matrix, places, scale):  # type: ignore[no-untyped-def]
    """The engagement index of each row, float64[n]: weighted ranks of its parts, 0 for a missing value."""
    columns, recent, weights, curves, at, rank = scale
    index = np.zeros(len(matrix))
    for row in range(len(matrix)):
        for part in range(len(weights)):
            raw = matrix[row, places[columns[part]]]
            if columns[part + 1] - columns[part] > 1:
                raw = 0.0
                for c in range(columns[part], columns[part + 1]):
                    raw += matrix[row, places[c]] > 0
            if np.isnan(raw) or not (recent[part] or raw > 0.0):
                continue
            low, high = curves[part], curves[part + 1] - 1
            if raw <= at[low]:
                share = rank[low]
            elif raw >= at[high]:
                share = rank[high]
            else:
                while high - low > 1:
                    middle = (low + high) // 2
                    if at[middle] <= raw:
                        low = middle
                    else:
                        high = middle
                share = rank[low] + (rank[high] - rank[low]) * ((raw - at[low]) / (at[high] - at[low]))
            index[row] += weights[part] * (1.0 - share if recent[part] else share)
        index[row] = min(100.0, max(0.0, 100.0 * index[row]))
    return index

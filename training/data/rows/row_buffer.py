"""Room for the features of all rows of a training, filled part by part and put in order in place.

The compiled part, `permute_rows`. Input: `rows`, float32[n, f], and `order`, int64[n], a permutation. Output:
`rows` itself, so that row i is what was row `order[i]`. Invariant: `rows == rows[order]` of before. Plain
version: `rows[:] = rows[order]`, which holds all rows twice; a test compares them.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

SPARE = 1.25
"""How many times more room is made where there are more rows than were expected."""


class RowBuffer:
    """Rows appended part by part: float32[n, columns] in one piece of memory.

    Room for `most` rows is asked for at once; memory that no row has reached yet is not occupied.
    """

    def __init__(self, most: int, columns: int) -> None:
        self._room = np.empty((max(1, most), columns), np.float32)
        self._filled = 0

    def append(self, part: NDArray[np.float32] | NDArray[np.float64]) -> None:
        """Takes in float[k, columns]."""
        end = self._filled + len(part)
        if end > len(self._room):
            wider = np.empty((int(end * SPARE), self._room.shape[1]), np.float32)
            wider[: self._filled] = self.rows
            self._room = wider
        self._room[self._filled : end] = part
        self._filled = end

    @property
    def rows(self) -> NDArray[np.float32]:
        """float32[n, columns]: all that was appended, not copied."""
        return self._room[: self._filled]


@numba.njit(cache=True, nogil=True)
def permute_rows(rows, order):  # type: ignore[no-untyped-def]
    """Puts rows in an order by following each cycle of the permutation."""
    done = np.zeros(len(order), np.bool_)
    lifted = np.empty(rows.shape[1], rows.dtype)
    for first in range(len(order)):
        if done[first] or order[first] == first:
            continue
        lifted[:] = rows[first]
        at = first
        while order[at] != first:
            rows[at] = rows[order[at]]
            done[at] = True
            at = order[at]
        rows[at] = lifted
        done[at] = True

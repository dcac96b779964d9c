"""Which column speaks for each group of columns, and what the group adds: one pass over the contributions."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def choose(contributions, weights, starts, members):  # type: ignore[no-untyped-def]
    """Sums float64[n, g] and columns int64[n, g]; group g is `members[starts[g]:starts[g + 1]]`.

    A group's column is the one whose contribution, rounded, points furthest the group's way; one that
    points that way counts by its weight. A row alone is summed as in a batch.
    """
    n, groups = len(contributions), len(starts) - 1
    sums = np.empty((n, groups))
    columns = np.empty((n, groups), dtype=np.int64)
    for row in range(n):
        for group in range(groups):
            total = 0.0
            for at in range(starts[group], starts[group + 1]):
                total += contributions[row, members[at]]
            sign = -1.0 if total < 0.0 else 1.0
            best, chosen = -np.inf, members[starts[group]]
            for at in range(starts[group], starts[group + 1]):
                column = members[at]
                # Rounded, so that the fast and the exact explanation (equal within 1e-5) choose alike.
                score = sign * (np.rint(contributions[row, column] * 10_000.0) / 10_000.0)
                if score > 0.0:
                    score *= weights[row, column]
                if score > best:
                    best, chosen = score, column
            sums[row, group], columns[row, group] = total, chosen
    return sums, columns

"""Which column speaks for each group of columns, and what the group adds: one pass over the contributions.

`reasons` does all of it for one customer or a million; compiled in one piece, it takes a third of the time
for one.
"""

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


@njit(cache=True, nogil=True)
def order(sums, columns, top, raising, material_share, nothing):  # type: ignore[no-untyped-def]
    """The sums and columns of the `top` groups of each row, [n, top]; -1 stands for no further group.

    What matters (`material_share` of a row's total) is taken before what does not, then by size; with
    `raising`, what raises is shown before what lowers. A sum below `nothing` is left out, but never all.
    """
    n, groups = sums.shape
    best, said = np.full((n, top), -1, dtype=np.int64), np.zeros((n, top))
    taken = np.empty(groups, dtype=np.int64)
    for row in range(n):
        size = np.abs(sums[row])
        least = material_share * size.sum()
        level = np.zeros(groups, dtype=np.int64)
        for group in range(groups):
            if size[group] >= least and size[group] > 0.0:
                level[group] = 1
        wanted = min(top, groups)
        _first(wanted, level, size, taken, groups)
        chosen = taken[:wanted].copy()
        rises = np.array([1 if raising and sums[row, group] > 0.0 else 0 for group in chosen])
        _first(wanted, rises, size[chosen], taken, wanted)
        at = 0
        for place in taken[:wanted]:
            group = chosen[place]
            if size[group] >= nothing:
                best[row, at], said[row, at] = columns[row, group], sums[row, group]
                at += 1
        if at == 0 and wanted > 0:
            group = chosen[taken[0]]
            best[row, 0], said[row, 0] = columns[row, group], sums[row, group]
    return best, said


@njit(cache=True, nogil=True)
def _first(wanted, level, size, taken, count):  # type: ignore[no-untyped-def]
    """The places of the first `wanted`: the highest level, then the largest size, then the lowest place."""
    used = np.zeros(count, dtype=np.bool_)
    for at in range(wanted):
        top = -1
        for place in range(count):
            if used[place]:
                continue
            if (
                top < 0
                or level[place] > level[top]
                or (level[place] == level[top] and size[place] > size[top])
            ):
                top = place
        used[top], taken[at] = True, top


@njit(cache=True, nogil=True)
def few(sums, top, material_share):  # type: ignore[no-untyped-def]
    """bool[n]: the rows where fewer than `top` groups have something to say."""
    n, groups = sums.shape
    rows = np.empty(n, dtype=np.bool_)
    for row in range(n):
        size, count = np.abs(sums[row]), 0
        least = material_share * size.sum()
        for group in range(groups):
            count += size[group] >= least and size[group] > 0.0
        rows[row] = count < top
    return rows


@njit(cache=True, nogil=True)
def weigh(matrix, plainness, details, silent, typical, near, as_usual):  # type: ignore[no-untyped-def]
    """[n, f]: how good a reason each value makes: plain, present, and unlike the typical one."""
    weights = np.empty(matrix.shape)
    for row in range(len(matrix)):
        for column in range(matrix.shape[1]):
            value = matrix[row, column]
            said = 1.0
            if np.isnan(value):
                said = silent[column]
            elif not details[column] and np.abs(value - typical[column]) <= near[column]:
                said = as_usual
            weights[row, column] = plainness[column] * said
    return weights


@njit(cache=True, nogil=True)
def reasons(  # type: ignore[no-untyped-def]
    matrix, contributions, plainness, details, silent, typical, near, as_usual, starts, members,
    side_starts, side_members, top, raising, material_share, nothing,
):  # fmt: skip
    """Columns, sums and values of the `top` reasons of each row, [n, top].

    Groups speak for themselves; where fewer than `top` have something to say, their sides do instead.
    """
    weights = weigh(matrix, plainness, details, silent, typical, near, as_usual)
    sums, chosen = choose(contributions, weights, starts, members)
    columns, said = order(sums, chosen, top, raising, material_share, nothing)
    poor = np.flatnonzero(few(sums, top, material_share))
    if len(poor):
        sums, chosen = choose(contributions[poor], weights[poor], side_starts, side_members)
        finer, more = order(sums, chosen, top, raising, material_share, nothing)
        columns[poor], said[poor] = finer, more
    values = np.full(columns.shape, np.nan)
    for row in range(len(columns)):
        for place in range(top):
            if columns[row, place] >= 0:
                values[row, place] = matrix[row, columns[row, place]]
    return columns, said, values

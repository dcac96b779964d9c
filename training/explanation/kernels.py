"""Ranked reasons from SHAP contributions: sums by group of columns, and the column that represents each.

Inputs: `matrix`, float64[n, f], feature values; `contributions`, float64[n, f + 1]; `ColumnWeights`, how good
a reason each column makes; `Groups` of columns by indicator, and by indicator and side.
Output: columns, sums and values of the `top` reasons of each row, [n, top]; column −1 where there is no more.
Invariant: a row alone gets the bits it gets in a batch.
Plain version: `tests.reference.chosen_reasons`; a test compares them.
Read on only to change the speed: compiled in one piece, one customer takes a third of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class ColumnWeights(NamedTuple):
    """How good a reason each column makes."""

    plainness: NDArray[np.float64]
    """float64[f]: how readily people understand the aggregate."""
    details: NDArray[np.bool_]
    """bool[f]: whether the number is the code of a detail."""
    missing: NDArray[np.float64]
    """float64[f]: the weight of a missing value."""
    typical: NDArray[np.float64]
    near: NDArray[np.float64]
    """float64[f]: how far from the typical value still counts as usual."""
    as_usual: float
    """The weight of a usual value."""
    same_above: NDArray[np.float64]
    same_below: NDArray[np.float64]
    """float64[f]: a value between the two is written as the typical one is, so that it is no reason."""


SAYS_NOTHING = -1.0
"""The weight of a column whose value is written as the typical one."""


class Groups(NamedTuple):
    """Group g is the columns `members[starts[g]:starts[g + 1]]`."""

    starts: NDArray[np.int64]
    members: NDArray[np.int64]


@njit(cache=True, nogil=True)
def choose(contributions, weights, of):  # type: ignore[no-untyped-def]
    """The sum of contributions of each group `of` columns, float64[n, g], and its column, int64[n, g].

    A group's column is the one with the largest rounded contribution in the direction of the sum, times its
    weight. A row alone is summed as in a batch. A column c is given as -2 - c where no column that pushes
    that way has something to say.
    """
    starts, members = of
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
            best_silent, silent = 0.0, -1
            for at in range(starts[group], starts[group + 1]):
                column = members[at]
                # Rounded, so that the fast and the exact explanation (equal within 1e-5) choose alike.
                score = sign * (np.rint(contributions[row, column] * 10_000.0) / 10_000.0)
                if score > 0.0:
                    if weights[row, column] < 0.0:
                        if score > best_silent:
                            best_silent, silent = score, column
                        continue
                    score *= weights[row, column]
                if score > best:
                    best, chosen = score, column
            sums[row, group], columns[row, group] = total, chosen
            if silent >= 0 and best <= 0.0:
                columns[row, group] = -2 - silent
    return sums, columns


@njit(cache=True, nogil=True)
def order(sums, columns, top, raising, material_share, nothing):  # type: ignore[no-untyped-def]
    """The sums and columns of the `top` groups of each row, [n, top]; -1 stands for no further group.

    What matters (`material_share` of a row's total) is taken before what does not, then by size; with
    `raising`, what raises is shown before what lowers. A sum below `nothing`, and a group that has nothing to
    say, is left out, but never all.
    """
    n, groups = sums.shape
    best, best_sums = np.full((n, top), -1, dtype=np.int64), np.zeros((n, top))
    taken = np.empty(groups, dtype=np.int64)
    for row in range(n):
        size = np.abs(sums[row])
        least = material_share * size.sum()
        level = np.zeros(groups, dtype=np.int64)
        for group in range(groups):
            if columns[row, group] < 0:
                level[group] = -1
            elif size[group] >= least and size[group] > 0.0:
                level[group] = 1
        count = min(top, groups)
        _first(count, level, size, taken, groups)
        chosen = taken[:count].copy()
        rises = np.array([1 if raising and sums[row, group] > 0.0 else 0 for group in chosen])
        _first(count, rises, size[chosen], taken, count)
        at = 0
        for place in taken[:count]:
            group = chosen[place]
            if size[group] >= nothing and columns[row, group] >= 0:
                best[row, at], best_sums[row, at] = columns[row, group], sums[row, group]
                at += 1
        if at == 0 and count > 0:
            group = chosen[taken[0]]
            column = columns[row, group]
            best[row, 0], best_sums[row, 0] = column if column >= 0 else -2 - column, sums[row, group]
    return best, best_sums


@njit(cache=True, nogil=True)
def _first(number, level, size, taken, count):  # type: ignore[no-untyped-def]
    """Writes the first `number` places to `taken`: by highest level, then largest size, then lowest place."""
    used = np.zeros(count, dtype=np.bool_)
    for at in range(number):
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
def few(sums, columns, top, material_share):  # type: ignore[no-untyped-def]
    """bool[n]: the rows where fewer than `top` groups with something to say have a material share of the
    contributions."""
    n, groups = sums.shape
    rows = np.empty(n, dtype=np.bool_)
    for row in range(n):
        size, count = np.abs(sums[row]), 0
        least = material_share * size.sum()
        for group in range(groups):
            count += size[group] >= least and size[group] > 0.0 and columns[row, group] >= 0
        rows[row] = count < top
    return rows


@njit(cache=True, nogil=True)
def weigh(matrix, of):  # type: ignore[no-untyped-def]
    """float64[n, f]: how good a reason each value makes: plain, present, and unlike the typical one.

    `SAYS_NOTHING` for one that is written as the typical one.
    """
    plainness, details, missing, typical, near, as_usual, same_above, same_below = of
    weights = np.empty(matrix.shape)
    for row in range(len(matrix)):
        for column in range(matrix.shape[1]):
            value = matrix[row, column]
            factor = 1.0
            if np.isnan(value):
                factor = missing[column]
            elif same_above[column] < value < same_below[column]:
                weights[row, column] = SAYS_NOTHING
                continue
            elif not details[column] and np.abs(value - typical[column]) <= near[column]:
                factor = as_usual
            weights[row, column] = plainness[column] * factor
    return weights


@njit(cache=True, nogil=True)
def reasons(  # type: ignore[no-untyped-def]
    matrix, contributions, column_weights, things, sides, top, raising, material_share, nothing
):
    """Columns, sums and values of the `top` reasons of each row, [n, top].

    One reason for each of the groups `things`; in rows where fewer than `top` of them are material, one for
    each of the finer groups `sides`.
    """
    weights = weigh(matrix, column_weights)
    sums, chosen = choose(contributions, weights, things)
    columns, column_sums = order(sums, chosen, top, raising, material_share, nothing)
    poor = np.flatnonzero(few(sums, chosen, top, material_share))
    if len(poor):
        sums, chosen = choose(contributions[poor], weights[poor], sides)
        finer, more = order(sums, chosen, top, raising, material_share, nothing)
        columns[poor], column_sums[poor] = finer, more
    values = np.full(columns.shape, np.nan)
    for row in range(len(columns)):
        for place in range(top):
            if columns[row, place] >= 0:
                values[row, place] = matrix[row, columns[row, place]]
    return columns, column_sums, values

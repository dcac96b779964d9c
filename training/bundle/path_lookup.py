"""Precomputed SHAP values for every decision path of small trees; explaining a row is a table lookup.

A path-dependent SHAP value (Lundberg et al. 2020, "From local explanations to global understanding with
explainable AI for trees") depends only on how a row answers the splits of a tree. A tree with seven splits
has at most 128 combinations of answers, so LightGBM computes each once, tree by tree; the contributions of a
row are the sums, over the trees, of the table rows under its answers.

The compiled part, `_look_up`. Inputs: `matrix`, float64[n, f]; `PathArrays`. Adds to float64[n, f + 1].
Invariant: a row gets the same bits alone, in a batch and on any number of threads, and LightGBM's own values
within rounding. Plain version: `booster.predict(pred_contrib=True)`; a test compares them.
Read on only to change the speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from training.bundle.row_threads import in_row_threads
from training.bundle.tree_inference import ZERO

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_SPLITS = 8
"""A tree with more splits has too many paths: 256 and more, times the trees."""


class _Split(NamedTuple):
    feature: int
    threshold: float
    missing_left: bool
    """Where a row goes that has no value."""


class PathArrays(NamedTuple):
    """The splits of all trees, and for every combination of answers what it adds to each contribution."""

    starts: Ints
    """int64[trees + 1]: the splits of tree t are those from `starts[t]` to `starts[t + 1]`."""
    features: Ints
    thresholds: Floats
    missing_left: NDArray[np.bool_]
    widths: Ints
    """int64[trees + 1]: the features that tree t reads are `read[widths[t]:widths[t + 1]]`."""
    read: Ints
    places: Ints
    """int64[trees]: where the table of tree t begins, float64[2 ** splits, features it reads]; the bits of
    the table row tell at which splits the answer is left."""
    tables: Floats


@dataclass(frozen=True, eq=False)
class PathTable:
    """SHAP values of a booster with small trees, looked up by decision path."""

    arrays: PathArrays
    base: float

    def __call__(self, matrix: Floats, threads: int = 0) -> Floats:
        """float64[n, f + 1]: the contributions of rows float64[n, f], then the base value.

        A row alone and in a batch gets the same bits, on any number of threads.
        """
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        contributions = np.zeros((len(rows), rows.shape[1] + 1))
        contributions[:, -1] = self.base
        in_row_threads(
            lambda part: _look_up(rows[part], self.arrays, contributions[part]), len(rows), threads
        )
        return contributions

    @staticmethod
    def of(booster: Booster) -> PathTable | None:
        """The table of a booster with one tree a round; None where a tree is too large or of another kind."""
        trees = []
        for tree in booster.dump_model()["tree_info"]:
            splits = list(_splits(tree["tree_structure"]))
            if len(splits) > MOST_SPLITS or None in splits:
                return None
            trees.append([split for split in splits if split is not None])
        width = booster.num_feature()
        read = [sorted({split.feature for split in tree}) for tree in trees]
        tables = [
            _path_values(booster, number, tree, mine)
            for number, (tree, mine) in enumerate(zip(trees, read, strict=True))
        ]
        every = [split for tree in trees for split in tree]
        sizes = np.cumsum([0, *(table.size for table in tables)])
        arrays = PathArrays(
            starts=np.cumsum([0, *map(len, trees)]),
            features=np.array([split.feature for split in every], dtype=np.int64),
            thresholds=np.array([split.threshold for split in every]),
            missing_left=np.array([split.missing_left for split in every], dtype=np.bool_),
            widths=np.cumsum([0, *map(len, read)]),
            read=np.array([feature for mine in read for feature in mine], dtype=np.int64),
            places=sizes[:-1],
            tables=np.concatenate([np.empty(0), *(table.ravel() for table in tables)]),
        )
        base = booster.predict(np.zeros((1, width)), pred_contrib=True, num_threads=1)[0, -1]
        return PathTable(arrays, float(base))


def _splits(node: Mapping[str, Any]) -> Iterator[_Split | None]:
    """The splits of a tree; None for one that is not answered by a threshold, or treats zero as missing."""
    if "split_feature" not in node:
        return
    missing = node["missing_type"]
    if node["decision_type"] != "<=" or missing not in ("None", "NaN"):
        yield None
    else:
        # Where no value was missing in training, LightGBM takes a missing one for zero.
        left = node["default_left"] if missing == "NaN" else node["threshold"] >= 0.0
        threshold = float(node["threshold"])
        yield _Split(node["split_feature"], _ANY if threshold >= 1e300 else threshold, bool(left))
    yield from _splits(node["left_child"])
    yield from _splits(node["right_child"])


def _path_values(booster: Booster, number: int, splits: list[_Split], read: list[int]) -> Floats:
    """float64[2 ** splits, features]: what one tree adds for each combination of answers, NaN for those that
    no row can give."""
    if not splits:
        return np.zeros((1, 0))
    values = []
    for feature in read:
        at = np.unique([split.threshold for split in splits if split.feature == feature])
        # Well inside what lies between two thresholds: LightGBM takes what is nearly zero for zero.
        inside = [_between(low, high) for low, high in pairwise([min(at[0], 1e200) - 1.0, *at])]
        above = [] if at[-1] == _ANY else [max(at[-1] + 1.0, np.nextafter(at[-1], np.inf))]
        values.append([*inside, *above, np.nan])
    made = np.array(np.meshgrid(*values, indexing="ij")).reshape(len(read), -1).T
    paths = np.zeros(len(made), dtype=np.int64)
    for bit, split in enumerate(splits):
        value = made[:, read.index(split.feature)]
        paths |= (
            np.where(np.isnan(value), split.missing_left, value <= split.threshold).astype(np.int64) << bit
        )
    paths, chosen = np.unique(paths, return_index=True)
    rows = np.zeros((len(chosen), booster.num_feature()))
    rows[:, read] = made[chosen]
    contributions = booster.predict(
        rows, pred_contrib=True, start_iteration=number, num_iteration=1, num_threads=1
    )
    table = np.full((2 ** len(splits), len(read)), np.nan)
    table[paths] = np.asarray(contributions)[:, read]
    return table


def _between(low: float, high: float) -> float:
    """A value above `low` and not above `high`."""
    middle = low / 2 + min(high, 1e200) / 2
    return middle if low < middle <= high else high


_ANY = np.inf
"""The threshold of a split between any value and none, which LightGBM writes as 1e300."""
_ROWS_AT_ONCE = 64
"""Rows that go through a tree together: its table stays in the processor's cache."""


@numba.njit(cache=True, nogil=True)
def _look_up(matrix, arrays, contributions):  # type: ignore[no-untyped-def]
    starts, features, thresholds, missing_left, widths, read, places, tables = arrays
    for begin in range(0, len(matrix), _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, len(matrix))
        for tree in range(len(places)):
            width = widths[tree + 1] - widths[tree]
            for row in range(begin, end):
                path = 0
                for split in range(starts[tree], starts[tree + 1]):
                    value = matrix[row, features[split]]
                    if abs(value) <= ZERO:
                        value = 0.0
                    left = missing_left[split] if np.isnan(value) else value <= thresholds[split]
                    path |= left << (split - starts[tree])
                place = places[tree] + path * width
                for column in range(width):
                    contributions[row, read[widths[tree] + column]] += tables[place + column]

"""Tree inference for one row: the trees of several LightGBM boosters in flat arrays, predicted in one call.

A customer online is one row, and with one row LightGBM spends its time fetching its trees from memory. Here
the splits of all models lie together, sixteen bytes each.

The compiled part, `predict_row`. Inputs: `row`, float64[f]; `TreeArrays`. Output: the predictions of all
boosters, float64. Invariant: LightGBM's own bits: the same comparisons, and leaves added in the same order;
generated rows are compared before the first use (`is_lightgbm`). Plain version: `booster.predict`; tests
compare them.
Read on only to change the speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from training.bundle.single_row import Kind

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]

SPLIT = np.dtype(
    [("threshold", "f8"), ("feature", "i2"), ("left", "i2"), ("right", "i2"), ("missing_left", "?")],
    align=True,
)
"""A child below zero is a leaf, counted backwards from -1."""
LARGEST = 2**15 - 1
EXAMPLES = 256

ZERO = float(np.float32(1e-35))
"""What LightGBM takes for zero."""
_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 2
"""In a split's `decision_type`: two bits, and the place of the two that say what counts as missing."""
_NONE, _NAN = 0, 2
_PLAIN, _EXP, _SOFTMAX = range(3)
_FINISH = {"regression": _PLAIN, "tweedie": _EXP, "multiclass": _SOFTMAX}


class _OfAnotherKind(Exception):
    """A tree that is not made of thresholds alone, or is too large."""


class TreeArrays(NamedTuple):
    """The trees of boosters of one width, one after the other."""

    trees: NDArray[np.int64]
    """int64[trees, 3]: where a tree's splits and leaves begin, and the output it adds to; a tree of one leaf
    has a split that goes there either way."""
    splits: NDArray[np.void]
    leaves: Floats
    boosters: NDArray[np.int64]
    """int64[boosters, 2]: where the outputs of each end, and how they are transformed."""


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """Boosters of one width that predict one row at a time."""

    arrays: TreeArrays

    def __call__(self, row: Floats) -> list[Floats]:
        """The prediction of each booster, float64[k], for a row float64[f]."""
        outputs = predict_row(row, self.arrays)
        ends = self.arrays.boosters[:, 0].tolist()
        return [outputs[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    @staticmethod
    def of(boosters: Sequence[tuple[Booster, Kind]]) -> TreeEnsemble | None:
        """The trees of these boosters, each with the kind of prediction to make.

        None where one is of another kind, or where it does not answer as LightGBM does.
        """
        trees, splits, leaves = [], [], []
        ends = list(accumulate(booster.num_model_per_iteration() for booster, _ in boosters))
        try:
            finish = [_transformation(booster, kind) for booster, kind in boosters]
            at = [0, 0]
            for (booster, _), end in zip(boosters, ends, strict=True):
                width = booster.num_model_per_iteration()
                for number, text in enumerate(booster.model_to_string().split("\nTree=")[1:]):
                    mine, values = _tree(text)
                    trees.append((*at, end - width + number % width))
                    at = [at[0] + len(mine), at[1] + len(values)]
                    splits.append(mine)
                    leaves.append(values)
        except _OfAnotherKind:
            return None
        arrays = TreeArrays(
            np.array(trees, dtype=np.int64).reshape(-1, 3),
            np.concatenate([np.empty(0, SPLIT), *splits]),
            np.concatenate([np.empty(0), *leaves]),
            np.column_stack([ends, finish]).astype(np.int64),
        )
        ensemble = TreeEnsemble(arrays)
        return ensemble if ensemble.is_lightgbm(boosters) else None

    def is_lightgbm(self, boosters: Sequence[tuple[Booster, Kind]]) -> bool:
        """Whether generated rows get the bits of LightGBM's own predictions."""
        if not boosters:
            return True
        width = boosters[0][0].num_feature()
        rows = sample_rows(self.arrays.splits["feature"], self.arrays.splits["threshold"], EXAMPLES, width)
        outputs = np.array([np.concatenate(self(row)) for row in rows])
        exact = [booster.predict(rows, raw_score=kind == "raw", num_threads=1) for booster, kind in boosters]
        whole = np.column_stack([np.asarray(one).reshape(EXAMPLES, -1) for one in exact])
        return outputs.tobytes() == whole.tobytes()


def sample_rows(features: NDArray[Any], thresholds: Floats, rows: int, width: int) -> Floats:
    """float64[rows, width]: rows that go many ways, with values at, just above and far from the thresholds of
    their features, and with none."""
    draw = np.random.default_rng(0)
    made = np.full((rows, width), np.nan)
    for feature in np.unique(features):
        at = thresholds[(features == feature) & np.isfinite(thresholds)]
        values = np.r_[at, np.nextafter(at, np.inf), at - 1.0, at + 1.0, 0.0, np.nan]
        made[:, feature] = draw.choice(values, rows)
    return made


def _transformation(booster: Booster, kind: Kind) -> int:
    """How LightGBM transforms the raw scores of a booster."""
    objective = booster.dump_model(num_iteration=1)["objective"].partition(" ")[0]
    if kind == "raw":
        return _PLAIN
    if kind == "normal" and objective in _FINISH:
        return _FINISH[objective]
    raise _OfAnotherKind


def _tree(text: str) -> tuple[NDArray[np.void], Floats]:
    """The splits and leaves of a tree as LightGBM writes it."""
    entries = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)

    def numbers(name: str) -> Floats:
        return np.array([float(word) for word in entries.get(name, "").split()])

    leaves = numbers("leaf_value")
    if entries["num_cat"] != "0" or entries.get("is_linear", "0") != "0" or len(leaves) > LARGEST:
        raise _OfAnotherKind
    splits = np.zeros(max(1, len(leaves) - 1), SPLIT)
    if len(leaves) == 1:
        splits["left"] = splits["right"] = -1
        return splits, leaves
    kinds, features = numbers("decision_type").astype(np.int64), numbers("split_feature")
    missing = kinds >> _MISSING
    if (kinds & _CATEGORICAL).any() or not np.isin(missing, (_NONE, _NAN)).all() or features.max() > LARGEST:
        raise _OfAnotherKind
    splits["threshold"], splits["feature"] = numbers("threshold"), features
    splits["left"], splits["right"] = numbers("left_child"), numbers("right_child")
    # Where no value was missing in training, LightGBM takes a missing one for zero.
    splits["missing_left"] = np.where(
        missing == _NAN, (kinds & _DEFAULT_LEFT) > 0, splits["threshold"] >= 0.0
    )
    return splits, leaves


@numba.njit(cache=True, nogil=True)
def predict_row(row, arrays):  # type: ignore[no-untyped-def]
    """The predictions of all boosters for a row; compiled kernels call it too."""
    trees, splits, leaves, boosters = arrays
    values = np.empty(len(row))
    for at in range(len(row)):
        values[at] = 0.0 if abs(row[at]) <= ZERO else row[at]
    outputs = np.zeros(boosters[-1, 0])
    for tree in range(len(trees)):
        first, node = trees[tree, 0], 0
        while node >= 0:
            split = splits[first + node]
            value = values[split.feature]
            left = value <= split.threshold or (split.missing_left and np.isnan(value))
            node = split.left if left else split.right
        outputs[trees[tree, 2]] += leaves[trees[tree, 1] + ~node]
    begin = 0
    for booster in range(len(boosters)):
        end, finish = boosters[booster]
        if finish in (_EXP, _SOFTMAX):
            largest = outputs[begin:end].max() if finish == _SOFTMAX else 0.0
            total = 0.0
            for at in range(begin, end):
                outputs[at] = np.exp(outputs[at] - largest)
                total += outputs[at]
            if finish == _SOFTMAX:
                for at in range(begin, end):
                    outputs[at] /= total
        begin = end
    return outputs

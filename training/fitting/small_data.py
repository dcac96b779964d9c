"""The churn model for little data: its shape is chosen by cross-validation, and stays near a baseline.

Below `CHOSEN_BELOW` customers who left, or who stayed, four shapes are tried on folds of customers: a mixture
of trees, logistic regression on RFM and buy till you die; strongly regularised trees; half trees as always,
half the regression; and trees as always. A later one must be better by more than the standard error. All are
LightGBM texts, so that all that follows (bundle, exact contributions, service) knows one kind of model: a
regression is a sum over columns, and so are trees of one split each, which are grown until they repeat it.
The regression on normal scores is blended with every one of them, as it is with plenty of data.

Learned from 150, 600 and 1,500 customers of five histories of purchases (two draws each, ten dates), the
mixture had a mean log loss, with the level set right, of .3919, .3899 and .3878 where half and half had
.3968, .3913 and .3884, regularised trees .4119, .3973 and .3904, and the bare regression .4051, .4009 and
.3995.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from training.data.customer_hashes import first_by_hash, shuffled_by_customer
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.baselines import rfm_margin, silence_margin
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn, fit_margin
from training.fitting.normal_scores import fit_score_regression
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Shape = Literal["mixture", "held", "blend", "trees"]
Part = Literal["trees", "held", "regression", "silence"]

SHAPES: tuple[Shape, ...] = ("mixture", "held", "blend", "trees")
"""What to begin with first. Bundles name the shape, so `held` stays the name of regularised trees."""
PARTS: Mapping[Shape, tuple[Part, ...]] = {
    "mixture": ("trees", "regression", "silence"),
    "held": ("held",),
    "blend": ("trees", "regression"),
    "trees": ("trees",),
}
"""What each shape is the mean of, in log-odds."""
PARTS_TRIED: tuple[Part, ...] = ("trees", "held", "regression", "silence")
CHOSEN_BELOW = 1_000
"""Customers who left, and who stayed: with fewer of either the shape is chosen."""
FOLDS = 5
MOST_ROWS = 5_000
"""Rows that the choice is made on."""


def fit_shape_of(
    shape: Shape,
    settings: TreeParameters,
    known: LabelledRows,
    catalog: Catalog,
    churn: Churn,
    *,
    levels: bool = True,
    binned: BinnedRows | None = None,
) -> Booster:
    """The churn model of this shape; its trees begin from the `levels` of the as-of dates."""
    parts = [
        fit_part(part, settings, known, catalog, churn, levels=levels, binned=binned) for part in PARTS[shape]
    ]
    return mean_of([part for part in parts if part is not None])


def fit_part(
    part: Part,
    settings: TreeParameters,
    known: LabelledRows,
    catalog: Catalog,
    churn: Churn,
    *,
    levels: bool = True,
    binned: BinnedRows | None = None,
) -> Booster | None:
    """One part of a churn model; None for buy till you die where it can say nothing."""
    dates = known.as_of if levels else None
    if part in ("trees", "held"):
        binned = binned or BinnedRows.of(settings, known)
    if part == "trees" and binned is not None:
        return fit_churn(settings, binned, known.churned, dates, known.weight)
    if part == "held" and binned is not None:
        regularised = replace(
            settings, trees=max(1, settings.trees // 2), leaves=4, depth=2, ridge=10 * settings.ridge
        )
        return fit_churn(regularised, binned, known.churned, dates, known.weight)
    found = silence_margin(known, catalog, churn) if part == "silence" else rfm_margin(known, catalog, churn)
    return None if found is None else fit_margin(settings, known.matrix, *found, known.columns)


def mean_of(models: Sequence[Booster]) -> Booster:
    """The model whose log-odds are the mean of several: the trees of all, with leaves so much smaller.

    Objective and parameters are the first's.
    """
    if len(models) == 1:
        return models[0]
    texts = [model.model_to_string() for model in models]
    trees = [tree for text in texts for tree in text.partition("end of trees")[0].split("\nTree=")[1:]]

    def smaller(values: re.Match[str]) -> str:
        return " ".join(repr(float(value) / len(models)) for value in values[0].split())

    bodies = (_LEAVES.sub(smaller, tree.partition("\n")[2]).strip() for tree in trees)
    head = texts[0].partition("tree_sizes=")[0]  # the sizes are optional
    foot = texts[0].partition("end of trees")[2]
    numbered = "".join(f"Tree={number}\n{body}\n\n\n" for number, body in enumerate(bodies))
    return Booster(model_str=f"{head}\n{numbered}end of trees{foot}")


_LEAVES = re.compile(r"(?<=^leaf_value=).*$", re.MULTILINE)


def choose_shape(
    settings: TreeParameters, rows: LabelledRows, catalog: Catalog, churn: Churn
) -> tuple[Shape, dict[str, float]]:
    """The shape with the lowest log loss on customers it did not learn from, and each one's log loss."""
    few = rows.where(first_by_hash(rows.hashes, rows.as_of, MOST_ROWS))
    fold = shuffled_by_customer(few.hashes) % np.uint64(FOLDS)
    losses: dict[Shape, Floats] = {shape: np.full(len(few), np.nan) for shape in SHAPES}
    weight = np.ones(len(few)) if few.weight is None else few.weight / few.weight.mean()
    for one in np.unique(fold):
        known, held_out = few.where(fold != one), few.where(fold == one)
        if known.churned.all() or not known.churned.any():
            continue
        margins: dict[Part, Floats] = {}
        binned, asked = BinnedRows.of(settings, known), held_out.matrix
        for part in PARTS_TRIED:
            model = fit_part(part, settings, known, catalog, churn, binned=binned)
            if model is not None:
                margins[part] = model.predict(asked, raw_score=True, num_threads=settings.threads)
        regression = fit_score_regression(known)
        for shape, parts in PARTS.items():
            if not margins.keys() >= {*parts}:
                continue  # without buy till you die the mixture is the blend
            margin = regression.blend(np.mean([margins[part] for part in parts], axis=0), asked)
            loss = np.logaddexp(0.0, np.where(held_out.churned, -margin, margin))
            losses[shape][fold == one] = loss * weight[fold == one]
    tried = [shape for shape in SHAPES if not np.isnan(losses[shape]).all()]
    best = tried[0] if tried else SHAPES[1]
    for shape in tried[1:]:
        if _better(losses, shape, best, few.keys):
            best = shape
    return best, {
        shape: float(np.nanmean(each)) for shape, each in losses.items() if not np.isnan(each).all()
    }


def _better(losses: Mapping[Shape, Floats], shape: Shape, than: Shape, keys: NDArray[np.int64]) -> bool:
    gain = losses[than] - losses[shape]
    comparable = ~np.isnan(gain)
    each = np.bincount(np.unique(keys[comparable], return_inverse=True)[1], gain[comparable])
    return bool(each.sum() > np.sqrt((each**2).sum()))

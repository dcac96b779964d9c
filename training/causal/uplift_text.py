"""Uplift models as text: JSON with the code book and the regressions, and LightGBM's text of the trees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.errors import ModelError
from training.causal.uplift_features import CodeBook, TextLevels
from training.causal.uplift_models import OutcomeRegression, UpliftModel

MODEL, TREES = "uplift_model.json", "uplift_trees.txt"
_VERSION = 1
_ARRAYS = ("centre", "spread", "weights", "missing")


@dataclass(frozen=True, eq=False)
class StoredUplift:
    """What scores a customer: how columns become features, and the model of the outcome."""

    outcome: str
    book: CodeBook
    model: UpliftModel


def to_texts(stored: StoredUplift) -> dict[str, str]:
    """The files of a model by name; the same model gives the same text."""
    book, model = stored.book, stored.model
    about = {
        "version": _VERSION,
        "outcome": stored.outcome,
        "numbers": book.numbers,
        "texts": [{"name": one.name, "levels": one.levels, "missing": one.missing} for one in book.texts],
        "ignored": book.ignored,
        "treatment": _regression_fields(model.treatment),
        "control": _regression_fields(model.control),
    }
    text = json.dumps(about, ensure_ascii=False, indent=1)
    return {MODEL: text + "\n", TREES: model.trees.model_to_string()}


def of_texts(texts: Mapping[str, str]) -> StoredUplift:
    """The model of its files; raises `ModelError` where they are incomplete or damaged."""
    import lightgbm

    try:
        about = json.loads(texts[MODEL])
        if about["version"] != _VERSION:
            raise ValueError(about["version"])
        levels = tuple(
            TextLevels(one["name"], tuple(one["levels"]), one["missing"]) for one in about["texts"]
        )
        book = CodeBook(tuple(about["numbers"]), levels, tuple(about["ignored"]))
        treatment, control = (_regression(about[arm]) for arm in ("treatment", "control"))
        trees = lightgbm.Booster(model_str=texts[TREES])
        if not trees.num_feature() == len(treatment.weights) == len(control.weights) == len(book.columns):
            raise ValueError(trees.num_feature())
    except (KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError):
        raise ModelError(
            f"cannot read the uplift model: {MODEL} or {TREES} is missing, damaged or of another version. "
            "Run `kizuna campaign learn` again."
        ) from None
    return StoredUplift(about["outcome"], book, UpliftModel(treatment, control, trees))


def _regression_fields(one: OutcomeRegression) -> dict[str, list[float] | float | bool]:
    arrays = {name: getattr(one, name).tolist() for name in _ARRAYS}
    return {**arrays, "level": one.level, "logistic": one.logistic}


def _regression(about: Mapping[str, list[float] | float | bool]) -> OutcomeRegression:
    arrays = {name: np.asarray(about[name], dtype=np.float64) for name in _ARRAYS}
    return OutcomeRegression(**arrays, level=float(about["level"]), logistic=bool(about["logistic"]))  # type: ignore[arg-type]

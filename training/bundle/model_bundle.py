"""The model bundle: everything needed to score, frozen at training time and stored as text.

A bundle is a folder: `bundle.json`, which holds the regression that is blended with the churn trees, one
LightGBM text for each model, and `checksums.txt` in the manner of sha256sum. The same content gives the same
bytes on every machine; a changed byte is found on loading.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.snapshot import Priors
from features.errors import ModelError
from training.bundle.bundle_files import CHECKSUMS, FACTS, Damage, checksums, sha256, verified
from training.bundle.calibration import Calibration
from training.bundle.level_uncertainty import LevelUncertainty
from training.bundle.lifetime.lifetime_model import EXPECTED, LifetimeModel
from training.bundle.light_imports import without_pandas_and_sklearn
from training.bundle.lightgbm_models import LightGBMModels, column_slots
from training.bundle.score_regression import ScoreRegression
from training.bundle.shap_values import Explainer
from training.bundle.single_row import Kind, SingleRowPredictor
from training.bundle.tiers import TierScale
from training.bundle.tree_inference import TreeEnsemble
from training.labels.settings import Churn

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]

FORMAT = 4
LIFETIME = "lifetime.txt"
TRAIN_AGAIN = "Train again with `kizuna train`."
FEW_ROWS = 500
"""Below this, starting LightGBM's threads costs more than they save."""


@dataclass(frozen=True)
class Predictions:
    """What a bundle says about n customers; row i of every array is row i of the matrix."""

    churn_probability: Floats
    """[n], calibrated, strictly between 0 and 1."""
    tier_probabilities: Floats
    """[n, k], the tier of the next period, lowest tier first."""
    expected_value: Floats | None
    """[n], spend over the horizon of a customer who stays; None without amounts."""
    margin: Floats
    """[n], log-odds before calibration: what the contributions of a row sum to."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """Definitions, priors, models, calibration, and where they came from. Equal where every byte is."""

    timezone: str
    catalog: Catalog
    priors: Priors
    churn: Churn
    tiers: TierScale
    models: LightGBMModels
    calibration: Calibration
    level: LevelUncertainty
    typical: Mapping[str, float]
    base_rate: float
    value_scale: float
    evidence: Literal["normal", "low"]
    trained_until: int
    labelled_until: int
    data_version: str
    code_version: str
    settings: Mapping[str, Any]
    figures: Mapping[str, float]
    lifetime: LifetimeModel | None = None
    """None without amounts, or where too few customers came back."""

    def __post_init__(self) -> None:
        keep = self.models
        tidy = LightGBMModels(
            canonical(keep.churn), canonical(keep.tier), keep.value and canonical(keep.value), keep.regression
        )
        object.__setattr__(self, "models", tidy)
        for name in ("typical", "figures"):
            finite = {key: float(x) for key, x in sorted(getattr(self, name).items()) if math.isfinite(x)}
            object.__setattr__(self, name, finite)

    @cached_property
    def scored_catalog(self) -> Catalog:
        """The columns of the models, and those of lifetime value at the end."""
        return self.catalog if self.lifetime is None else self.lifetime.beside(self.catalog)

    @property
    def contacts(self) -> Literal["as_they_were", "without_contact"]:
        """What was learned: the risk with the contacts that were made, or if no campaign contacts anybody."""
        return "without_contact" if "without_contact" in self.settings else "as_they_were"

    def predict(self, matrix: Floats, *, threads: int = 0) -> Predictions:
        """What the models say about rows in the catalogue's column order; float64[n, f], NaN says nothing.

        A row alone and the same row in a batch give the same bits. `threads=0` uses every core.
        """
        rows = self._checked(matrix)
        if len(rows) == 1:
            return self._one(rows[0])
        threads = 1 if len(rows) < FEW_ROWS else threads
        trees = self._boosters["churn"].predict(rows, raw_score=True, num_threads=threads)
        margin = self._margin(trees, rows, threads)
        value = self._boosters.get("value")
        return Predictions(
            churn_probability=self.calibration(_logistic(margin)),
            tier_probabilities=self._boosters["tier"].predict(rows, num_threads=threads),
            expected_value=None
            if value is None
            else value.predict(rows, num_threads=threads) * self.value_scale,
            margin=margin,
        )

    def _one(self, row: Floats) -> Predictions:
        trees, tiers, *value = self._single(row)
        margin = self._margin(trees, row[None, :], 1)
        return Predictions(
            churn_probability=self.calibration(_logistic(margin)),
            tier_probabilities=tiers[None, :],
            expected_value=value[0] * self.value_scale if value else None,
            margin=margin,
        )

    def _margin(self, trees: Floats, rows: Floats, threads: int) -> Floats:
        """float64[n]: the log-odds of the churn model, from those of its trees."""
        regression = self.models.regression
        return trees if regression is None else regression.blend(trees, rows, threads)

    @cached_property
    def _single(self) -> Callable[[Floats], list[Floats]]:
        """What each model says of one row, in the order of the models."""
        kinds: dict[str, Kind] = {"churn": "raw", "tier": "normal", "value": "normal"}
        models = [(booster, kinds[name]) for name, booster in self._boosters.items()]
        forest = TreeEnsemble.of(models)
        if forest is not None:
            return forest
        alone = [SingleRowPredictor(booster, kind) for booster, kind in models]
        return lambda row: [one(row) for one in alone]

    def contributions(self, matrix: Floats, *, threads: int = 0) -> Floats:
        """float64[n, f + 1]: what each feature adds to a row's log-odds, then the base value."""
        return self.explainer(self._checked(matrix), threads=threads)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """bool[f]: which columns the churn model reads."""
        read: NDArray[np.bool_] = self._boosters["churn"].feature_importance("split") > 0
        if self.models.regression is not None:
            read[self.models.regression.places] = True
        return read

    @cached_property
    def explainer(self) -> Explainer:
        """The exact SHAP values of the churn model."""
        return Explainer(self._boosters["churn"], self.models.regression)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bundle) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any byte of the bundle."""
        return sha256(checksums(self.files).encode())[:12]

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The bundle as text: file name → content, without the checksums."""
        models = {f"{name}.txt": text for name, text in self._texts.items()}
        if self.lifetime is not None and self.lifetime.learned is not None:
            models[LIFETIME] = self.lifetime.learned
        facts = {
            "format": FORMAT,
            "models": sorted(models),
            "timezone": self.timezone,
            "catalog": self.catalog.to_json(),
            "priors": self.priors.to_json(),
            "churn": self.churn.to_json(),
            "tiers": self.tiers.to_json(),
            "regression": self.models.regression and self.models.regression.to_json(),
            "calibration": self.calibration.to_json(),
            "level": self.level.to_json(),
            "typical": self.typical,
            "base_rate": self.base_rate,
            "value_scale": self.value_scale,
            "evidence": self.evidence,
            "trained_until": self.trained_until,
            "labelled_until": self.labelled_until,
            "data_version": self.data_version,
            "code_version": self.code_version,
            "settings": self.settings,
            "figures": self.figures,
            "lifetime": self.lifetime and self.lifetime.to_json(),
        }
        text = json.dumps(facts, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return {FACTS: text} | models

    def save(self, folder: Path) -> None:
        """Write the bundle as this folder, replacing what was there in one step."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        fresh, old = temporary / "new", temporary / "old"
        try:
            fresh.mkdir()
            for name, content in {**self.files, CHECKSUMS: checksums(self.files)}.items():
                (fresh / name).write_bytes(content.encode())
            if folder.exists():
                os.replace(folder, old)
            os.replace(fresh, folder)
        finally:
            shutil.rmtree(temporary)

    @staticmethod
    def load(folder: Path, *, remedy: str = TRAIN_AGAIN) -> Bundle:
        """The bundle of this folder, after every byte of it has been checked.

        Raises `ModelError`, which ends with the remedy where the bundle is damaged.
        """
        try:
            return Bundle._read(folder)
        except Damage as damage:
            raise ModelError(f"the bundle at {folder} is damaged: {damage}. {remedy}") from None

    @staticmethod
    def _read(folder: Path) -> Bundle:
        files = verified(folder)
        facts = json.loads(files[FACTS])
        if facts["format"] != FORMAT:
            raise ModelError(
                f"cannot read the bundle at {folder}: it has format {facts['format']}, and this version of "
                f"kizuna reads format {FORMAT}. {TRAIN_AGAIN}"
            )
        for name in sorted({FACTS, *facts["models"]} ^ set(files)):
            missing, other = (CHECKSUMS, FACTS) if name not in files else (FACTS, CHECKSUMS)
            raise Damage(f"{missing} does not name {name}, and {other} does")
        read: dict[str, Any] = {
            "catalog": Catalog.from_json,
            "priors": Priors.from_json,
            "churn": Churn.from_json,
            "tiers": TierScale.from_json,
            "calibration": Calibration.from_json,
            "level": LevelUncertainty.from_json,
        }
        content = {key: read[key](value) if key in read else value for key, value in facts.items()}
        del content["format"], content["models"]
        regression, lifetime = content.pop("regression"), content.pop("lifetime")
        bundle = Bundle(
            models=LightGBMModels(
                files["churn.txt"],
                files["tier.txt"],
                files.get("value.txt"),
                regression and ScoreRegression.from_json(regression),
            ),
            lifetime=lifetime and LifetimeModel.from_json(lifetime, files.get(LIFETIME)),
            **content,
        )
        columns = bundle.catalog.columns
        expected = [(name, text, columns) for name, text in bundle._texts.items()]
        expected += [("lifetime", files[one], (*columns, EXPECTED)) for one in files if one == LIFETIME]
        for name, text, known in expected:
            listed = next((line for line in text.splitlines() if line.startswith("feature_names=")), "=")
            if tuple(listed.partition("=")[2].split()) != column_slots(known):
                raise Damage(f"the features of {name}.txt are not those of its catalogue, in order")
        return bundle

    @property
    def _texts(self) -> dict[str, str]:
        texts = {"churn": self.models.churn, "tier": self.models.tier, "value": self.models.value}
        return {name: text for name, text in texts.items() if text is not None}

    @cached_property
    def _boosters(self) -> dict[str, Booster]:
        with without_pandas_and_sklearn():
            from lightgbm import Booster  # reading a bundle's words needs no LightGBM

        return {name: Booster(model_str=text) for name, text in self._texts.items()}

    def _checked(self, matrix: Floats) -> Floats:
        expected = len(self.catalog.columns)
        if matrix.ndim != 2 or matrix.shape[1] != expected:
            raise ModelError(
                f"cannot score a matrix of shape {matrix.shape}: this bundle needs {expected} columns. "
                "Make the rows with the catalogue of the bundle."
            )
        return np.ascontiguousarray(matrix, dtype=np.float64)


def canonical(model: str) -> str:
    """LightGBM's text without what depends on the machine: its training parameters, which no answer needs."""
    trees, _, _ = model.partition("\nparameters:\n")
    return trees.rstrip("\n") + "\n"


def _logistic(margin: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-margin))

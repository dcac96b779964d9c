"""The trees in flat arrays say what LightGBM says, bit for bit, and leave what they do not know to it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from tests.training.bundle.test_single_row import grown
from training.bundle.single_row import Kind
from training.bundle.tree_inference import TreeEnsemble


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    chance = np.random.default_rng(5)
    rows = np.round(chance.normal(size=(600, 12)), 2)
    rows[chance.random(rows.shape) < 0.2] = np.nan
    rows[chance.random(rows.shape) < 0.05] = 1e-36
    return rows


KINDS: tuple[tuple[str, Kind], ...] = (("binary", "raw"), ("multiclass", "normal"), ("tweedie", "normal"))


@pytest.mark.parametrize("missing", [True, False])
def test_one_row_through_all_models_is_lightgbm(matrix: np.ndarray, missing: bool) -> None:
    learned = matrix if missing else np.nan_to_num(matrix)
    boosters = [(grown(learned, objective), kind) for objective, kind in KINDS]
    forest = TreeEnsemble.of(boosters)
    assert forest is not None
    said = list(map(forest, matrix))
    for at, (booster, kind) in enumerate(boosters):
        many = np.asarray(booster.predict(matrix, raw_score=kind == "raw", num_threads=1))
        assert np.array([one[at] for one in said]).tobytes() == many.tobytes()


def test_a_model_without_a_split_says_its_constant(matrix: np.ndarray) -> None:
    constant = grown(np.zeros_like(matrix), "binary")
    forest = TreeEnsemble.of([(constant, "raw")])
    assert forest is not None
    assert forest(matrix[0])[0].tobytes() == constant.predict(matrix[:1], raw_score=True).tobytes()


def test_categories_and_other_transformations_are_left_to_lightgbm(matrix: np.ndarray) -> None:
    whole = np.abs(np.nan_to_num(matrix) * 3).round()
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 1}
    data = lightgbm.Dataset(whole, whole[:, 0] % 2, categorical_feature=[0])
    by_category = lightgbm.train(settings, data, 5)
    assert "num_cat=1" in by_category.model_to_string()
    assert TreeEnsemble.of([(by_category, "raw")]) is None
    assert TreeEnsemble.of([(grown(matrix, "binary"), "normal")]) is None
    assert TreeEnsemble.of([(grown(matrix, "binary"), "contributions")]) is None


def test_one_other_last_digit_is_noticed(matrix: np.ndarray) -> None:
    boosters: list[tuple[lightgbm.Booster, Kind]] = [(grown(matrix, "binary"), "raw")]
    forest = TreeEnsemble.of(boosters)
    assert forest is not None
    assert forest.is_lightgbm(boosters)
    arrays = forest.arrays
    next_digit = arrays._replace(leaves=np.nextafter(arrays.leaves, np.inf))
    assert not TreeEnsemble(next_digit).is_lightgbm(boosters)
    other_side = arrays.splits.copy()
    other_side["missing_left"] ^= True
    assert not TreeEnsemble(arrays._replace(splits=other_side)).is_lightgbm(boosters)

"""LightGBM for one row says what it says for many, bit for bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import pytest

from training.bundle.single_row import Kind, SingleRowPredictor

HOW: dict[Kind, dict[str, bool]] = {
    "normal": {},
    "raw": {"raw_score": True},
    "contributions": {"pred_contrib": True},
}


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(400, 12))
    rows[chance.random(rows.shape) < 0.2] = np.nan
    return rows


def grown(matrix: np.ndarray, objective: str) -> lightgbm.Booster:
    """A model of 30 trees, read back from its text as a bundle's are."""
    chance = np.random.default_rng(4)
    label = (
        chance.integers(0, 3, len(matrix)) if objective == "multiclass" else chance.random(len(matrix)) > 0.6
    )
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, "seed": 1}
    more = {"num_class": 3} if objective == "multiclass" else {}
    trained = lightgbm.train(settings | more, lightgbm.Dataset(matrix, label.astype(float)), 30)
    return lightgbm.Booster(model_str=trained.model_to_string())


@pytest.mark.parametrize("kind", list(HOW))
@pytest.mark.parametrize("objective", ["binary", "multiclass", "tweedie"])
def test_a_row_alone_is_the_row_among_many(matrix: np.ndarray, objective: str, kind: Kind) -> None:
    booster = grown(matrix, objective)
    many = booster.predict(matrix, num_threads=1, **HOW[kind]).reshape(len(matrix), -1)
    one = SingleRowPredictor(booster, kind)
    assert np.array([one(row) for row in matrix]).tobytes() == many.tobytes()


def test_threads_do_not_mix_their_rows(matrix: np.ndarray) -> None:
    booster = grown(matrix, "binary")
    one, many = SingleRowPredictor(booster, "raw"), booster.predict(matrix, raw_score=True, num_threads=1)
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(one, np.tile(matrix, (5, 1))))
    assert np.concatenate(said).tobytes() == np.tile(many, 5).tobytes()

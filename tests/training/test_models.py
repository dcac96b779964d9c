"""The three models: the same rows give the same trees, and each says what it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lightgbm import Booster

from training.models import LARGEST_LEAF, SMALLEST_LEAF, Settings, fit_churn, fit_tier, fit_value, slots

DRAW = np.random.default_rng(3)
COLUMNS = ("recent", "often", "noise")
MATRIX = np.column_stack([DRAW.exponential(20, 3_000), DRAW.poisson(4, 3_000), DRAW.random(3_000)])
CHURNED = DRAW.random(3_000) < 1 / (1 + np.exp(-(MATRIX[:, 0] - 25) / 10))
SPENT = MATRIX[:, 1] * DRAW.lognormal(2.0, 0.5, 3_000) - 5.0
SETTINGS = Settings(trees=60, rate=0.1, threads=1)


def test_the_same_rows_give_the_same_trees_whatever_the_threads() -> None:
    texts = {
        trees(fit_churn(replace(SETTINGS, threads=threads), MATRIX, CHURNED, COLUMNS))
        for threads in (1, 2, 1)
    }
    assert len(texts) == 1


def test_another_seed_gives_other_trees() -> None:
    texts = {trees(fit_churn(replace(SETTINGS, seed=s), MATRIX, CHURNED, COLUMNS)) for s in (0, 1)}
    assert len(texts) == 2


def test_probabilities_average_to_the_base_rate_without_class_weights() -> None:
    rare = CHURNED & (DRAW.random(3_000) < 0.1)
    said = fit_churn(SETTINGS, MATRIX, rare, COLUMNS).predict(MATRIX, num_threads=1)
    assert abs(said.mean() - rare.mean()) < 0.01


def test_a_model_calls_its_columns_by_place_and_a_digest_of_the_name() -> None:
    odd = ("page view", "app:open", "会員")
    booster = Booster(model_str=fit_churn(SETTINGS, MATRIX, CHURNED, odd).model_to_string())
    assert tuple(booster.feature_name()) == slots(odd)
    assert [name.partition("_")[0] for name in slots(odd)] == ["f0", "f1", "f2"]
    assert slots(odd)[0] != slots(odd[::-1])[0]


def test_tier_probabilities_sum_to_one_even_for_a_tier_nobody_was_in() -> None:
    tier = np.clip(MATRIX[:, 1] // 3, 0, 2).astype(np.int8)
    said = fit_tier(SETTINGS, MATRIX, tier, 4, COLUMNS).predict(MATRIX, num_threads=1)
    assert said.shape == (3_000, 4)
    assert np.allclose(said.sum(axis=1), 1.0)
    assert said[:, 3].max() < 0.01


def test_the_value_model_follows_the_amounts_and_never_says_less_than_nothing() -> None:
    assert (SPENT < 0).any()
    said = fit_value(SETTINGS, 1.5, MATRIX, SPENT, COLUMNS).predict(MATRIX, num_threads=1)
    assert (said > 0).all()
    assert abs(said.sum() / np.maximum(SPENT, 0).sum() - 1) < 0.05
    assert np.corrcoef(said, SPENT)[0, 1] > 0.6


def test_leaves_grow_with_the_rows_within_bounds() -> None:
    smallest = [Settings().parameters(rows)["min_data_in_leaf"] for rows in (100, 50_000, 10_000_000)]
    assert smallest == [SMALLEST_LEAF, 100, LARGEST_LEAF]


def trees(booster: Booster) -> str:
    return str(booster.model_to_string()).partition("\nparameters:\n")[0]

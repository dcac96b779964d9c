"""The three models: the same rows give the same trees, and each predicts what it was fitted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lightgbm import Booster

from training.data.rows.labelled_rows import LabelledRows
from training.fitting.lightgbm import (
    HELD,
    LARGEST_LEAF,
    SMALLEST_LEAF,
    BinnedRows,
    TreeParameters,
    date_levels,
    fit_churn,
    fit_tier,
    fit_value,
)

DRAW = np.random.default_rng(3)
COLUMNS = ("recent", "often", "noise")
MATRIX = np.column_stack([DRAW.exponential(20, 3_000), DRAW.poisson(4, 3_000), DRAW.random(3_000)])
CHURNED = DRAW.random(3_000) < 1 / (1 + np.exp(-(MATRIX[:, 0] - 25) / 10))
SPENT = MATRIX[:, 1] * DRAW.lognormal(2.0, 0.5, 3_000) - 5.0
SETTINGS = TreeParameters(trees=60, rate=0.1, threads=1)
BINNED = BinnedRows.of_matrix(SETTINGS, MATRIX, COLUMNS)


def test_the_same_rows_give_the_same_trees_whatever_the_threads() -> None:
    texts = {trees(fit_churn(replace(SETTINGS, threads=threads), BINNED, CHURNED)) for threads in (1, 2, 1)}
    assert len(texts) == 1


def test_another_seed_gives_other_trees() -> None:
    texts = {trees(fit_churn(replace(SETTINGS, seed=s), BINNED, CHURNED)) for s in (0, 1)}
    assert len(texts) == 2


def test_probabilities_average_to_the_base_rate_without_class_weights() -> None:
    rare = CHURNED & (DRAW.random(3_000) < 0.1)
    said = fit_churn(SETTINGS, BINNED, rare).predict(MATRIX, num_threads=1)
    assert abs(said.mean() - rare.mean()) < 0.01


def test_trees_that_begin_from_the_level_of_each_date_learn_nothing_of_the_dates() -> None:
    draw = np.random.default_rng(4)
    as_of = draw.integers(0, 8, 3_000)
    chance = 1 / (1 + np.exp(-(MATRIX[:, 0] - 25) / 10 - np.where(as_of % 2, 2.0, -2.0)))
    churned = draw.random(3_000) < chance
    matrix = np.column_stack([MATRIX[:, :2], as_of + draw.random(3_000)])
    plain, levelled = (
        fit_churn(SETTINGS, BinnedRows.of_matrix(SETTINGS, matrix, COLUMNS), churned, dates)
        for dates in (None, as_of)
    )
    gains = [
        model.feature_importance("gain") / model.feature_importance("gain").sum()
        for model in (plain, levelled)
    ]
    assert gains[0][2] > 0.3
    assert gains[1][2] < 0.15
    assert abs(levelled.predict(matrix, num_threads=1).mean() - churned.mean()) < 0.01
    later = matrix.copy()
    later[:, 2] = 9.0
    said = [
        np.corrcoef(model.predict(later, num_threads=1), MATRIX[:, 0])[0, 1] for model in (plain, levelled)
    ]
    assert said[1] > said[0]


def test_on_one_date_alone_its_level_changes_nothing() -> None:
    plain, levelled = (
        fit_churn(SETTINGS, BINNED, CHURNED, dates).predict(MATRIX, num_threads=1)
        for dates in (None, np.full(3_000, 17))
    )
    assert np.abs(plain - levelled).max() < 0.02


def test_the_level_of_a_date_of_few_rows_is_held_at_that_of_all() -> None:
    churned = np.r_[np.zeros(2, dtype=np.bool_), np.arange(998) % 2 == 0]
    levels, level = date_levels(churned, np.r_[np.zeros(2), np.ones(998)].astype(np.int64))
    rate = 499.5 / 1_001
    few = HELD * rate / (HELD + 2)
    assert np.allclose(levels[:2], np.log(few / (1 - few)))
    assert levels[0] < level < levels[2]
    assert np.isclose(level, np.log(rate / (1 - rate)))


def test_where_nobody_left_everybody_is_said_to_stay() -> None:
    nobody = np.zeros(3_000, dtype=np.bool_)
    said = fit_churn(SETTINGS, BINNED, nobody, np.arange(3_000) % 3).predict(MATRIX, num_threads=1)
    assert np.allclose(said, 0.5 / 3_001)


def test_tier_probabilities_sum_to_one_even_for_a_tier_nobody_was_in() -> None:
    tier = np.clip(MATRIX[:, 1] // 3, 0, 2).astype(np.int8)
    said = fit_tier(SETTINGS, BINNED, tier, 4).predict(MATRIX, num_threads=1)
    assert said.shape == (3_000, 4)
    assert np.allclose(said.sum(axis=1), 1.0)
    assert said[:, 3].max() < 0.01


def test_the_value_model_follows_the_amounts_and_never_says_less_than_nothing() -> None:
    assert (SPENT < 0).any()
    said = fit_value(SETTINGS, 1.5, BINNED, SPENT).predict(MATRIX, num_threads=1)
    assert (said > 0).all()
    assert abs(said.sum() / np.maximum(SPENT, 0).sum() - 1) < 0.05
    assert np.corrcoef(said, SPENT)[0, 1] > 0.6


def test_leaves_grow_with_the_rows_within_bounds() -> None:
    smallest = [TreeParameters().parameters(rows)["min_data_in_leaf"] for rows in (100, 50_000, 10_000_000)]
    assert smallest == [SMALLEST_LEAF, 100, LARGEST_LEAF]


def trees(booster: Booster) -> str:
    return str(booster.model_to_string()).partition("\nparameters:\n")[0]


def test_models_that_share_their_bins_are_those_that_do_not() -> None:
    dates, tier = np.arange(len(MATRIX)) % 3, (np.arange(len(MATRIX)) % 4).astype(np.int8)
    weight = np.where(np.arange(len(MATRIX)) % 2, 1.0, 2.0)

    def fitted(shared: BinnedRows | None) -> list[str]:
        def binned() -> BinnedRows:
            return shared or BinnedRows.of_matrix(SETTINGS, MATRIX, COLUMNS)

        return [
            trees(fit_churn(SETTINGS, binned(), CHURNED, dates, weight)),
            trees(fit_tier(SETTINGS, binned(), tier, 4)),
            trees(fit_value(SETTINGS, 1.5, binned(), SPENT, weight)),
        ]

    assert fitted(BinnedRows.of_matrix(SETTINGS, MATRIX, COLUMNS)) == fitted(None)


def test_models_split_on_the_chosen_columns_only() -> None:
    n = len(MATRIX)
    keys = np.arange(n)
    rows = LabelledRows(
        keys, keys.astype(np.uint64), keys, MATRIX, CHURNED, SPENT, MATRIX[:, :0], COLUMNS, ()
    )
    for chosen in ([0], [1, 2]):
        model = fit_churn(SETTINGS, BinnedRows.of(SETTINGS, rows, np.array(chosen)), CHURNED)
        assert set(np.flatnonzero(model.feature_importance("split"))) == set(chosen)

"""The regression that is blended with the trees learns from ranks, and not from the level of a date."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.trained import labelled, rows
from training.fitting.normal_scores import LEAST_SHARE, fit_score_regression


def drawn(n: int = 3_000) -> tuple[np.ndarray, np.ndarray]:
    matrix = rows(n, seed=1)
    margin = -0.8 + 1.2 * (np.argsort(np.argsort(matrix[:, 0])) / n - 0.5) * 3
    return matrix, np.random.default_rng(2).random(n) < 1 / (1 + np.exp(-margin))


def test_a_bent_column_says_nearly_the_same() -> None:
    matrix, churned = drawn()
    matrix = np.where(np.isnan(matrix), np.nan, np.round(matrix, 1))
    plain = fit_score_regression(labelled(matrix, churned))
    bent = fit_score_regression(labelled(np.exp(matrix / 50), churned))
    assert np.abs(plain(matrix) - bent(np.exp(matrix / 50))).max() < 0.02


def test_a_column_that_moves_the_outcome_gets_the_largest_coefficient() -> None:
    matrix, churned = drawn()
    found = fit_score_regression(labelled(matrix, churned))
    assert max(found.columns, key=lambda one: abs(one.coefficient)).column == 0
    assert abs((1 / (1 + np.exp(-found(matrix)))).mean() - churned.mean()) < 0.01


def test_columns_that_say_nothing_or_the_same_of_everybody_stay_out() -> None:
    matrix, churned = drawn()
    matrix[:, 1], matrix[:, 2] = 7.0, np.nan
    matrix[: int(LEAST_SHARE * len(matrix)) - 1, 2] = np.arange(int(LEAST_SHARE * len(matrix)) - 1)
    assert not {1, 2} & {one.column for one in fit_score_regression(labelled(matrix, churned)).columns}


def test_the_level_of_a_date_is_not_learned_of_its_customers() -> None:
    """A column that tells two dates apart, on one of which nearly everybody left."""
    matrix, _ = drawn()
    later = np.arange(len(matrix)) >= len(matrix) // 2
    matrix[:, 3] = later + np.random.default_rng(3).random(len(matrix)) / 10
    churned = np.random.default_rng(4).random(len(matrix)) < np.where(later, 0.9, 0.2)
    known = replace(labelled(matrix, churned), as_of=later.astype(np.int64))
    levelled, bare = (fit_score_regression(known, levels=levels) for levels in (True, False))
    of = [next(one.coefficient for one in found.columns if one.column == 3) for found in (levelled, bare)]
    assert abs(of[0]) < 0.2 < of[1]


def test_outcomes_that_are_all_alike_give_a_regression_that_says_so() -> None:
    matrix, _ = drawn(300)
    found = fit_score_regression(labelled(matrix, np.ones(300, dtype=np.bool_)))
    assert (1 / (1 + np.exp(-found(matrix)))).min() > 0.9

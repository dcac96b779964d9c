"""The regression on normal scores gives one answer everywhere, and its contributions add up."""

from __future__ import annotations

import json

import numpy as np

from tests.training.trained import bundle, rows
from training.bundle.score_regression import ScoreRegression
from training.bundle.shap_values import Explainer


def regression() -> ScoreRegression:
    found = bundle().models.regression
    assert found is not None
    return found


def plain(matrix: np.ndarray) -> np.ndarray:
    """float64[n, f]: what each column adds to the log-odds, by numpy's interpolation."""
    added = np.zeros(matrix.shape)
    for one in regression().columns:
        column = matrix[:, one.column]
        score = np.interp(column, one.values, one.scores)
        added[:, one.column] = np.where(np.isnan(column), one.missing, one.coefficient * score)
    return added


def test_the_log_odds_are_those_of_the_plain_version() -> None:
    matrix = rows(2_000, seed=5)
    matrix[:40] = np.nan
    matrix[40:80], matrix[80:120] = np.inf, -np.inf
    expected = regression().intercept + plain(matrix).sum(axis=1)
    assert np.abs(regression()(matrix) - expected).max() < 1e-9


def test_a_row_alone_in_a_batch_and_on_threads_gets_the_same_bits() -> None:
    matrix = rows(9_000, seed=6)
    whole = regression()(matrix, 2)
    assert regression()(matrix, 1).tobytes() == whole.tobytes()
    for row in (0, 4_499, 4_500, 8_999):
        assert regression()(matrix[row : row + 1])[0] == whole[row]


def test_a_regression_survives_json_bit_for_bit() -> None:
    again = ScoreRegression.from_json(json.loads(json.dumps(regression().to_json())))
    matrix = rows(300, seed=7)
    assert again == regression()
    assert again(matrix).tobytes() == regression()(matrix).tobytes()


def test_contributions_are_those_of_the_blend_and_sum_to_its_log_odds() -> None:
    for size in (1, 50, 4_000):
        matrix = rows(size, seed=8)
        said = bundle().contributions(matrix)
        trees = Explainer(bundle()._boosters["churn"])(matrix)
        distance = plain(matrix)
        for one in regression().columns:
            distance[:, one.column] -= one.coefficient * one.mean_score + one.missing * one.missing_share
        share = regression().share
        assert np.abs(said[:, :-1] - (1 - share) * trees[:, :-1] - share * distance).max() < 1e-9
        assert np.abs(said.sum(axis=1) - bundle().predict(matrix).margin).max() < 1e-6


def test_the_columns_of_the_regression_are_read_by_the_model() -> None:
    assert bundle().used[regression().places].all()

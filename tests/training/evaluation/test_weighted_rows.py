"""A row of weight two counts as two equal rows, in every figure, fit and calibration that takes weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.timeline import Horizon
from tests.training.worlds import INACTIVITY
from training.bundle.list_policy import on_list
from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.intervals import population_intervals, value_intervals
from training.evaluation.list_metrics import purity_figures
from training.evaluation.metrics import (
    HeldOutOutcomes,
    WeightedMetrics,
    calibration_noise,
    churn_metrics,
    weighted_kappa,
)
from training.evaluation.secondary_metrics import (
    populations,
    reliability_by_tier,
    tier_figures,
    value_figures,
)
from training.fitting.baselines import baselines
from training.fitting.calibration import fit_calibration, fit_shape, level_shift, levelled, shift_to_level_of
from training.fitting.lightgbm import BinnedRows, TreeParameters, date_levels, fit_churn, fit_value

N = 600
DRAW = np.random.default_rng(5)
SHOP = catalog(indicators({}), FeatureSettings(windows=(30, 90)), ("purchase",), horizon_days=30)
CHURN = replace(INACTIVITY, horizon=Horizon(30))
P = np.clip(DRAW.beta(2, 4, N), 0.02, 0.98)
WEIGHT = np.where(np.arange(N) % 3 == 0, 2.0, 1.0)
TWICE = np.repeat(np.arange(N), WEIGHT.astype(int))
"""Each row as often as it counts."""
ROWS = LabelledRows(
    np.arange(N), np.arange(N).astype(np.uint64), np.repeat([10, 20, 30], N // 3),
    DRAW.gamma(2.0, 3.0, (N, len(SHOP.columns))), DRAW.random(N) < P, DRAW.lognormal(3, 1, N),
    np.zeros((N, 0)), SHOP.columns, (), WEIGHT,
)  # fmt: skip
REPEATED = replace(ROWS.where(TWICE), weight=None)


def outcomes(rows: LabelledRows) -> HeldOutOutcomes:
    return HeldOutOutcomes(rows.churned, rows.keys, rows.as_of, 50, rows.weight)


def test_metrics_of_the_churn_probabilities() -> None:
    once, twice = outcomes(ROWS), outcomes(REPEATED)
    weighted = WeightedMetrics(P, once)(WEIGHT)
    assert weighted[:4] == pytest.approx(WeightedMetrics(P[TWICE], twice)(np.ones(len(TWICE)))[:4])
    found = churn_metrics(P, {}, once, resamples=5)
    assert found["log_loss"] == pytest.approx(churn_metrics(P[TWICE], {}, twice, resamples=5)["log_loss"])
    assert found["log_loss"] != pytest.approx(
        churn_metrics(P, {}, replace(once, weight=None), resamples=5)["log_loss"]
    )
    assert calibration_noise(P, once) == pytest.approx(calibration_noise(P[TWICE], twice), rel=0.1)


def test_a_list_has_as_many_places_as_its_rows_stand_for() -> None:
    measure, dates = np.array([0.9, 0.8, 0.7, 0.6]), np.zeros(4, np.int64)
    assert on_list(measure, dates, 2).tolist() == [True, True, False, False]
    assert on_list(measure, dates, 3, np.array([2.0, 1.0, 1.0, 1.0])).tolist() == [True, True, False, False]
    assert on_list(measure, dates, 2, np.array([4.0, 1.0, 1.0, 1.0])).tolist() == [True, False, False, False]
    purity = purity_figures(P, outcomes(ROWS))
    assert purity["precision_at_capacity"] == pytest.approx(
        purity_figures(P[TWICE], outcomes(REPEATED))["precision_at_capacity"], abs=0.02
    )


def test_figures_of_populations_tiers_and_value() -> None:
    now, then = DRAW.integers(0, 3, N).astype(np.int8), DRAW.integers(0, 3, N).astype(np.int8)
    said = DRAW.dirichlet([1, 1, 1], N)

    def figures(rows: LabelledRows, at: np.ndarray) -> dict[str, float]:
        found = populations(rows, P[at], rows, P[at], P[at])
        found |= tier_figures(said[at], said[at], now[at], then[at], rows.weight)
        found |= reliability_by_tier(now[at], P[at], rows, 3)
        value = value_figures(rows, 20 * P[at], CHURN)
        return found | {name: value[name] for name in ("value/total_ratio", "value/mean_absolute_error")}

    one, two = figures(ROWS, np.arange(N)), figures(REPEATED, TWICE)
    counted = ("test_rows", "test_customers", "test_churners")
    assert {name: one[name] for name in one if name not in counted} == pytest.approx(
        {name: two[name] for name in two if name not in counted}
    )
    assert weighted_kappa(then, now, 3, WEIGHT) == pytest.approx(weighted_kappa(then[TWICE], now[TWICE], 3))


def test_intervals() -> None:
    once, twice = outcomes(ROWS), outcomes(REPEATED)
    assert population_intervals(P, once) == pytest.approx(population_intervals(P[TWICE], twice))
    ends = value_intervals(20 * P, ROWS.value, once)
    other = value_intervals(20 * P[TWICE], REPEATED.value, twice)
    assert ends["value/mean_absolute_error_low"] == pytest.approx(other["value/mean_absolute_error_low"])


def test_calibration_keeps_the_level_of_the_weighted_rows() -> None:
    for method in ("logistic", "beta"):
        shape = fit_shape(method, P, ROWS.churned, WEIGHT)
        assert np.average(shape(P), weights=WEIGHT) == pytest.approx(np.average(P, weights=WEIGHT), abs=1e-6)
        own, other = (
            fit_calibration(method, P, ROWS.churned, WEIGHT),
            fit_calibration(method, P[TWICE], REPEATED.churned),
        )
        assert own(P) == pytest.approx(other(P), abs=0.01)
    shape = fit_shape("identity", P, ROWS.churned)
    level = levelled(shape, shift_to_level_of(shape, P, P**2, WEIGHT))
    assert np.average(level(P), weights=WEIGHT) == pytest.approx(np.average(P**2, weights=WEIGHT), abs=1e-6)
    season = levelled(shape, level_shift(shape, P, ROWS.churned, WEIGHT))
    rate = np.average(ROWS.churned, weights=WEIGHT)
    assert np.average(season(P), weights=WEIGHT) == pytest.approx(rate, abs=0.01)


def test_levels_of_dates_and_baselines() -> None:
    own, rate = date_levels(ROWS.churned, ROWS.as_of, WEIGHT)
    other, repeated = date_levels(REPEATED.churned, REPEATED.as_of)
    assert rate == pytest.approx(repeated, abs=0.01)
    assert own[TWICE] == pytest.approx(other, abs=0.03)
    one, two = (baselines(rows, ROWS, SHOP, CHURN) for rows in (ROWS, REPEATED))
    for name in one:
        assert one[name] == pytest.approx(two[name], abs=0.02)


def test_trees_learn_from_the_weights() -> None:
    settings = TreeParameters(trees=20, threads=1, row_share=1.0)
    heavy = np.where(ROWS.churned, 5.0, 1.0)
    binned = BinnedRows.of(settings, ROWS)
    plain = fit_churn(settings, binned, ROWS.churned, ROWS.as_of)
    weighted = fit_churn(settings, binned, ROWS.churned, ROWS.as_of, heavy)
    rate = np.average(ROWS.churned, weights=heavy)
    assert plain.predict(ROWS.matrix).mean() < rate - 0.2
    assert weighted.predict(ROWS.matrix).mean() == pytest.approx(rate, abs=0.1)
    rich = np.where(ROWS.value > np.median(ROWS.value), 5.0, 1.0)
    values = [fit_value(settings, 1.5, binned, ROWS.value, own) for own in (None, rich)]
    assert values[1].predict(ROWS.matrix).mean() > 1.2 * values[0].predict(ROWS.matrix).mean()

"""Figures against their textbook definitions, and intervals against what resampling should give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    log_loss,
    roc_auc_score,
)

from training.evaluation.metrics import (
    COMPARED,
    METRICS,
    HeldOutOutcomes,
    WeightedMetrics,
    calibration_noise,
    churn_metrics,
    rank_correlation,
    weighted_kappa,
)


def outcomes(
    churned: list[bool] | np.ndarray, contacts: int = 3, dates: np.ndarray | None = None
) -> HeldOutOutcomes:
    n = len(churned)
    return HeldOutOutcomes(
        np.asarray(churned, bool), np.arange(n), np.zeros(n, int) if dates is None else dates, contacts
    )


@given(
    st.lists(
        st.tuples(st.sampled_from([0.05, 0.2, 0.2001, 0.5, 0.9]), st.booleans(), st.integers(1, 4)),
        min_size=4,
        max_size=40,
    )
)
def test_weighted_figures_equal_those_of_repeated_rows(rows: list[tuple[float, bool, int]]) -> None:
    p, y, w = (np.array(column) for column in zip(*rows, strict=True))
    if y.all() or not y.any():
        return
    found = dict(zip(METRICS, WeightedMetrics(p, outcomes(y))(w.astype(float)), strict=True))
    again, said = np.repeat(y, w), np.repeat(p, w)
    assert found["auc"] == pytest.approx(roc_auc_score(again, said))
    assert found["average_precision"] == pytest.approx(average_precision_score(again, said))
    assert found["log_loss"] == pytest.approx(log_loss(again, said))
    assert found["brier"] == pytest.approx(brier_score_loss(again, said))


def test_precision_and_lift_are_those_of_one_list_per_date() -> None:
    p = np.array([0.9, 0.8, 0.1, 0.7, 0.6, 0.5])
    y = [True, False, True, True, True, False]
    dates = np.array([0, 0, 0, 1, 1, 1])
    found = dict(
        zip(METRICS, WeightedMetrics(p, outcomes(y, contacts=1, dates=dates))(np.ones(6)), strict=True)
    )
    assert found["precision_at_capacity"] == 1.0
    assert found["lift_at_capacity"] == pytest.approx(1.0 / (4 / 6))


def test_the_interval_of_a_difference_is_narrower_than_those_of_its_sides() -> None:
    draw = np.random.default_rng(1)
    truth = draw.random(3_000)
    y = draw.random(3_000) < truth
    near, far = np.clip(truth, 0.01, 0.99), np.clip(truth + draw.normal(0, 0.2, 3_000), 0.01, 0.99)
    found = churn_metrics(near, {"far": far}, outcomes(y, 300))
    width = found["auc_high"] - found["auc_low"]
    apart = found["difference/far/auc_high"] - found["difference/far/auc_low"]
    assert apart < width
    assert 0 < found["difference/far/auc_low"] < found["difference/far/auc"]
    assert found["difference/far/log_loss_high"] < 0
    assert found["difference/far/auc"] == pytest.approx(found["auc"] - found["baseline/far/auc"])


def test_a_customer_seen_on_many_dates_counts_once_for_the_width_of_an_interval() -> None:
    draw = np.random.default_rng(2)
    p = draw.random(300)
    y = draw.random(300) < p
    once = churn_metrics(p, {}, outcomes(y))
    many = HeldOutOutcomes(np.tile(y, 10), np.tile(np.arange(300), 10), np.repeat(np.arange(10), 300), 3)
    ten_times = churn_metrics(np.tile(p, 10), {}, many)
    assert ten_times["auc"] == pytest.approx(once["auc"])
    assert ten_times["auc_high"] - ten_times["auc_low"] == pytest.approx(once["auc_high"] - once["auc_low"])


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        p = draw.beta(1, 3, 400)
        found = churn_metrics(p, {}, outcomes(draw.random(400) < p), resamples=100)
        expected = float((p * (1 - p)).mean())
        held += found["brier_low"] <= expected <= found["brier_high"]
    assert held >= 50


def test_the_noise_of_the_calibration_error_is_what_perfect_probabilities_show() -> None:
    draw = np.random.default_rng(5)
    p = draw.beta(1, 4, 2_000)
    noise = calibration_noise(p, outcomes(np.zeros(2_000, bool)))
    errors = [
        dict(zip(METRICS, WeightedMetrics(p, outcomes(draw.random(2_000) < p))(np.ones(2_000)), strict=True))[
            "expected_calibration_error"
        ]
        for _ in range(50)
    ]
    assert noise == pytest.approx(np.mean(errors), rel=0.15)


def test_outcomes_all_alike_give_no_figure_and_no_error() -> None:
    assert np.isnan(WeightedMetrics(np.array([0.1, 0.2]), outcomes([False, False]))(np.ones(2))).all()


def test_kappa_and_rank_correlation_are_the_textbook_ones() -> None:
    draw = np.random.default_rng(6)
    a, b = draw.integers(0, 5, 500), draw.integers(0, 5, 500)
    b[:300] = a[:300]
    kappa = weighted_kappa(a.astype(np.int8), b.astype(np.int8), 5)
    assert kappa == pytest.approx(cohen_kappa_score(a, b, weights="quadratic"))
    assert weighted_kappa(a.astype(np.int8), a.astype(np.int8), 5) == 1.0
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([1.0, 4, 9])) == pytest.approx(1.0)
    assert rank_correlation(np.array([1.0, 2, 3]), np.ones(3)) == 0.0


def test_every_figure_has_its_interval() -> None:
    draw = np.random.default_rng(7)
    p = draw.random(200)
    found = churn_metrics(p, {"coin": np.full(200, 0.5)}, outcomes(draw.random(200) < p), resamples=20)
    for metric in METRICS:
        assert found[f"{metric}_low"] <= found[metric] <= found[f"{metric}_high"] or metric.startswith(
            "expected"
        )
        assert f"baseline/coin/{metric}_low" in found
    for metric in COMPARED:
        assert f"difference/coin/{metric}_high" in found

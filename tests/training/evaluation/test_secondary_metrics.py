"""Figures beside the churn probabilities: segments, spend and drift, against sums done by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.timeline import Horizon
from tests.training.worlds import INACTIVITY
from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.secondary_metrics import (
    SMALLEST_SEGMENT,
    populations,
    reliability_by_segment,
    reliability_by_tier,
    tier_figures,
    value_figures,
)

CHURN = replace(INACTIVITY, horizon=Horizon(30))
COLUMNS = ("purchase_sum_30d", "profile_plan_last_detail")
DRAW = np.random.default_rng(1)
N = 1_000


def rows(churned: np.ndarray | None = None, value: np.ndarray | None = None) -> LabelledRows:
    matrix = np.column_stack([DRAW.exponential(50, N), np.repeat([0.0, 1.0, 2.0, np.nan], N // 4)])
    zeros = np.zeros(N)
    return LabelledRows(
        np.arange(N), zeros.astype(np.uint64), np.repeat([10, 20], N // 2), matrix,
        zeros.astype(bool) if churned is None else churned, zeros if value is None else value,
        np.zeros((N, 0)), COLUMNS, (),
    )  # fmt: skip


def test_each_frequent_value_of_an_attribute_has_its_reliability() -> None:
    churned = np.arange(N) % 2 == 0
    p = np.repeat([0.4, 0.5, 0.6, 0.1], N // 4)
    found = reliability_by_segment(rows(churned), p, {COLUMNS[1]: ("gold", "silver / blue")})
    assert found == {
        "reliability/segment_plan.gold/said": pytest.approx(0.4),
        "reliability/segment_plan.gold/happened": pytest.approx(0.5),
        "reliability/segment_plan.silver _ blue/said": pytest.approx(0.5),
        "reliability/segment_plan.silver _ blue/happened": pytest.approx(0.5),
    }


def test_a_segment_of_few_is_not_shown() -> None:
    few = rows()
    few.stored[:, 1] = np.where(np.arange(N) < SMALLEST_SEGMENT - 1, 0.0, 1.0)
    found = reliability_by_segment(few, np.full(N, 0.2), {COLUMNS[1]: ("rare", "usual")})
    assert {name.split("/")[1] for name in found} == {"segment_plan.usual"}


def test_a_tier_of_nobody_has_no_reliability() -> None:
    now = np.zeros(4, dtype=np.int8)
    assert set(reliability_by_tier(now, np.full(4, 0.3), rows().where(np.arange(4)), 3)) == {
        "reliability/tier_0/said",
        "reliability/tier_0/happened",
    }


def test_deciles_of_spend_follow_the_order_that_was_foretold() -> None:
    spent = np.arange(N, dtype=float)
    found = value_figures(rows(value=spent), spent * 2, CHURN)
    assert found["value/total_ratio"] == pytest.approx(2.0)
    assert found["value/rank_correlation"] == pytest.approx(1.0)
    assert found["value/decile_01/happened"] == pytest.approx(49.5)
    assert found["value/decile_10/said"] == pytest.approx(2 * 949.5)
    assert found["value/top_decile_lift"] == pytest.approx(949.5 / 499.5)
    assert found["value/as_before/top_decile_lift"] < 1.5


def test_who_left_spent_nothing_that_counts() -> None:
    churned = np.arange(N) < 500
    found = value_figures(rows(churned, np.where(churned, -5.0, 10.0)), np.full(N, 10.0), CHURN)
    assert found["value/total_ratio"] == pytest.approx(1.0)
    assert found["value/mean_absolute_error"] == 0.0


def test_drift_is_named_before_and_after_calibration_and_on_its_worst_date() -> None:
    churned = np.r_[np.ones(100), np.zeros(400), np.ones(300), np.zeros(200)].astype(bool)
    raw, calibrated = np.full(N, 0.6), np.full(N, 0.45)
    earlier = rows(np.arange(N) % 2 == 0).where(np.arange(2))
    found = populations(earlier, np.array([0.5, 0.7]), rows(churned), raw, calibrated)
    assert found["base_rate"] == pytest.approx(0.4)
    assert found["drift"] == pytest.approx(0.05)
    assert found["drift_uncalibrated"] == pytest.approx(0.2)
    assert found["drift_calibrate"] == pytest.approx(0.1)
    assert found["drift_worst_date"] == pytest.approx(0.4)
    assert (found["test_customers"], found["test_churners"]) == (N, 400)


def test_a_tier_that_is_foretold_beats_the_tier_that_stays() -> None:
    now, then = np.array([0, 0, 1, 1], dtype=np.int8), np.array([0, 1, 1, 1], dtype=np.int8)
    said = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.1, 0.9]])
    found = tier_figures(said, np.full((4, 2), 0.5), now, then)
    assert (found["tier/accuracy"], found["tier/unchanged/accuracy"]) == (1.0, 0.75)
    assert found["tier/kappa"] == 1.0 > found["tier/unchanged/kappa"]
    assert found["tier/log_loss"] < found["tier/unchanged/log_loss"] == pytest.approx(np.log(2))

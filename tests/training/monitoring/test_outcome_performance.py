"""Performance on matured outcomes, against figures computed plainly here."""

from __future__ import annotations

import numpy as np
import pytest

from training.monitoring.outcome_performance import BANDS, JudgedRows, performance, risk_bands
from training.monitoring.records import IntervalEstimate


def judged(rng: np.random.Generator, customers: int = 4_000, factor: float = 1.0) -> JudgedRows:
    """A cohort whose customers leave `factor` times as often as was said."""
    probability = rng.beta(1.5, 6.0, customers)
    churned = rng.random(customers) < np.minimum(probability * factor, 1.0)
    expected = rng.gamma(2.0, 30.0, customers)
    value = np.where(churned, 0.0, expected * rng.gamma(4.0, 0.25, customers))
    codes = rng.integers(-1, 2, customers).astype(np.int32)
    return JudgedRows(
        keys=np.arange(customers) * 3,
        probability=probability,
        expected_value=expected,
        churned=churned,
        value=value,
        treated=np.zeros(customers, np.bool_),
        segments={"plan": (codes, ("basic", "gold"))},
        listed=probability >= np.sort(probability)[-200],
    )


def spans(estimate: IntervalEstimate, value: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= value <= estimate.high


def test_every_figure_is_the_one_that_a_plain_computation_gives(rng: np.random.Generator) -> None:
    rows = judged(rng, 400)
    found = performance(rows)
    p, left = rows.probability, rows.churned
    pairs = p[left][:, np.newaxis] - p[~left][np.newaxis, :]
    assert found.auc.value == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert found.log_loss.value == pytest.approx(-np.mean(np.where(left, np.log(p), np.log(1 - p))))
    assert (found.customers, found.leavers) == (400, int(left.sum()))
    assert found.expected_leavers == pytest.approx(p.sum())
    assert found.observed_to_expected.value == pytest.approx(left.sum() / p.sum())
    assert found.value_lost is not None
    assert found.value_lost.predicted == pytest.approx((p * rows.expected_value).sum())
    assert found.value_lost.observed == pytest.approx(rows.expected_value[left].sum())
    assert found.spent_by_stayers is not None
    assert found.spent_by_stayers.predicted == pytest.approx(rows.expected_value[~left].sum())
    assert found.spent_by_stayers.observed == pytest.approx(rows.value[~left].sum())
    assert found.shown is not None
    assert found.shown.precision.value == pytest.approx(left[rows.listed].mean())
    assert found.shown.lift.value == pytest.approx(left[rows.listed].mean() / left.mean())
    gold = rows.segments["plan"][0] == 1
    by_segment = {one.group: one for one in found.segments}
    assert by_segment["plan=gold"].leavers == left[gold].sum()
    assert by_segment["plan=gold"].expected_leavers == pytest.approx(p[gold].sum())
    assert sum(band.customers for band in found.bands) == 400
    assert sum(band.leavers for band in found.bands) == left.sum()


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 120 cohorts whose probabilities are right, the ratio of leavers is 1: about 95 % hold it."""
    held = auc = 0
    truth = np.random.default_rng(99)
    p = truth.beta(1.5, 6.0, 2_000_000)
    left = truth.random(len(p)) < p
    ranks = np.empty(len(p))
    ranks[np.argsort(p)] = np.arange(1, len(p) + 1)
    n = left.sum()
    area = (ranks[left].sum() - n * (n + 1) / 2) / (n * (len(p) - n))
    for seed in range(120):
        found = performance(judged(np.random.default_rng(seed), 1_500))
        held += spans(found.observed_to_expected, 1.0)
        auc += spans(found.auc, float(area))
    assert 106 <= held <= 120, held
    assert 106 <= auc <= 120, auc


def test_scores_that_say_too_little_are_seen_in_every_band(rng: np.random.Generator) -> None:
    found = performance(judged(rng, 20_000, factor=1.5))
    assert spans(found.observed_to_expected, 1.5)
    assert all(band.observed_to_expected.low > 1.0 for band in found.bands)
    assert found.calibration_error.value > 3 * found.calibration_noise


def test_right_scores_show_the_calibration_error_that_chance_alone_makes() -> None:
    errors = [performance(judged(np.random.default_rng(seed), 3_000)) for seed in range(30)]
    measured = np.mean([one.calibration_error.value for one in errors])
    assert measured == pytest.approx(np.mean([one.calibration_noise for one in errors]), rel=0.15)


def test_treated_customers_are_judged_apart(rng: np.random.Generator) -> None:
    rows = judged(rng)
    treated = rng.random(len(rows)) < 0.3
    saved = rows.churned & ~(treated & (rng.random(len(rows)) < 0.6))
    arms = {"spring/treatment": treated, "spring/control": ~treated & (rng.random(len(rows)) < 0.3)}
    found = performance(
        JudgedRows(rows.keys, rows.probability, rows.expected_value, saved, rows.value, treated, {}, arms)
    )
    assert found.customers == int((~treated).sum())
    assert spans(found.observed_to_expected, 1.0)
    by_arm = {arm.group: arm for arm in found.arms}
    assert by_arm["spring/treatment"].observed_to_expected.high < 0.7
    assert spans(by_arm["spring/control"].observed_to_expected, 1.0)


def test_equal_probabilities_and_absent_amounts_leave_figures_undefined(rng: np.random.Generator) -> None:
    n = 100
    churned = np.arange(n) < 20
    rows = JudgedRows(
        np.arange(n), np.full(n, 0.2), np.full(n, np.nan), churned, np.zeros(n), np.zeros(n, np.bool_)
    )
    found = performance(rows)
    assert found.auc.value == pytest.approx(0.5)
    assert (found.value_lost, found.spent_by_stayers, found.shown) == (None, None, None)
    assert len(found.bands) == 1
    nobody_left = performance(
        JudgedRows(
            rows.keys, rows.probability, rows.expected_value, ~churned & churned, rows.value, rows.treated
        )
    )
    assert nobody_left.auc == IntervalEstimate(None, None, None)
    assert nobody_left.observed_to_expected.value == 0.0


def test_risk_bands_are_fifths_from_the_least_risky(rng: np.random.Generator) -> None:
    p = rng.random(1_000)
    bands = risk_bands(p)
    assert np.bincount(bands).tolist() == [200] * BANDS
    assert p[bands == 0].max() <= p[bands == 1].min()

"""Qini curve and coefficient: by hand, against a plain version, and what must hold of any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.causal.uplift_metrics import (
    paired_qini,
    qini_coefficient,
    qini_curve,
    resampled_qini,
    uplift_by_decile,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def plain_coefficient(score: Floats, treated: Flags, outcome: Floats) -> float:
    """The definition, one share after the other: everybody with at least this score is contacted."""
    shares, gains = [0.0], [0.0]
    for least in np.unique(score)[::-1]:
        reached = score >= least
        if (reached & treated).any() and (reached & ~treated).any():
            control = outcome[reached & ~treated].sum()
            ratio = (reached & treated).sum() / (reached & ~treated).sum()
            shares.append(reached.mean())
            gains.append((outcome[reached & treated].sum() - control * ratio) / treated.sum())
    area = sum((shares[i] - shares[i - 1]) * (gains[i] + gains[i - 1]) / 2 for i in range(1, len(shares)))
    return 1000 * (area - gains[-1] / 2)


@st.composite
def experiments(draw: st.DrawFn) -> tuple[Floats, Flags, Floats]:
    """Scores (with ties), arms with somebody in each, and outcomes of 0 and 1."""
    n = draw(st.integers(2, 40))
    score = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), dtype=np.float64)
    treated = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    treated[:2] = [True, False]
    outcome = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=np.float64)
    return score, treated, outcome


def test_the_curve_of_six_customers_is_counted_by_hand() -> None:
    """Best first: treated 1, control 0, treated 1, control 1 | treated 0, control 1 (with one score)."""
    score = np.array([6.0, 5.0, 4.0, 3.0, 1.0, 1.0])
    treated = np.array([True, False, True, False, True, False])
    outcome = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    curve = qini_curve(score, treated, outcome)
    assert curve.share == pytest.approx([0, 2 / 6, 3 / 6, 4 / 6, 1])
    assert curve.gain == pytest.approx(np.array([0, 1 / 3, 2 / 3, 1 / 3, 0]) * 1000)
    assert curve.coefficient == pytest.approx(1000 * (1 / 18 + 1 / 12 + 1 / 12 + 1 / 18))


@given(experiments())
@settings(deadline=None)
def test_the_coefficient_is_that_of_its_definition(world: tuple[Floats, Flags, Floats]) -> None:
    assert qini_coefficient(*world) == pytest.approx(plain_coefficient(*world), abs=1e-9)


@given(experiments())
@settings(deadline=None)
def test_a_constant_score_has_a_coefficient_of_zero(world: tuple[Floats, Flags, Floats]) -> None:
    score, treated, outcome = world
    assert qini_coefficient(np.full(len(score), 0.3), treated, outcome) == 0.0


@given(experiments(), st.integers(0, 1000))
@settings(deadline=None)
def test_the_order_of_rows_changes_nothing(world: tuple[Floats, Flags, Floats], seed: int) -> None:
    score, treated, outcome = world
    order = np.random.default_rng(seed).permutation(len(score))
    shuffled = qini_coefficient(score[order], treated[order], outcome[order])
    assert shuffled == pytest.approx(qini_coefficient(score, treated, outcome), abs=1e-9)


@given(experiments())
@settings(deadline=None)
def test_only_the_order_of_the_score_counts(world: tuple[Floats, Flags, Floats]) -> None:
    score, treated, outcome = world
    assert qini_coefficient(np.exp(score) - 7, treated, outcome) == qini_coefficient(score, treated, outcome)


@given(experiments())
@settings(deadline=None)
def test_the_curve_ends_at_the_average_effect(world: tuple[Floats, Flags, Floats]) -> None:
    score, treated, outcome = world
    difference = outcome[treated].mean() - outcome[~treated].mean()
    assert qini_curve(score, treated, outcome).gain[-1] == pytest.approx(1000 * difference)


def test_a_reversed_score_lies_as_far_below_random_as_the_score_above() -> None:
    score, treated, outcome = _campaign(40_000)
    ahead, behind = qini_coefficient(score, treated, outcome), qini_coefficient(-score, treated, outcome)
    assert ahead > 20
    assert behind == pytest.approx(-ahead, abs=2.5)


def test_a_score_that_says_nothing_is_about_zero_and_its_interval_holds_zero() -> None:
    score, treated, outcome = _campaign(20_000)
    noise = np.random.default_rng(9).random(len(score))
    intervals = paired_qini(noise, score, treated, outcome, count=200)
    assert intervals.low < 0 < intervals.high
    assert intervals.difference_high < 0


def test_the_interval_is_as_wide_as_over_repeated_campaigns() -> None:
    repeated = [qini_coefficient(*_campaign(4_000, seed)) for seed in range(300)]
    drawn = resampled_qini([_campaign(4_000)[0]], *_campaign(4_000)[1:], count=500)[:, 0]
    assert drawn.std() == pytest.approx(np.std(repeated), rel=0.15)


def test_a_score_is_level_with_itself_on_every_resample() -> None:
    score, treated, outcome = _campaign(2_000)
    intervals = paired_qini(score, score * 2, treated, outcome, count=50)
    assert (intervals.difference, intervals.difference_low, intervals.difference_high) == (0, 0, 0)


def test_the_same_seed_draws_the_same_resamples() -> None:
    score, treated, outcome = _campaign(1_000)
    first = resampled_qini([score], treated, outcome, seed=4, count=20)
    assert np.array_equal(first, resampled_qini([score], treated, outcome, seed=4, count=20))
    assert not np.array_equal(first, resampled_qini([score], treated, outcome, seed=5, count=20))


def test_without_a_control_customer_there_is_no_coefficient() -> None:
    assert np.isnan(qini_coefficient(np.arange(3.0), np.ones(3, dtype=np.bool_), np.ones(3)))


def _campaign(n: int, seed: int = 0) -> tuple[Floats, Flags, Floats]:
    """Customers whom contact helps the more, the higher their score; half of them contacted."""
    generator = np.random.default_rng(seed)
    score = generator.random(n)
    treated = generator.random(n) < 0.5
    outcome = generator.random(n) < 0.3 + treated * 0.4 * (score - 0.5)
    return score, treated, outcome.astype(np.float64)


def test_uplift_by_decile_falls_from_the_highest_scores_to_the_lowest() -> None:
    score, treated, outcome = _campaign(20_000)
    deciles = uplift_by_decile(score, treated, outcome)
    assert [one.decile for one in deciles] == list(range(1, 11))
    assert [one.customers for one in deciles] == [2_000] * 10
    for one in deciles:
        assert one.effect is not None
        assert one.effect.low is not None
        assert one.effect.high is not None
        truth = 0.4 * (one.predicted - 0.5)
        assert one.effect.low - 0.03 < truth < one.effect.high + 0.03
    effects = [one.effect.difference for one in deciles if one.effect is not None]
    assert effects[0] > 0.1 > -0.1 > effects[-1]


def test_a_decile_of_rare_outcomes_has_an_interval_with_a_width() -> None:
    score, treated = np.arange(1_000.0), np.arange(1_000) % 2 == 0
    (top, *_) = uplift_by_decile(score, treated, np.zeros(1_000))
    assert top.effect is not None
    assert top.effect.method == "newcombe"
    assert top.effect.low is not None
    assert top.effect.high is not None
    assert top.effect.low < 0 < top.effect.high


def test_customers_with_one_score_stay_in_one_decile() -> None:
    score = np.repeat([2.0, 1.0], 50)
    deciles = uplift_by_decile(score, np.arange(100) % 2 == 0, np.ones(100))
    assert [(one.decile, one.customers) for one in deciles] == [(3, 50), (8, 50)]


def test_a_decile_of_one_arm_has_no_effect() -> None:
    treated = np.arange(20) < 15
    deciles = uplift_by_decile(-np.arange(20.0), treated, np.ones(20))
    assert [one.effect is None for one in deciles] == [True] * 7 + [False] + [True] * 2

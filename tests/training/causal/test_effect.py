"""Effects by intention to treat: against regressions by hand, and what must not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DataError
from training.causal.effect import compare_arms
from training.statistics import Floats, newcombe


def experiment(
    seed: int, customers: int = 400, share: float = 0.7
) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]], Floats]:
    """Outcomes (a rate, an amount, a noisy line), arms and two covariates."""
    chance = np.random.default_rng(seed)
    covariates = chance.normal(size=(customers, 2))
    treated = chance.random(customers) < share
    risk = 1 / (1 + np.exp(-covariates[:, 0]))
    outcomes = np.column_stack(
        [
            chance.random(customers) < risk + 0.05 * treated,
            (chance.random(customers) < 0.4) * chance.lognormal(3, 1, customers),
            covariates @ [2.0, -1.0] + 0.5 * treated + chance.normal(size=customers),
        ]
    ).astype(np.float64)
    return outcomes, treated, covariates


def interacted_by_hand(outcome: Floats, treated: Floats, covariates: Floats) -> tuple[float, float]:
    """The coefficient of the treatment and its HC2 error, from the one regression with all interactions."""
    centred = covariates - covariates.mean(axis=0)
    design = np.column_stack([np.ones(len(outcome)), treated, centred, centred * treated[:, np.newaxis]])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ outcome
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    residuals = outcome - design @ coefficients
    meat = design.T @ (design * (residuals**2 / (1 - leverage))[:, np.newaxis])
    return coefficients[1], math.sqrt((inverse @ meat @ inverse)[1, 1])


def test_the_adjusted_difference_is_lins_regression_with_hc2_errors() -> None:
    outcomes, treated, covariates = experiment(1)
    found = compare_arms(outcomes, treated, covariates, ["a", "b"])
    for place in range(3):
        expected = interacted_by_hand(outcomes[:, place], treated.astype(float), covariates)
        effect = found.effect(place)
        assert (effect.difference, effect.error) == pytest.approx(expected, rel=1e-9)


def test_the_plain_difference_has_neymans_error_and_welchs_interval() -> None:
    from scipy.stats import ttest_ind

    outcomes, treated, _ = experiment(2, customers=40)
    line = outcomes[:, 2]
    effect = compare_arms(outcomes[:, 2:], treated).effect(0)
    assert effect.difference == pytest.approx(line[treated].mean() - line[~treated].mean())
    variance = line[treated].var(ddof=1) / treated.sum() + line[~treated].var(ddof=1) / (~treated).sum()
    assert effect.error == pytest.approx(math.sqrt(variance))
    rate = compare_arms(outcomes[:, :1], treated)
    welch = ttest_ind(outcomes[treated, 0], outcomes[~treated, 0], equal_var=False)
    plain = rate.plain
    assert plain.degrees[0] == pytest.approx(welch.df)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.01, 100))
def test_shift_and_scale_of_an_outcome_carry_over(seed: int, shift: float, scale: float) -> None:
    outcomes, treated, covariates = experiment(seed, 120)
    line = outcomes[:, 2:]
    before = compare_arms(line, treated, covariates, ["a", "b"]).effect(0)
    after = compare_arms(shift + scale * line, treated, covariates, ["a", "b"]).effect(0)
    assert (after.difference, after.low, after.high) == pytest.approx(
        (scale * before.difference, scale * (before.low or 0), scale * (before.high or 0)), rel=1e-6, abs=1e-9
    )


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_swapping_the_arms_turns_the_sign(seed: int, adjusted: bool) -> None:
    outcomes, treated, covariates = experiment(seed, 150)
    one = compare_arms(outcomes, treated, covariates, ["a", "b"])
    other = compare_arms(outcomes, ~treated, covariates, ["a", "b"])
    for place in range(3):
        effect, turned = (found.effect(place, adjusted=adjusted) for found in (one, other))
        assert turned.difference == pytest.approx(-effect.difference)
        assert (turned.low, turned.high) == pytest.approx((-(effect.high or 0), -(effect.low or 0)))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_customers_and_the_units_of_covariates_change_nothing(seed: int) -> None:
    outcomes, treated, covariates = experiment(seed, 150)
    order = np.random.default_rng(seed).permutation(150)
    one = compare_arms(outcomes, treated, covariates, ["a", "b"])
    other = compare_arms(outcomes[order], treated[order], 1e6 * covariates[order] - 3e7, ["a", "b"])
    for place in range(3):
        effect, same = one.effect(place), other.effect(place)
        assert (same.difference, same.low, same.high) == pytest.approx(
            (effect.difference, effect.low, effect.high), rel=1e-6, abs=1e-9
        )


def test_without_covariates_the_adjusted_figures_are_the_plain_ones() -> None:
    outcomes, treated, _ = experiment(3)
    found = compare_arms(outcomes, treated)
    assert all(found.effect(place) == found.effect(place, adjusted=False) for place in range(3))
    assert found.covariates == ()


def test_covariates_that_say_nothing_of_their_own_are_left_out_and_named() -> None:
    outcomes, treated, covariates = experiment(4)
    full = compare_arms(outcomes, treated, covariates, ["a", "b"])
    nobody = np.full(len(treated), np.nan)
    useless = np.column_stack(
        [covariates, np.full(len(treated), 7.1), covariates.sum(axis=1), nobody, treated]
    )
    found = compare_arms(outcomes, treated, useless, ["a", "b", "seven", "both", "void", "arm"])
    assert found.covariates == ("a", "b")
    assert found.effect(2).difference == pytest.approx(full.effect(2).difference)
    assert found.notes == (
        "covariate 'void' is left out: nobody has a value of it.",
        *(
            f"covariate '{name}' is left out: within an arm it is constant, or the others determine it."
            for name in ("seven", "both", "arm")
        ),
    )


def test_a_missing_value_of_a_covariate_takes_the_mean_and_an_indicator() -> None:
    outcomes, treated, covariates = experiment(5)
    holes = covariates.copy()
    holes[::3, 0] = np.nan
    found = compare_arms(outcomes, treated, holes, ["a", "b"])
    assert found.covariates == ("a", "a is missing", "b")
    missing = np.isnan(holes[:, 0])
    filled = np.where(missing, holes[~missing, 0].mean(), holes[:, 0])
    by_hand = np.column_stack([filled, missing, holes[:, 1]])
    expected = interacted_by_hand(outcomes[:, 2], treated.astype(float), by_hand)
    assert (found.effect(2).difference, found.effect(2).error) == pytest.approx(expected)


def test_an_arm_with_too_few_customers_for_the_covariates_is_not_adjusted_and_says_so() -> None:
    outcomes, treated, covariates = experiment(6, 30)
    treated[:] = True
    treated[:6] = False
    found = compare_arms(outcomes, treated, covariates, ["a", "b"])
    assert found.notes == ("the figures are not adjusted: an arm has too few customers for the covariates.",)
    assert found.effect(2) == found.effect(2, adjusted=False)


def test_outcomes_known_of_some_are_compared_on_those_and_leave_the_others_alone() -> None:
    outcomes, treated, covariates = experiment(7)
    partly = np.column_stack([outcomes, outcomes[:, 2]])
    known = np.random.default_rng(7).random(len(treated)) < 0.6
    partly[~known, 3] = np.nan
    found = compare_arms(partly, treated, covariates, ["a", "b"])
    alone = compare_arms(outcomes[known], treated[known], covariates[known], ["a", "b"])
    assert found.effect(3).difference == pytest.approx(alone.effect(2).difference)
    assert found.effect(3).error == pytest.approx(alone.effect(2).error)
    assert found.effect(2).error == pytest.approx(
        compare_arms(outcomes, treated, covariates, ["a", "b"]).effect(2).error
    )
    assert 0.5 < found.correlation([2, 3])[0, 1] < 0.95


def test_a_rate_with_few_events_has_newcombes_interval() -> None:
    outcome = np.zeros((100, 1))
    outcome[:3] = 1.0
    treated = np.arange(100) < 50
    effect = compare_arms(outcome, treated).effect(0)
    assert effect.method == "newcombe"
    assert (effect.low, effect.high) == pytest.approx(newcombe(3, 50, 0, 50))
    assert effect.ratio is None
    assert effect.ratio_low is not None
    nobody = compare_arms(np.zeros((100, 1)), treated).effect(0)
    assert (nobody.difference, nobody.low) == (0.0, pytest.approx(-0.0713, abs=1e-4))


def test_one_customer_in_an_arm_gives_a_difference_without_an_interval() -> None:
    outcomes = np.array([[3.0], [5.0], [4.0], [9.0]])
    effect = compare_arms(outcomes, np.array([True, False, False, False])).effect(0)
    assert effect.difference == pytest.approx(-3.0)
    assert (effect.low, effect.high, effect.error) == (None, None, None)


def test_an_arm_of_nobody_is_refused() -> None:
    outcomes, treated, _ = experiment(8)
    with pytest.raises(
        DataError, match=r"^cannot compare treatment and control: nobody is in the control arm"
    ):
        compare_arms(outcomes, np.ones_like(treated))
    with pytest.raises(DataError, match="nobody is in the treatment arm"):
        compare_arms(outcomes, np.zeros_like(treated))


def test_an_interval_of_several_dates_is_wider_and_no_wider_than_sidaks() -> None:
    outcomes, treated, covariates = experiment(9)
    found = compare_arms(outcomes, treated, covariates, ["a", "b"])
    factor = found.simultaneous_factor([0, 1, 2])
    assert 1.96 < factor <= 2.3878
    assert found.simultaneous_factor([0]) == pytest.approx(1.96, abs=0.001)
    assert found.simultaneous_factor([0], dates=3) == pytest.approx(2.3877, abs=0.001)
    effect, wide = found.effect(2), found.effect(2, factor=factor)
    assert (wide.low or 0) < (effect.low or 0) < effect.difference < (effect.high or 0) < (wide.high or 0)

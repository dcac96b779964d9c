"""The effect on those who were reached; the sample-ratio check; groups; ratio measures."""

from __future__ import annotations

import numpy as np
import pytest

from features.errors import DataError
from training.causal.effect import compare_arms
from training.causal.groups import compare_groups, difference_between_groups
from training.causal.instrument import effect_on_reached
from training.causal.ratio_measures import ratio_outcome
from training.causal.sample_ratio import check_sample_ratio


def test_the_effect_on_those_reached_undoes_who_could_be_reached() -> None:
    """Who answers spends more anyway: comparing reached with not reached would say 5, the truth is 2."""
    chance = np.random.default_rng(1)
    treated = np.arange(8_000) % 2 == 0
    answers = chance.random(8_000) < 0.4
    reached = treated & answers
    spend = 10 + 3 * answers + 2 * reached + chance.normal(size=8_000)
    comparison = compare_arms(np.column_stack([spend, reached]), treated)
    found = effect_on_reached(comparison, 0, 1)
    assert found.difference == pytest.approx(2, abs=0.3)
    assert (found.low or 9) < 2 < (found.high or 0)
    assert found.reached_treatment == pytest.approx(0.4, abs=0.02)
    assert (found.reached_control, found.weak) == (0.0, False)
    by_hand = comparison.plain.difference[0] / comparison.plain.difference[1]
    assert found.difference == pytest.approx(by_hand)


def test_where_hardly_anybody_was_reached_the_instrument_is_weak_and_says_nothing() -> None:
    chance = np.random.default_rng(2)
    treated = np.arange(400) % 2 == 0
    reached = chance.random(400) < 0.5
    found = effect_on_reached(
        compare_arms(np.column_stack([chance.normal(size=400), reached]), treated), 0, 1
    )
    assert found.weak
    assert (found.low, found.high) == (None, None)
    nobody = effect_on_reached(
        compare_arms(np.column_stack([chance.normal(size=400), np.zeros(400)]), treated), 0, 1
    )
    assert (nobody.difference, nobody.low, nobody.first_stage, nobody.weak) == (None, None, 0.0, True)


def test_arms_as_declared_pass_the_sample_ratio_check_and_others_do_not() -> None:
    assert not check_sample_ratio(9_050, 950, 0.1).mismatch
    assert check_sample_ratio(9_300, 700, 0.1).mismatch
    assert check_sample_ratio(930_000, 100_000, 0.1).mismatch
    assert check_sample_ratio(900_300, 99_700, 0.1).p_value == pytest.approx(0.317, abs=0.001)
    small = check_sample_ratio(9, 1, 0.5)
    assert small.p_value == pytest.approx(22 / 1024)
    assert (check_sample_ratio(0, 0, 0.1).mismatch, check_sample_ratio(10, 0, 0.0).mismatch) == (False, False)


def test_groups_are_compared_alone_and_a_difference_between_them_is_seen() -> None:
    chance = np.random.default_rng(3)
    treated = np.arange(3_000) % 3 > 0
    groups = np.repeat([0, 1, 2], 1_000)
    groups[-1] = -1
    spend = chance.normal(size=3_000) + treated * np.where(groups == 0, 1.0, 0.0)
    found = compare_groups(spend[:, np.newaxis], treated, groups, ["loyal", "new", "lapsed", "nobody"])
    assert [(one.group, one.treatment + one.control) for one in found] == [
        ("loyal", 1_000),
        ("new", 1_000),
        ("lapsed", 999),
        ("nobody", 0),
    ]
    assert found[3].comparison is None
    effects = [one.comparison.effect(0) for one in found if one.comparison is not None]
    assert effects[0].excludes_zero
    assert (difference_between_groups(effects) or 1) < 1e-6
    assert (difference_between_groups(effects[1:]) or 0) > 0.01
    assert difference_between_groups(effects[:1]) is None


def test_a_ratio_measure_has_the_error_of_the_delta_method() -> None:
    chance = np.random.default_rng(4)
    treated = np.arange(4_000) % 2 == 0
    orders = chance.poisson(3, 4_000).astype(float)
    spend = orders * chance.lognormal(2, 0.5, 4_000) * np.where(treated, 1.1, 1.0)
    effect = compare_arms(ratio_outcome(spend, orders, treated)[:, np.newaxis], treated).effect(0)
    ratios = [spend[arm].sum() / orders[arm].sum() for arm in (treated, ~treated)]
    assert (effect.treatment, effect.control) == pytest.approx(ratios)
    drawn = []
    for _ in range(600):
        rows = chance.integers(0, 4_000, 4_000)
        y, x, arm = spend[rows], orders[rows], treated[rows]
        drawn.append(y[arm].sum() / x[arm].sum() - y[~arm].sum() / x[~arm].sum())
    assert effect.error == pytest.approx(np.std(drawn), rel=0.1)
    with pytest.raises(
        DataError, match=r"^cannot compare a ratio: its denominators sum to 0 in the control arm"
    ):
        ratio_outcome(spend, np.where(treated, orders, 0.0), treated)

"""Random assignment: shares within strata, the same arms from the same record, whatever the order of rows."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from serving.experiments.assignment import (
    CONTROL,
    TREATMENT,
    assign_arms,
    in_share,
    keyed_hash,
    risk_deciles,
    strata,
)
from serving.experiments.balance import covariate_balance


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=300),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64 - 1),
)
def test_the_control_share_is_right_to_one_customer_and_each_stratum_to_less_than_one(
    codes: list[int], share: float, seed: int
) -> None:
    stratum, keys = np.array(codes, np.int32), np.arange(len(codes), dtype=np.int64) * 7
    control = assign_arms(keys, stratum, share, seed) == CONTROL
    assert abs(control.sum() - share * len(keys)) <= 1
    for code in set(codes):
        mine = stratum == code
        assert abs(control[mine].sum() - share * mine.sum()) < 1 + 1e-9


def test_the_order_of_rows_does_not_move_anybody() -> None:
    dice = np.random.default_rng(1)
    keys = dice.permutation(100_000)[:5_000].astype(np.int64)
    stratum = (keys % 37).astype(np.int32)
    arm, order = assign_arms(keys, stratum, 0.1, 99), dice.permutation(len(keys))
    np.testing.assert_array_equal(assign_arms(keys[order], stratum[order], 0.1, 99), arm[order])


def test_another_seed_draws_another_control_group() -> None:
    keys, stratum = np.arange(20_000), np.zeros(20_000, np.int32)
    one, other = (assign_arms(keys, stratum, 0.5, seed) == CONTROL for seed in (1, 2))
    assert abs((one & other).sum() - 5_000) < 250


def test_everybody_has_the_same_probability_of_control_in_strata_of_one_customer() -> None:
    keys, stratum = np.arange(40), np.arange(40, dtype=np.int32)
    drawn = sum((assign_arms(keys, stratum, 0.25, seed) == CONTROL).astype(int) for seed in range(4_000))
    assert chisquare(drawn).pvalue > 0.001
    assert abs(drawn.mean() / 4_000 - 0.25) < 0.01


def test_hashes_are_the_published_ones_and_even() -> None:
    # SplitMix64 seeded with 0 gives this as its first number (Vigna's reference implementation).
    from serving.experiments.assignment import _mixed

    assert int(_mixed(np.zeros(1, np.uint64))[0]) == 0xE220A8397B1DCDAF
    hashes = keyed_hash(5, np.arange(100_000))
    assert len(np.unique(hashes)) == 100_000
    counts = np.bincount((hashes >> np.uint64(58)).astype(np.int64), minlength=64)
    assert chisquare(counts).pvalue > 0.001


def test_a_larger_share_holds_everyone_of_a_smaller_one() -> None:
    keys = np.arange(50_000)
    two, five = in_share(3, keys, 0.02), in_share(3, keys, 0.05)
    assert (five | ~two).all()
    assert abs(two.mean() - 0.02) < 0.003
    assert not in_share(3, keys, 0.0).any()
    assert in_share(3, keys, 1.0).all()


def test_risk_deciles_follow_the_probability_alone() -> None:
    probability = np.append(np.linspace(0, 1, 1_000), [np.nan, 0.5])
    decile = risk_deciles(probability)
    assert np.abs(np.bincount(decile[:1_000]) - 100).max() <= 1
    assert decile[1_000] == -1
    assert decile[1_001] in (4, 5)
    assert len(np.unique(strata(decile, np.zeros(len(decile), np.int8), 5))) == 11


def test_a_million_customers_are_assigned_in_under_five_seconds() -> None:
    dice = np.random.default_rng(2)
    keys, probability = np.arange(1_000_000), dice.random(1_000_000)
    tier = dice.integers(0, 5, 1_000_000).astype(np.int8)
    started = time.perf_counter()
    arm = assign_arms(keys, strata(risk_deciles(probability), tier, 5), 0.1, 7)
    assert time.perf_counter() - started < 5
    assert (arm == CONTROL).sum() in (100_000, 100_001)


def test_the_balance_is_the_difference_in_standard_deviations() -> None:
    arm = np.array([TREATMENT, TREATMENT, CONTROL, CONTROL], np.int8)
    risk, empty = covariate_balance(
        arm, {"risk": np.array([1.0, 3.0, 2.0, 4.0]), "value": np.full(4, np.nan)}
    )
    assert (risk.treatment, risk.control) == (2.0, 3.0)
    assert risk.standardised_difference == pytest.approx(-1.0)
    assert empty.standardised_difference is None

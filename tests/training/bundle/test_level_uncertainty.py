"""The interval of the expected number of leavers follows the misses of past levels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from training.bundle.level_uncertainty import LevelUncertainty, quantile_of_t


def test_quantiles_of_student_s_t_are_those_of_the_tables() -> None:
    for freedom in (3.0, 4.5, 8.0, 30.0, 1e6):
        for q in (0.9, 0.95):
            assert quantile_of_t(q, freedom) == pytest.approx(t.ppf(q, freedom), abs=0.01)


def test_the_expected_number_is_the_sum_and_lies_in_its_interval() -> None:
    p = np.random.default_rng(0).random(500)
    found = LevelUncertainty(0.2, 5.0, 2).expected_leavers(p)
    assert found.expected == pytest.approx(p.sum())
    assert 0 <= found.low < found.expected < found.high <= 500


def test_the_interval_does_not_narrow_with_the_number_of_customers() -> None:
    few, many = (LevelUncertainty(0.2, 5.0, 2).expected_leavers(np.full(n, 0.3)) for n in (1_000, 100_000))
    width = [(one.high - one.low) / one.expected for one in (few, many)]
    assert width[1] > 0.7 * width[0]


def test_an_interval_without_misses_is_binomial() -> None:
    found = LevelUncertainty(0.0, 1e6, 50).expected_leavers(np.full(10_000, 0.5))
    assert found.high - found.expected == pytest.approx(norm.ppf(0.9) * 50, rel=1e-3)


def test_fewer_misses_and_larger_ones_widen_it() -> None:
    p = np.full(1_000, 0.2)
    known, few, large = (
        LevelUncertainty(spread, freedom, 0).expected_leavers(p).high
        for spread, freedom in ((0.1, 20.0), (0.1, 3.0), (0.3, 20.0))
    )
    assert known < few < large


def test_nobody_is_expected_to_leave_of_nobody() -> None:
    found = LevelUncertainty(0.2, 5.0, 2).expected_leavers(np.empty(0))
    assert (found.expected, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_interval_of_a_share_is_that_of_very_many_customers() -> None:
    level = LevelUncertainty(0.2, 5.0, 2)
    many = level.expected_leavers(np.full(1_000_000, 0.3))
    assert level.share_interval(0.3) == pytest.approx((many.low / 1_000_000, many.high / 1_000_000), abs=1e-4)

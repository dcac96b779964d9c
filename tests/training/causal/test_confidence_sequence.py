"""Confidence sequences hold at all looks together, whatever the looks have in common."""

from __future__ import annotations

import numpy as np
import pytest

from training.causal.confidence_sequence import information_clock, sequence_factors
from training.statistics import Floats


def brownian(clock: Floats) -> Floats:
    """The correlation of Brownian motion at these readings of its clock."""
    return np.asarray(np.sqrt(np.minimum.outer(clock, clock) / np.maximum.outer(clock, clock)))


def test_the_clock_of_independent_increments_is_their_variance() -> None:
    clock = np.array([1.0, 2.0, 5.0, 5.5, 30.0])
    assert information_clock(brownian(clock)) == pytest.approx(clock)


def test_the_clock_of_leaving_without_return_is_the_odds_of_having_left() -> None:
    left = np.array([0.05, 0.1, 0.2, 0.5])
    early, late = np.minimum.outer(left, left), np.maximum.outer(left, left)
    correlation = np.sqrt(early / (1 - early) * (1 - late) / late)
    odds = left / (1 - left)
    assert information_clock(correlation) == pytest.approx(odds / odds[0])


@pytest.mark.parametrize(
    "correlation",
    [
        brownian(np.arange(1.0, 13.0)),
        brownian(np.arange(1.0, 366.0, 14)),
        np.full((12, 12), 0.9) + 0.1 * np.eye(12),
        np.full((12, 12), 0.3) + 0.7 * np.eye(12),
        np.eye(12),
    ],
    ids=["monthly", "fortnightly", "alike", "weakly", "independent"],
)
def test_all_looks_hold_together_at_least_as_often_as_promised(correlation: Floats) -> None:
    chance = np.random.default_rng(3)
    looks = chance.multivariate_normal(np.zeros(len(correlation)), correlation, 20_000, method="eigh")
    held = (np.abs(looks) <= sequence_factors(correlation)).all(axis=1).mean()
    assert held >= 0.95


def test_a_later_look_changes_no_earlier_interval() -> None:
    correlation = brownian(np.array([1.0, 1.7, 4.0, 9.0]))
    assert sequence_factors(correlation)[:2] == pytest.approx(sequence_factors(correlation[:2, :2]))


def test_monthly_looks_are_less_than_twice_as_wide_as_one() -> None:
    assert np.median(sequence_factors(brownian(np.arange(1.0, 13.0)))) < 1.7 * 1.96

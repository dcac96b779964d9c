"""Alarms of calibration: valid at every look, found where scores are wrong, quiet where they are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from benchmarks.monitoring import raised, service
from features.timeline import DAY
from training.bundle.level_uncertainty import LevelUncertainty
from training.monitoring.alarms import (
    CalibrationGaps,
    ModelRun,
    calibration_alarms,
    calibration_gaps,
    half_widths,
    level_reach,
    model_runs,
)
from training.monitoring.outcome_performance import BANDS, JudgedRows

RUN = [ModelRun("1", 0, 1)]
LEVEL = LevelUncertainty(0.0666, 27.0, 24)
"""24 past levels that never missed."""


def date(
    seed: int, day: int, factor: float = 1.0, customers: int = 5_000, level: LevelUncertainty = LEVEL
) -> CalibrationGaps:
    """One date of new customers, of whom `factor` times as many leave as is said."""
    chance = np.random.default_rng(seed)
    p = chance.beta(1.2, 4.8, customers)
    left = chance.random(customers) < np.minimum(p * factor, 1.0)
    rows = JudgedRows(
        chance.permutation(10 * customers)[:customers],
        p,
        np.full(customers, 100.0),
        left,
        np.zeros(customers),
        np.zeros(customers, np.bool_),
    )
    return calibration_gaps(rows, day * DAY, "1", level, 30.0)


def test_gaps_are_sums_over_everyone_and_bands() -> None:
    one = date(1, 0)
    assert one.gaps[:, 0].sum() == pytest.approx(one.gaps[:, 1:].sum())
    assert one.expected[0] == pytest.approx(one.expected[1:].sum())
    assert one.money is not None
    assert one.money[0] == pytest.approx(100.0 * one.gaps[:, 0].sum())
    assert one.gaps.shape == (1_000, 1 + BANDS)


def test_wrong_scores_raise_an_alarm_that_says_by_how_much_and_what_is_at_stake() -> None:
    dates = [date(seed, 30 * seed, 1.3) for seed in range(3)]
    alarm = calibration_alarms(dates, RUN, str)[0]
    assert (alarm.group, alarm.direction, alarm.severity) == ("everyone", "more", "high")
    assert alarm.low < 1.28 < alarm.high
    assert alarm.low > 1.03
    assert alarm.money == pytest.approx(100 * (alarm.leavers - alarm.expected_leavers))
    assert (
        calibration_alarms([date(seed, 30 * seed, 0.7) for seed in range(3)], RUN, str)[0].direction
        == "fewer"
    )


def test_right_scores_of_a_hundred_services_are_quiet() -> None:
    noisy = [
        seed
        for seed in range(100)
        if calibration_alarms([date(100 * seed + month, 30 * month) for month in range(12)], RUN, str)
    ]
    assert len(noisy) <= 5, noisy


def test_daily_looks_at_customers_who_remain_are_quiet_and_wrong_ones_are_found() -> None:
    """The simulation of `benchmarks.monitoring`: rows of one customer at many dates, a level that moves."""
    assert not [seed for seed in range(3) if raised(service(seed, 0.05, 120, customers=2_000))]
    assert all(raised(service(seed, 0.0, 60, factor=1.2)) for seed in range(2))


def test_a_level_that_may_move_so_far_raises_no_alarm() -> None:
    unsure = LevelUncertainty(0.4, 5.0, 2)
    dates = [date(seed, 30 * seed, 1.3, level=unsure) for seed in range(3)]
    assert calibration_alarms(dates, RUN, str) == ()


def test_dates_of_one_horizon_count_the_level_once() -> None:
    """With a level that decides, thirty dates within one horizon say hardly more than one."""
    unsure = LevelUncertainty(0.3, 5.0, 2)
    same, apart = ([date(s, gap * s, level=unsure) for s in range(10)] for gap in (1, 40))
    share = [
        half_widths(dates, 0, 0.01)[0][-1] / sum(d.expected[0] for d in dates) for dates in (same, apart)
    ]
    assert share[0] > 2.0 * share[1]


def test_an_interval_never_changes_when_later_dates_come() -> None:
    dates = [date(seed, seed) for seed in range(12)]
    whole, _ = half_widths(dates, 0, 0.01)
    early, _ = half_widths(dates[:7], 0, 0.01)
    np.testing.assert_allclose(whole[:7], early)


def test_a_handful_of_customers_is_not_judged() -> None:
    assert calibration_alarms([date(seed, 30 * seed, 3.0, customers=60) for seed in range(3)], RUN, str) == ()


def test_a_new_model_begins_a_sequence_of_its_own_with_less_of_the_error() -> None:
    runs = model_runs([(0, "1"), (DAY, "1"), (40 * DAY, "2"), (80 * DAY, "1"), (800 * DAY, "3")])
    assert [(one.model_version, one.start // DAY, one.attempt) for one in runs] == [
        ("1", 0, 1), ("2", 40, 2), ("1", 80, 3), ("3", 800, 1),
    ]  # fmt: skip
    wrong, right = [date(1, 0, 1.5), date(2, 30, 1.5)], [date(3, 60), date(4, 90)]
    assert calibration_alarms(wrong, RUN, str)
    assert calibration_alarms(wrong + right, [*RUN, ModelRun("2", 60 * DAY, 2)], str) == ()


def test_the_level_reaches_as_far_as_students_t() -> None:
    few = LevelUncertainty(0.2, 5.0, 2)
    assert level_reach(few, 3.5) == pytest.approx(0.2 * t.isf(norm.sf(3.5), 5.0) / 3.5)
    misses = 24
    own = LevelUncertainty(float(np.sqrt((misses * 0.05**2 + 3 * 0.2**2) / 27)), 27.0, misses)
    assert level_reach(own, 3.5) == pytest.approx(0.05 * t.isf(norm.sf(3.5), 24.0) / 3.5)

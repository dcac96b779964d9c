"""Tests of the smallest effects that a campaign could see, and of how they are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.timeline import DAY
from serving.experiments.balance import CovariateBalance
from serving.experiments.outcomes import campaign_outcomes
from serving.experiments.visible_effects import VisibleEffect, expected_churn, reach_text, visible_effects
from serving.presentation.campaigns import _balance_line
from serving.presentation.messages.catalog import translated
from tests.serving.experiments.made_campaign import assignment, rules
from tests.serving.reports.small import UTC, churn, store

SILENT, ENDED = churn(horizon_days=30), churn(type="contract", horizon_days=30)


def after_a_month(treatment: int, control: int, probability: float) -> VisibleEffect:
    """What these arms could see a month after the start, where this share leaves within it."""
    risks = np.full(treatment + control, probability)
    return visible_effects((treatment, control), risks, None, SILENT, 0, {1: 30 * DAY})[0]


def test_an_effect_of_more_than_half_of_the_churn_is_hard_to_reach() -> None:
    few, many = after_a_month(210, 90, 0.134), after_a_month(21_000, 9_000, 0.134)
    assert few.retention is not None
    assert few.retention > 0.067
    assert (few.is_hard_to_reach, many.is_hard_to_reach) == (True, False)
    assert after_a_month(5, 5, 0.134).is_hard_to_reach, "nothing at all is seen"


def test_the_customers_that_are_named_see_the_wanted_difference() -> None:
    effect = after_a_month(210, 90, 0.134)
    assert effect.customers is not None
    assert effect.wanted == 0.05
    controls = round(effect.customers * 0.3)
    enough = after_a_month(effect.customers - controls, controls, 0.134).retention
    assert enough is not None
    assert enough == pytest.approx(0.05, rel=0.001)


def test_where_little_churn_is_expected_half_of_it_is_wanted() -> None:
    assert after_a_month(210, 90, 0.04).wanted == pytest.approx(0.02)
    nobody = after_a_month(210, 90, 0.0)
    assert (nobody.wanted, nobody.customers) == (0.0, None)
    assert translated(reach_text(nobody), "ja").startswith("1か月後は、離反を0.0%から0%まで減らせても")


def test_the_reach_is_said_in_one_sentence_in_both_languages() -> None:
    effect = VisibleEffect(1, 0, 0.134, 0.12, None, 0.05, 2_345)
    assert reach_text(effect) == (
        "At the 1-month review churn must have fallen from 13.4% to 1.4% to be seen; with 2,345 customers a "
        "difference of 5.0 points is seen."
    )
    assert translated(reach_text(effect), "ja") == (
        "1か月後は、離反を13.4%から1.4%まで減らせて初めて効果が分かります。"
        "2,345名いれば5.0ポイントの差が分かります。"
    )
    unseen = VisibleEffect(3, 0, 0.134, None, None, 0.05, 2_345)
    assert translated(reach_text(unseen), "ja").startswith("3か月後は、離反を13.4%から0%まで")


def test_contracts_that_end_add_up_and_silence_that_people_leave_again_does_not() -> None:
    risks = np.array([0.2, 0.4])
    assert expected_churn(ENDED, risks, 3.0) == pytest.approx((0.488 + 0.784) / 2)
    assert [expected_churn(SILENT, risks, n) for n in (1.0, 3.0, 12.0)] == pytest.approx([0.3] * 3)
    assert expected_churn(SILENT, risks, 0.5) > 0.5, "half a horizon is sooner silent than a whole"
    assert expected_churn(SILENT, np.empty(0), 1.0) == 0.0


def test_the_silence_that_is_expected_is_what_the_outcomes_then_count(tmp_path: Path) -> None:
    dice, names = np.random.default_rng(1), [f"c{number:03d}" for number in range(300)]
    rates = dice.gamma(2.0, 0.02, len(names))  # purchases a day
    lines = [f"{name} 2024-12-01 purchase 10" for name in names]
    for name, rate in zip(names, rates, strict=True):
        days = np.flatnonzero(dice.random(90) < 1 - np.exp(-rate)).tolist()
        lines += [f"{name} {date(2025, 1, 1) + timedelta(day)} purchase 10" for day in days]
    made = store(tmp_path, "\n".join(lines))
    dates = [UTC.instant(day) for day in ("2025-01-11", "2025-01-31", "2025-04-01")]
    settings = rules(horizon_days=30)
    found = campaign_outcomes(made, settings, assignment(made, dict.fromkeys(names, "c")), dates)
    seen = 1 - found.values["retained"].mean(axis=0)
    for share, day in zip(seen, dates, strict=True):
        horizons = (day - settings.started_at) / (30 * DAY)
        assert expected_churn(settings.churn, np.exp(-rates * 30), horizons) == pytest.approx(share, abs=0.06)


def test_a_difference_at_the_mark_is_uneven_and_an_unknown_one_is_not() -> None:
    marks = [CovariateBalance("risk", 0.1, 0.2, value).is_uneven for value in (None, 0.0, 0.099, 0.1, -0.3)]
    assert marks == [False, False, False, True, True]
    uneven = CovariateBalance("tenure", 400.0, 500.0, -0.137)
    assert _balance_line(uneven, "en") == (
        "tenure (days): 400 / 500  -0.137  uneven by chance: the report adjusts for it"
    )
    assert "効果の集計で調整します" in _balance_line(uneven, "ja")
    assert "uneven" not in _balance_line(replace(uneven, standardised_difference=0.05), "en")


def test_a_review_date_after_the_hold_is_told_apart() -> None:
    dates = {1: 30 * DAY, 3: 90 * DAY, 12: 360 * DAY}
    found = visible_effects((50, 50), np.full(100, 0.2), None, SILENT, 0, dates, hold_ends=90 * DAY)
    assert [one.after_hold for one in found] == [False, False, True]

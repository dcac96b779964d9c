"""As-of dates: where they lie, whom they teach, and what they never share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import DataError
from features.timeline import DAY, Horizon, Timeline
from tests.training.worlds import INACTIVITY, day
from training.data.splits import (
    ALL_DATES,
    DENSE_DATES,
    FIT_DATES,
    PER_HORIZON,
    a_year_before,
    temporal_splits,
)

UTC = Timeline("UTC")
MONTHLY = replace(INACTIVITY, active_days=60, horizon=Horizon(30))


@given(st.integers(100, 1200), st.integers(1, 90), st.integers(0, 20), st.integers(1, 120))
def test_no_label_of_a_role_reaches_into_the_next_role(
    days: int, horizon: int, lead: int, active: int
) -> None:
    churn = replace(INACTIVITY, active_days=active, horizon=Horizon(horizon, lead))
    if days <= active + horizon + lead + 1:
        return
    found = temporal_splits(day(0), day(days), churn, UTC)
    reach = (horizon + lead) * DAY
    history = max(1, active // 4)
    whole = tuple(date for date in found.every if date - active * DAY >= day(0))
    assert found.every[0] - history * DAY >= day(0)
    assert found.labelled == (whole if len(whole) >= PER_HORIZON else found.every)
    assert found.labelled[-1] + reach <= day(days)
    assert list(found.labelled) == sorted(set(found.labelled))
    if not found.cross_fitted:
        assert found.fit[-1] + reach <= found.calibrate[0]
        assert found.calibrate[-1] + reach <= found.test[0]
        assert found.test[-1] == found.labelled[-1]
        assert 1 <= len(found.fit) <= FIT_DATES
        assert len(found.calibrate) == len(found.test)
    else:
        assert found.fit == found.calibrate == found.test == found.labelled


def test_dates_are_local_midnights_a_sixth_of_the_horizon_apart() -> None:
    tokyo = Timeline("Asia/Tokyo")
    found = temporal_splits(day(0), day(364.7), MONTHLY, tokyo)
    assert all(tokyo.local(date).hour == 0 for date in found.labelled)
    assert {b - a for a, b in zip(found.labelled, found.labelled[1:], strict=False)} == {5 * DAY}
    assert (len(found.fit), len(found.calibrate), len(found.test)) == (33, 6, 6)


def test_dates_stay_at_midnight_when_the_clocks_change() -> None:
    berlin = Timeline("Europe/Berlin")
    found = temporal_splits(day(0), day(300), MONTHLY, berlin)
    assert all(berlin.local(date).hour == 0 for date in found.labelled)


def test_a_horizon_of_a_few_days_still_has_daily_dates() -> None:
    found = temporal_splits(day(0), day(60), replace(MONTHLY, active_days=10, horizon=Horizon(3)), UTC)
    assert found.labelled[1] - found.labelled[0] == DAY


def test_too_little_history_for_three_roles_is_low_evidence_not_silence() -> None:
    assert temporal_splits(day(0), day(100), MONTHLY, UTC).cross_fitted
    assert not temporal_splits(day(0), day(200), MONTHLY, UTC).cross_fitted


def test_too_little_history_for_one_date_says_which_dates_are_needed() -> None:
    with pytest.raises(DataError) as refusal:
        temporal_splits(day(0), day(40), MONTHLY, UTC)
    assert refusal.value.message == (
        "cannot train: churn within 30 days among those active in the last 60 days needs events from "
        "2024-01-01 until 2024-02-15, but they end on 2024-02-10. Ingest more history, or write a smaller "
        "active_days or horizon_days in [churn]."
    )


def test_two_years_of_a_short_horizon_lie_dense_at_the_end_and_wide_before() -> None:
    found = temporal_splits(day(0), day(800), MONTHLY, UTC)
    gaps = [(b - a) // DAY for a, b in zip(found.every, found.every[1:], strict=False)]
    assert ALL_DATES - 2 <= len(found.every) <= ALL_DATES
    assert set(gaps[-(DENSE_DATES - 1) :]) == {5}
    assert len(set(gaps[: FIT_DATES - 2])) == 1
    assert 650 < (found.every[-1] - found.every[0]) // DAY <= 730
    assert a_year_before(found.answers, found.every, MONTHLY)


def test_a_horizon_near_a_year_asks_on_the_same_day_of_the_year() -> None:
    yearly = replace(MONTHLY, active_days=365, horizon=Horizon(365))
    end = UTC.instant("2024-02-29")
    found = temporal_splits(UTC.instant("2018-05-01"), end + 10, yearly, UTC)
    assert [UTC.name(date) for date in found.every] == [
        "2019-02-28",
        "2020-02-28",
        "2021-02-28",
        "2022-02-28",
        "2023-02-28",
    ]
    assert (len(found.fit), len(found.calibrate), len(found.test)) == (3, 1, 1)


def test_dates_with_less_history_help_out_but_do_not_teach_where_others_fill_a_horizon() -> None:
    quarterly = replace(MONTHLY, active_days=365, horizon=Horizon(90))
    found = temporal_splits(day(0), day(647), quarterly, UTC)
    assert not found.cross_fitted
    assert found.labelled[0] >= day(365) > found.every[0] >= day(91)
    assert set(found.labelled) < set(found.every)
    assert a_year_before(found.answers, found.every, quarterly)


def test_the_year_before_is_a_quarter_of_the_horizon_wide_on_either_side() -> None:
    dates = [day(n) for n in range(0, 60, 5)]
    assert a_year_before(day(30 + 365), dates, MONTHLY) == (day(25), day(30), day(35))
    assert a_year_before(day(100 + 365), dates, MONTHLY) == ()

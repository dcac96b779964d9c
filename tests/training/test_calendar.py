"""As-of dates: where they lie, whom they teach, and what they never share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import DataError
from features.timeline import DAY, Horizon, Timeline
from tests.training.worlds import INACTIVITY, day
from training.calendar import FIT_DATES, calendar

UTC = Timeline("UTC")
MONTHLY = replace(INACTIVITY, active_days=60, horizon=Horizon(30))


@given(st.integers(100, 1200), st.integers(1, 90), st.integers(0, 20), st.integers(1, 120))
def test_no_label_of_a_role_reaches_into_the_next_role(
    days: int, horizon: int, lead: int, active: int
) -> None:
    churn = replace(INACTIVITY, active_days=active, horizon=Horizon(horizon, lead))
    if days <= active + horizon + lead + 1:
        return
    found = calendar(day(0), day(days), churn, UTC)
    reach = (horizon + lead) * DAY
    assert found.labelled[0] - active * DAY >= day(0)
    assert found.labelled[-1] + reach <= day(days)
    assert list(found.labelled) == sorted(set(found.labelled))
    if found.evidence == "normal":
        assert found.fit[-1] + reach <= found.calibrate[0]
        assert found.calibrate[-1] + reach <= found.test[0]
        assert found.test[-1] == found.labelled[-1]
        assert 1 <= len(found.fit) <= FIT_DATES
        assert len(found.calibrate) == len(found.test)
    else:
        assert found.fit == found.calibrate == found.test == found.labelled


def test_dates_are_local_midnights_a_sixth_of_the_horizon_apart() -> None:
    tokyo = Timeline("Asia/Tokyo")
    found = calendar(day(0), day(364.7), MONTHLY, tokyo)
    assert all(tokyo.local(date).hour == 0 for date in found.labelled)
    assert {b - a for a, b in zip(found.labelled, found.labelled[1:], strict=False)} == {5 * DAY}
    assert (len(found.fit), len(found.calibrate), len(found.test)) == (33, 6, 6)


def test_dates_stay_at_midnight_when_the_clocks_change() -> None:
    berlin = Timeline("Europe/Berlin")
    found = calendar(day(0), day(300), MONTHLY, berlin)
    assert all(berlin.local(date).hour == 0 for date in found.labelled)


def test_a_horizon_of_a_few_days_still_has_daily_dates() -> None:
    found = calendar(day(0), day(60), replace(MONTHLY, active_days=10, horizon=Horizon(3)), UTC)
    assert found.labelled[1] - found.labelled[0] == DAY


def test_too_little_history_for_three_roles_is_low_evidence_not_silence() -> None:
    assert calendar(day(0), day(100), MONTHLY, UTC).evidence == "low"
    assert calendar(day(0), day(200), MONTHLY, UTC).evidence == "normal"


def test_too_little_history_for_one_date_says_which_dates_are_needed() -> None:
    with pytest.raises(DataError) as refusal:
        calendar(day(0), day(50), MONTHLY, UTC)
    assert refusal.value.message == (
        "cannot train: churn within 30 days among those active in the last 60 days needs events from "
        "2024-01-01 until 2024-03-01, but they end on 2024-02-20. Ingest more history, or write a smaller "
        "active_days or horizon_days in [churn]."
    )

"""Days, dates and zones: where one day ends and what a person's date means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationError, UsageError
from features.timeline import ALWAYS, DAY, Horizon, Timeline, from_instant, in_history, in_window, to_instant

ZONES = ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"]


@given(st.integers(0, 4 * 10**15), st.sampled_from(ZONES))
def test_a_local_day_begins_at_its_midnight(instant: int, zone: str) -> None:
    midnights = Timeline(zone).midnights
    day = int(np.searchsorted(midnights, instant, side="right")) - 1

    def local(at: int) -> str:
        return from_instant(at).astimezone(ZoneInfo(zone)).date().isoformat()

    assert local(int(midnights[day])) == local(instant)
    assert local(int(midnights[day]) - 1) != local(instant)


@given(st.integers(0, 4 * 10**15).map(from_instant))
def test_an_instant_names_its_moment_without_rounding(moment: datetime) -> None:
    assert from_instant(to_instant(moment)) == moment


def test_a_bare_date_is_midnight_in_the_projects_zone() -> None:
    tokyo = Timeline("Asia/Tokyo")
    assert from_instant(tokyo.instant("2017-11-15")) == datetime(2017, 11, 14, 15, tzinfo=UTC)
    assert tokyo.name(tokyo.instant("2017-11-15")) == "2017-11-15"
    assert tokyo.instant("2017-11-15T00:00:00+00:00") - tokyo.instant("2017-11-15") == 9 * 3600 * 1_000_000


def test_the_default_as_of_date_is_the_midnight_after_the_newest_event_and_never_past_now() -> None:
    calendar = Timeline("Europe/Berlin")
    newest = calendar.instant("2024-03-30T18:00:00")
    assert calendar.as_of_after(newest, newest + 9 * DAY) == calendar.instant("2024-03-31")
    assert calendar.as_of_after(newest, newest + 60) == newest + 60
    at_midnight = calendar.instant("2024-03-31")  # an event at midnight belongs to the day that begins
    assert calendar.as_of_after(at_midnight, at_midnight + 9 * DAY) == calendar.instant("2024-04-01")


def test_the_edges_of_history_windows_and_horizon_are_half_open() -> None:
    as_of, horizon = 100 * DAY, Horizon(days=30, lead_days=7)
    occurred = np.array(
        [as_of - 1, as_of, as_of + 7 * DAY - 1, as_of + 7 * DAY, as_of + 37 * DAY - 1, as_of + 37 * DAY]
    )
    assert in_history(occurred, None, as_of).tolist() == [True, False, False, False, False, False]
    future = [horizon.start(as_of) <= one < horizon.end(as_of) for one in occurred.tolist()]
    assert future == [False, False, False, True, True, False]
    earlier = np.array([as_of - 7 * DAY - 1, as_of - 7 * DAY, as_of - 1, as_of])
    assert in_window(earlier, 7, as_of).tolist() == [False, True, True, False]
    recorded = np.array([as_of - 1, as_of, ALWAYS])
    assert in_history(np.full(3, as_of - 5), recorded, as_of).tolist() == [True, False, True]


def test_days_of_a_daylight_saving_zone_have_23_to_25_hours() -> None:
    hours = {int(length) // 3_600_000_000 for length in np.diff(Timeline("Europe/Berlin").midnights)}
    assert hours == {23, 24, 25}
    assert set(np.diff(Timeline("Asia/Tokyo").midnights).tolist()) == {DAY}


def test_an_unreadable_date_and_an_unknown_zone_are_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError) as date:
        Timeline().instant("15/11/2017")
    assert str(date.value) == (
        "cannot read '15/11/2017' as a date: write it like 2017-11-15 or 2017-11-15T09:30:00+09:00"
    )
    with pytest.raises(ConfigurationError) as zone:
        Timeline("Tokyo")
    assert str(zone.value) == (
        "cannot use the time zone 'Tokyo': no zone has that name. "
        'Write an IANA name such as "Asia/Tokyo" or "UTC".'
    )


def test_midnight_after_a_moment_is_the_next_one() -> None:
    calendar = Timeline("Asia/Tokyo")
    noon = calendar.instant("2024-02-28T12:00:00")
    assert from_instant(calendar.midnight_after(noon)) == datetime(2024, 2, 28, 15, tzinfo=UTC)
    assert calendar.midnight_after(calendar.instant("2024-02-29")) == calendar.instant("2024-02-29")
    assert timedelta(microseconds=calendar.midnight_after(noon) - noon) == timedelta(hours=12)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-05:00"])
def test_a_moment_at_the_ends_of_the_calendar_is_refused(moment: str) -> None:
    with pytest.raises(UsageError) as refused:
        Timeline("Asia/Tokyo").instant(moment)
    assert str(refused.value) == (
        f"cannot use the moment {moment}: its year is not between 2 and 9998. Check the year."
    )


def test_every_moment_that_is_taken_has_a_name_in_every_zone() -> None:
    for moment in ("0002-01-01T00:00:00+14:00", "9998-12-31T23:59:59-12:00"):
        for name in ("Pacific/Kiritimati", "Etc/GMT+12"):
            instant = Timeline(name).instant(moment)
            assert to_instant(datetime.fromisoformat(Timeline(name).name(instant))) == instant

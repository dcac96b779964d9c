"""Which past dates tell a level: the last whose months have passed, on the same day of the year."""

from __future__ import annotations

import pytest

from features.timeline import Timeline
from training.data.lifetime.matured_dates import matured_dates

UTC = Timeline()


def dates(at: str, first: str, months: tuple[int, ...]) -> tuple[list[str | None], list[str], str | None]:
    found = matured_dates(UTC.instant(at), UTC.instant(first), months, UTC)
    level = [None if one is None else UTC.name(one) for one in found.level]
    short = None if found.short is None else UTC.name(found.short[0])
    return level, [UTC.name(one) for one in found.learned], short


def test_each_horizon_is_told_by_the_last_date_it_has_passed_from() -> None:
    level, learned, short = dates("2015-01-01", "2005-01-02", (12, 24, 36))
    assert level == ["2014-01-01", "2013-01-01", "2012-01-01"]
    assert learned == ["2014-01-01", "2013-10-01", "2013-07-01"]
    assert short is None


def test_half_a_year_is_told_by_the_same_half_of_the_year_before() -> None:
    level, learned, _ = dates("2011-06-01", "2009-12-01", (6, 12))
    assert level == ["2010-06-01", "2010-06-01"]
    assert learned == ["2010-12-01", "2010-09-01", "2010-06-01"]


def test_a_first_year_has_no_matured_cohort_and_a_shorter_span_stands_in() -> None:
    level, learned, short = dates("2010-12-01", "2009-12-01", (12, 24))
    assert (level, learned, short) == ([None, None], [], "2010-06-01")


def test_a_record_of_weeks_tells_nothing() -> None:
    assert dates("2010-02-01", "2009-12-01", (12,)) == ([None], [], None)


def test_no_end_that_is_asked_for_lies_after_the_date() -> None:
    at = UTC.instant("2012-02-29")
    found = matured_dates(at, UTC.instant("2005-01-01"), (1, 6, 12, 13, 24), UTC)
    for date, ends in found.ends(at, (1, 6, 12, 13, 24), UTC).items():
        assert date < at
        assert ends
        assert max(ends) <= at


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        ("America/Santiago", "2024-09-03"),
        ("Asia/Beirut", "2025-03-31"),
        ("Africa/Cairo", "2025-04-26"),
        ("America/Asuncion", "2024-10-01"),
    ],
)
def test_a_midnight_that_clocks_skipped_a_year_before_lets_no_end_lie_after_the_date(
    zone: str, at: str
) -> None:
    timeline = Timeline(zone)
    moment, months = timeline.instant(at), (6, 12)
    found = matured_dates(moment, timeline.instant("2019-01-01"), months, timeline)
    (date,) = {*found.level}
    assert date is not None
    assert timeline.months_after(date, 12) <= moment
    asked = found.ends(moment, months, timeline)
    assert {timeline.months_after(date, one) for one in months} <= {*asked[date]}
    assert all(timeline.months_after(one, 6) in asked[one] for one in found.learned)

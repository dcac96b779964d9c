"""The months of a report are whole calendar months of the project's zone."""

from __future__ import annotations

import re

import pytest

from features.errors import DataError
from features.timeline import Timeline
from serving.reports.periods import periods

TOKYO = Timeline("Asia/Tokyo")


def test_the_period_ends_with_the_last_whole_month_and_is_compared_with_before_and_last_year() -> None:
    found = periods(TOKYO.instant("2024-12-15"), TOKYO.instant("2022-01-01"), 3, TOKYO)
    assert found.period.name == "2024-09 – 2024-11"
    assert found.wholes.spans[found.previous].name == "2024-06 – 2024-08"
    assert found.wholes.spans[found.last_year].name == "2023-09 – 2023-11"
    assert [span.name for span in found.months.spans][-3:] == ["2024-09", "2024-10", "2024-11"]
    assert len(found.months.spans) == 15


def test_of_twelve_months_the_period_before_is_the_same_period_last_year() -> None:
    found = periods(TOKYO.instant("2025-01-01"), TOKYO.instant("2022-01-01"), 12, TOKYO)
    assert found.previous == found.last_year
    assert len(found.wholes.spans) == 2


def test_a_month_begins_at_local_midnight() -> None:
    found = periods(TOKYO.instant("2025-01-01"), TOKYO.instant("2022-01-01"), 3, TOKYO)
    assert found.period.start == Timeline("UTC").instant("2024-09-30T15:00:00")
    inside = found.wholes.place(TOKYO.midnights[:0])
    assert len(inside) == 0


def test_a_period_before_the_record_is_not_covered() -> None:
    found = periods(TOKYO.instant("2025-01-01"), TOKYO.instant("2024-05-20"), 3, TOKYO)
    covered = {span.name: span.covered for span in found.wholes.spans}
    assert covered == {"2023-10 – 2023-12": False, "2024-07 – 2024-09": True, "2024-10 – 2024-12": True}


def test_a_record_without_a_whole_month_is_refused() -> None:
    with pytest.raises(
        DataError,
        match="^"
        + re.escape(
            "cannot report: the record begins on 2024-12-03 and ends before 2024-12-20, and holds no whole "
            "month after its first. Ingest more history."
        )
        + "$",
    ):
        periods(TOKYO.instant("2024-12-20"), TOKYO.instant("2024-12-03"), 3, TOKYO)

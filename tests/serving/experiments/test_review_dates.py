"""Review dates: whole months after the start."""

from __future__ import annotations

from features.timeline import Timeline
from serving.experiments.review_dates import review_dates


def test_a_review_date_is_the_same_day_of_a_later_month_or_its_last() -> None:
    timeline = Timeline("Asia/Tokyo")
    dates = review_dates(timeline.instant("2024-11-30 09:30:00"), (1, 3, 12), timeline)
    assert [timeline.local(one).strftime("%Y-%m-%d %H:%M") for one in dates.values()] == [
        "2024-12-30 09:30",
        "2025-02-28 09:30",
        "2025-11-30 09:30",
    ]

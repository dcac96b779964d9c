"""Review dates of a campaign: whole months after its start, in the project's calendar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from features.timeline import Timeline
from serving.state.campaigns.campaign_index import DRAFT, LOADED, CampaignRecord, newest_result
from serving.state.database import Database


def review_dates(started_at: int, months: Sequence[int], timeline: Timeline) -> dict[int, int]:
    """The instant of each review date, by its months after the start."""
    return {number: timeline.months_after(started_at, number) for number in months}


def due_review(reached: Iterable[int], computed_at: int | None) -> int | None:
    """The newest of the review dates that were reached, unless a report was computed since."""
    newest = max(reached, default=None)
    return None if newest is None or (computed_at or 0) >= newest else newest


def campaign_review_due(
    database: Database, record: CampaignRecord, timeline: Timeline, now: int
) -> int | None:
    """The newest review date of a campaign that was reached until `now` and of which no effect was computed
    since, an instant; None where there is none, and for a campaign that was run elsewhere."""
    if record.state in (DRAFT, LOADED) or record.started_at is None or record.source == "table":
        return None
    dates = review_dates(record.started_at, record.review_months, timeline).values()
    reached = [day for day in dates if day <= now]
    result = newest_result(database, record.name) if reached else None
    return due_review(reached, None if result is None else result.computed_at)

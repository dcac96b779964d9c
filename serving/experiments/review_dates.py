"""Review dates of a campaign: whole months after its start, in the project's calendar."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence

from features.timeline import Timeline


def months_after(instant: int, months: int, timeline: Timeline) -> int:
    """The same local date and time so many months later; the last day of a month that is too short."""
    local = timeline.local(instant)
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    later = local.replace(year=year, month=month, day=min(local.day, monthrange(year, month)[1]))
    return timeline.instant(later)


def review_dates(started_at: int, months: Sequence[int], timeline: Timeline) -> dict[int, int]:
    """The instant of each review date, by its months after the start."""
    return {number: months_after(started_at, number, timeline) for number in months}


def due_review(reached: Iterable[int], computed_at: int | None) -> int | None:
    """The newest of the review dates that were reached, unless a report was computed since."""
    newest = max(reached, default=None)
    return None if newest is None or (computed_at or 0) >= newest else newest

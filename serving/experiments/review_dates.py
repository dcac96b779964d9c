"""Review dates of a campaign: whole months after its start, in the project's calendar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from features.timeline import Timeline


def review_dates(started_at: int, months: Sequence[int], timeline: Timeline) -> dict[int, int]:
    """The instant of each review date, by its months after the start."""
    return {number: timeline.months_after(started_at, number) for number in months}


def due_review(reached: Iterable[int], computed_at: int | None) -> int | None:
    """The newest of the review dates that were reached, unless a report was computed since."""
    newest = max(reached, default=None)
    return None if newest is None or (computed_at or 0) >= newest else newest

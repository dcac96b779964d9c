"""How old the data behind scores are: from when on newer ones are expected, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass

from features.timeline import DAY, Timeline
from serving.state.scores.score_metadata import ScoreMetadata

FRESH_DAYS = 7
"""Scores of a later day are expected after so many days."""


@dataclass(frozen=True)
class OldData:
    """The data behind scores that are too old to be taken for those of today."""

    ended_at: int
    """The newest event behind the scores, microseconds UTC; their as-of date where it is not known."""
    days: int
    """Whole days since then."""


def old_data(facts: ScoreMetadata, now: int) -> OldData | None:
    """How old the data behind scores are at an instant; None while newer scores are not expected yet."""
    if (now - facts.as_of) // DAY <= FRESH_DAYS:
        return None
    ended_at = facts.as_of if facts.data_until is None else facts.data_until
    return OldData(ended_at, int((now - ended_at) // DAY))


def old_data_warnings(facts: ScoreMetadata, now: int, timeline: Timeline) -> tuple[str, ...]:
    """What has to be said before somebody acts on scores of old data; empty where they are of today."""
    old = old_data(facts, now)
    if old is None:
        return ()
    return (
        f"The data behind the scores end on {timeline.name(old.ended_at)[:10]}, {old.days:,} days ago: who "
        "is drawn and what is expected are of that time. Take up newer data and score first.",
    )

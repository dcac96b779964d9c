"""The past dates that lifetime value is learned from: cohorts whose months have passed.

The level of a horizon is told by the last cohort that has matured and that begins on the same day of the
year: half a year from June is not the half year from December. The learned model knows that one and others a
season apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.timeline import DAY, Timeline

YEAR = 12
LEAST_DAYS = 60
"""Days of purchases before the first date that teaches anything."""
LEARNED_DATES = 3
LEARNED_STEP = 3
"""Months between the dates that the learned model knows."""
SHORTEST = 1
"""Months of the shortest horizon that intervals are learned from where the first has not matured."""


@dataclass(frozen=True)
class MaturedDates:
    """What can be learned at one date, for each horizon in months."""

    level: tuple[int | None, ...]
    """The date whose spend over the horizon tells its level; None where none has matured."""
    learned: tuple[int, ...]
    """The dates whose spend over the first horizon is learned from, the newest first."""
    short: tuple[int, int] | None
    """Where the first horizon has not matured: a date, and until when its spend is known."""

    def ends(self, at: int, months: tuple[int, ...], timeline: Timeline) -> dict[int, tuple[int, ...]]:
        """For each of the dates, until when its spend is asked: the ends of the horizons up to its own."""
        found: dict[int, set[int]] = {date: {timeline.months_after(date, months[0])} for date in self.learned}
        for place, date in enumerate(self.level):
            if date is not None:
                wanted = (timeline.months_after(date, one) for one in months[: place + 1])
                found.setdefault(date, set()).update(wanted)
        if self.short is not None:
            found.setdefault(self.short[0], set()).add(self.short[1])
        return {date: tuple(sorted(one for one in ends if one <= at)) for date, ends in found.items()}


def matured_dates(at: int, first: int, months: tuple[int, ...], timeline: Timeline) -> MaturedDates:
    """The dates for a model of the date `at`, where purchases begin at `first`."""
    since = first + LEAST_DAYS * DAY
    level = []
    for one in months:
        date = _months_before(at, YEAR * -(-one // YEAR), timeline)
        level.append(date if date >= since else None)
    back = (months[0] + LEARNED_STEP * step for step in range(LEARNED_DATES))
    learned = tuple(date for date in (_months_before(at, one, timeline) for one in back) if date >= since)
    short = None
    if level[0] is None:
        length = months[0]
        while short is None and length >= SHORTEST:
            date = _months_before(at, length, timeline)
            short = (date, at) if date >= since else None
            length //= 2
    return MaturedDates(tuple(level), learned, short)


def _months_before(at: int, months: int, timeline: Timeline) -> int:
    """The date from which so many months have passed: where clocks skipped its midnight, an hour earlier than
    the day begins, or the months would end after `at`."""
    date = timeline.months_after(at, -months)
    return date - max(0, timeline.months_after(date, months) - at)

"""The months and periods that a report speaks of: whole calendar months of the project's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError
from features.timeline import Instants, Timeline


@dataclass(frozen=True)
class TimeSpan:
    """A stretch of time `[start, end)`, with the name people know it by."""

    name: str
    start: int
    end: int
    covered: bool
    """Whether the record reaches back to its first month."""
    first_month: str
    """The month it begins with, such as 2024-02."""
    last_month: str


@dataclass(frozen=True)
class PeriodCalendar:
    """Spans that do not overlap, oldest first, and where each event lies."""

    spans: tuple[TimeSpan, ...]

    def __len__(self) -> int:
        return len(self.spans)

    def place(self, instants: Instants) -> NDArray[np.int64]:
        """int64[n]: the span of each instant, -1 outside of all."""
        starts = np.array([span.start for span in self.spans])
        ends = np.array([span.end for span in self.spans])
        place = np.searchsorted(starts, instants, side="right") - 1
        inside = (place >= 0) & (instants < ends[np.maximum(place, 0)])
        return np.where(inside, place, -1)


@dataclass(frozen=True)
class Periods:
    """What is compared: each month, and the period with the one before and the same one last year."""

    months: PeriodCalendar
    """The months of the period and, for comparison, those of the twelve months before it."""
    wholes: PeriodCalendar
    count: int
    """Months in the period."""
    current: int
    previous: int
    last_year: int
    """Places in `wholes`."""
    oldest: int = 0
    """When the record begins."""

    @property
    def period(self) -> TimeSpan:
        return self.wholes.spans[self.current]


def periods(as_of: int, oldest: int, months: int, timeline: Timeline) -> Periods:
    """The last `months` whole months before the as-of date, and what they are compared with.

    Raises `DataError` when the record does not hold one whole month.
    """
    today = timeline.local(as_of).date()
    last = today.year * 12 + today.month - 1
    first_day = timeline.local(oldest).date()
    known = first_day.year * 12 + first_day.month - 1

    def span(month: int, length: int) -> TimeSpan:
        first, last = _name(month), _name(month + length - 1)
        name = first if length == 1 else f"{first} – {last}"
        begin, end = _start(month, timeline), _start(month + length, timeline)
        return TimeSpan(name, begin, end, month >= known, first, last)

    if last <= known:
        raise DataError(
            f"cannot report: the record begins on {first_day} and ends before {today}, and holds no whole "
            "month after its first. Ingest more history."
        )
    begin = last - months
    starts = sorted({begin, begin - months, begin - 12})
    wholes = PeriodCalendar(tuple(span(start, months) for start in starts))
    return Periods(
        months=PeriodCalendar(tuple(span(month, 1) for month in range(begin - 12, last))),
        wholes=wholes,
        count=months,
        current=starts.index(begin),
        previous=starts.index(begin - months),
        last_year=starts.index(begin - 12),
        oldest=oldest,
    )


def _start(month: int, timeline: Timeline) -> int:
    return timeline.instant(date(month // 12, month % 12 + 1, 1))


def _name(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02}"

"""Instants, as-of dates, windows, horizons and local days: what is past and what is future.

An instant is an int64 count of microseconds since 1970-01-01 UTC. A day in a window, a horizon or a
lead is 86,400 seconds; only active days, clock features and the whole years of a definition of churn use
the project's calendar. No other module decides on which side of an as-of date an event lies: the rest
receives edges from here.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from features.errors import ConfigurationError, UsageError

Instants = NDArray[np.int64]
Moments = TypeVar("Moments", int, Instants)
"""One instant, or an array of them."""

SECOND = 1_000_000
DAY = 86_400 * SECOND
YEAR_DAYS = 365
"""So many days, or a multiple of them, stand for whole years where a calendar is given."""
ALWAYS = np.iinfo(np.int64).min
"""The `recorded_at` of an event that was known at once."""
NEVER = np.iinfo(np.int64).max
"""The `retracted_at` of an event that still counts."""

EARLIEST = 0
"""Events before 1970 are refused."""

_EPOCH, _MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC), time()
LATEST = (datetime(2100, 1, 1, tzinfo=UTC) - _EPOCH).days * DAY
"""No event is as late: the local days that are known (`Timeline.midnights`) end with 2100."""
_HOURS = (0, 6, 12, 18)
_YEARS = range(2, 9999)
"""Moments of the first and the last year of the calendar have no date in some zones."""


def to_instant(moment: datetime) -> int:
    """The instant of an aware datetime, in microseconds, without rounding."""
    since = moment.astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def from_instant(instant: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=int(instant))


@dataclass(frozen=True)
class Horizon:
    """The days of future that decide a label: `[as_of + lead, as_of + lead + days)`."""

    days: int
    lead_days: int = 0
    calendar: str | None = None
    """The time zone in which 365 days, or a multiple, end on the same date of a later year; None where
    every day is 86,400 seconds. A lead never counts years."""

    @property
    def reach(self) -> int:
        """Days between the as-of date and the end of the horizon, a year as 365."""
        return self.lead_days + self.days

    @property
    def years(self) -> int:
        """The whole years of the horizon; 0 where it counts days."""
        return whole_years(self.days) if self.calendar else 0

    def start(self, as_of: Moments) -> Moments:
        return as_of + self.lead_days * DAY

    def end(self, as_of: Moments) -> Moments:
        return days_after(self.start(as_of), self.days, self.calendar)


@dataclass(frozen=True)
class Timeline:
    """A project's calendar: reads dates, names instants, and cuts time into windows and local days."""

    timezone: str = "UTC"

    def __post_init__(self) -> None:
        zone(self.timezone)

    def instant(self, when: str | date | datetime) -> int:
        """The instant of a date (its local midnight) or of a moment (local time when it names no zone).

        Raises `UsageError` in the calendar's first and last year, where some zones have no date.
        """
        if isinstance(when, str):
            when = parse(when)
        if not isinstance(when, datetime):
            when = datetime.combine(when, time())
        if when.tzinfo is None:
            when = when.replace(tzinfo=zone(self.timezone))
        if not _YEARS.start <= when.year < _YEARS.stop:
            raise UsageError(
                f"cannot use the moment {when.isoformat()}: its year is not between {_YEARS.start} and "
                f"{_YEARS.stop - 1}. Check the year."
            )
        return to_instant(when)

    def name(self, instant: int) -> str:
        """How people write this instant: `2017-11-15` at a local midnight, else with time and offset."""
        moment = from_instant(instant).astimezone(zone(self.timezone))
        return moment.date().isoformat() if moment.time() == _MIDNIGHT else moment.isoformat()

    def midnight_after(self, instant: int) -> int:
        """The first local midnight at or after an instant."""
        moment = from_instant(instant).astimezone(zone(self.timezone))
        midnight = self.instant(moment.date())
        return midnight if midnight >= instant else self.instant(moment.date() + timedelta(days=1))

    def as_of_after(self, newest: int, now: int) -> int:
        """The as-of date when none is given: the first local midnight after the newest event, or now."""
        return min(self.midnight_after(newest + 1), now)

    def months_after(self, instant: int, months: int) -> int:
        """The same local date and time so many months later, or before where `months` is negative; the last
        day of a month that is too short."""
        local = self.local(instant)
        return self.instant(datetime.combine(months_later(local.date(), months), local.timetz()))

    def local_months(self, instants: Instants) -> Instants:
        """int64[n]: the local month of each instant, counted from January 1970."""
        if len(instants) == 1:  # one customer online: a seventh of the time
            local = self.local(int(instants[0]))
            return np.array([12 * (local.year - 1970) + local.month - 1])
        days = np.searchsorted(self.midnights, instants, side="right") - 2  # the first midnight is of 1969
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)

    @property
    def midnights(self) -> Instants:
        """int64[d]: the instants at which local days begin, from the first day that touches 1970 to 2100."""
        return _midnights(self.timezone)

    @property
    def turns(self) -> Instants:
        """int64[t, 4]: the local days that are not 24 hours long, and when each of their quarters begins
        by the local clock (midnight, 6, 12 and 18 o'clock)."""
        return _turns(self.timezone)

    def local(self, as_of: int) -> datetime:
        """The local clock at an instant."""
        return from_instant(as_of).astimezone(zone(self.timezone))


def months_later(day: date, months: int) -> date:
    """The same date so many months later, or before where `months` is negative; the last day of a month that
    is too short."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def edges(as_of: int, windows: Sequence[int]) -> Instants:
    """The window edges of an as-of date, newest first: `as_of`, then where each window (days) begins."""
    return np.array([as_of, *(as_of - days * DAY for days in sorted(windows))], dtype=np.int64)


def whole_years(days: int) -> int:
    """How many whole years these days stand for; 0 where they stand for days."""
    return days // YEAR_DAYS if days % YEAR_DAYS == 0 else 0


def days_after(instants: Moments, days: int, calendar: str | None = None) -> Moments:
    """The instants so many days later, or before where `days` is negative.

    With the name of a time zone as `calendar`, 365 days and its multiples are whole years: they lead to the
    same local date and time of another year, 29 February to 1 March. A window of a year then holds each date
    of the year once, in leap years too. All other days are 86,400 seconds.
    """
    years = whole_years(days) if calendar else 0
    if not years or calendar is None:
        return instants + days * DAY
    begins = _midnights(calendar)
    moments = np.asarray(instants, dtype=np.int64)
    place = np.clip(np.searchsorted(begins, moments, side="right") - 1, 0, len(begins) - 1)
    later = _years_later(calendar, years)[place] + moments - begins[place]
    return later if isinstance(instants, np.ndarray) else int(later)


def in_history(
    occurred: Instants, recorded: Instants | None, as_of: int | Instants, retracted: Instants | None = None
) -> NDArray[np.bool_]:
    """Which events had happened, and were known to have, before the as-of date.

    A retraction is known by the same rule as an event: from the instant after it on.
    """
    past: NDArray[np.bool_] = occurred < as_of
    if recorded is not None:
        past &= recorded < as_of
    return past if retracted is None else past & still_counts(retracted, as_of)


def still_counts(retracted: Instants, as_of: int | Instants | None) -> NDArray[np.bool_]:
    """Which events were not retracted before the as-of date; None stands for all that is known today."""
    counts: NDArray[np.bool_] = retracted == NEVER if as_of is None else retracted >= as_of
    return counts


def known_from(recorded: Instants, retracted: Instants, as_of: int) -> Instants:
    """The `recorded` of events at one as-of date, where an event retracted before it was never recorded.

    Both arrays may be empty, for all known at once and for none retracted; so may the result.
    """
    if not len(retracted):
        return recorded
    since = recorded if len(recorded) else np.full(len(retracted), ALWAYS)
    return np.where(still_counts(retracted, as_of), since, NEVER)


def in_window(occurred: Instants, days: int, as_of: int | Instants) -> NDArray[np.bool_]:
    """Which events lie in the window `[as_of - days, as_of)`."""
    inside: NDArray[np.bool_] = (occurred >= as_of - days * DAY) & (occurred < as_of)
    return inside


def parse(text: str) -> date | datetime:
    """A date or a moment in ISO 8601, as typed by a person."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"cannot read '{text}' as a date: write it like 2017-11-15 or 2017-11-15T09:30:00+09:00"
        ) from None


def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"cannot use the time zone '{name}': no zone has that name. "
            'Write an IANA name such as "Asia/Tokyo" or "UTC".'
        ) from None


@lru_cache(maxsize=64)
def _midnights(timezone: str) -> Instants:
    if timezone == "UTC":
        starts = np.arange(-DAY, to_instant(datetime(2101, 1, 1, tzinfo=UTC)), DAY, dtype=np.int64)
    else:
        where = zone(timezone)
        days = (
            date.fromordinal(n) for n in range(date(1969, 12, 31).toordinal(), date(2101, 1, 2).toordinal())
        )
        starts = np.array(
            [to_instant(datetime.combine(day, time(), tzinfo=where)) for day in days], dtype=np.int64
        )
    starts.flags.writeable = False
    return starts


@lru_cache(maxsize=64)
def _years_later(timezone: str, years: int) -> Instants:
    """int64[d]: for each of the local midnights, that of the same date so many years later.

    Beyond the midnights that are known a day is 86,400 seconds.
    """
    begins = _midnights(timezone)
    dates = np.datetime64("1969-12-31") + np.arange(len(begins))
    months = dates.astype("datetime64[M]")
    target = (months + 12 * years).astype("datetime64[D]") + (dates - months.astype("datetime64[D]"))
    place = (target - dates[0]).astype(np.int64)
    known = np.clip(place, 0, len(begins) - 1)
    starts: Instants = begins[known] + (place - known) * DAY
    starts.flags.writeable = False
    return starts


@lru_cache(maxsize=64)
def _turns(timezone: str) -> Instants:
    midnights, where = _midnights(timezone), zone(timezone)
    days = np.flatnonzero(np.diff(midnights) != DAY) + date(1969, 12, 31).toordinal()
    quarters = [
        [
            to_instant(datetime.combine(date.fromordinal(int(day)), time(hour), tzinfo=where))
            for hour in _HOURS
        ]
        for day in days
    ]
    starts = np.array(quarters, dtype=np.int64).reshape(-1, len(_HOURS))
    starts.flags.writeable = False
    return starts

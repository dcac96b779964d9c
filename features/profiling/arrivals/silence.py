"""Whether a source has stopped, judged each day by the rhythm of its own weekdays and its own pauses.

Each weekday has a share q of days with events, (k + 1/2) / (n + 1) of its last n days (Jeffreys' estimate of
a proportion); weekdays that were never without are taken together. A silence of days d is as surprising as
S = -sum ln(1 - q(weekday of d)): for independent days exp(-S) is its probability. It is a stop where

    S > max(ln 365, FACTOR x the second largest S of its earlier pauses)
    or the days of the silence > longest + 3 x (longest - median) + 2 of its earlier pauses

The first finds a source of every day on the first day without events, and one that sends in bursts well
beyond its own pauses; the second one that sends once a week or a month, whose days are not independent. A
silence that the same days of the year before had too (holidays) is none, and such pauses set no limit.
`benchmarks/data_checks.py` measures how soon a stop is found and how often an alarm is false.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WEEK = 7
YEAR = 365
MEMORY = 2 * YEAR
"""Days before the judged one that are looked at."""
WEEKS = 52
"""Of each weekday so many days say how often it has events."""
FEWEST_DAYS = 6
"""Days with events below which a source has no rhythm."""
FEWEST_WEEKS = 4
"""Weeks of record below which a source has no rhythm."""
SURPRISE = float(np.log(YEAR))
"""A silence of independent days that is expected less than once a year."""
FACTOR = 1.5
RANK = 2
"""Of the earlier pauses the RANK-th largest counts, so that one exception sets no limit."""
TRICKLE = 0.02
"""A day with at most this share of a usual day's events is one without: stray rows after a stop."""
SEASON_DAYS = 4
"""By so many days a holiday may lie elsewhere in the year before."""
SEASON_SHARE = 0.6
"""Of the surprise of a silence, what the same days of the year before had if it is a holiday's."""
UNUSUAL = 2.0
"""So many times the median surprise of the pauses is that of a holiday."""
FEWEST_PAUSES = 6
"""Earlier pauses below which their length says nothing."""
SPREADS = 3.0
SPARE_DAYS = 2


@dataclass(frozen=True)
class Silence:
    """How long a source has been silent, and from which surprise on it has stopped."""

    days: int
    """Days without events up to the last one that is over."""
    last: int
    """The place of the last day with events."""
    surprise: float
    limit: float
    longest: float
    """Days without events that are still usual."""

    @property
    def stopped(self) -> bool:
        """Whether the silence is beyond the rhythm of the source."""
        return self.surprise > self.limit or self.days > self.longest


def silence(counts: Ints, end: int, weekday: int) -> Silence | None:
    """How silent a source is before the day `end`; None where it has no rhythm yet, or events up to then.

    `counts` are its events on each day (int64[d]), `end` the first place that does not count, `weekday` that
    of the first place (0 to 6).
    """
    known = counts[:end] if len(counts) >= end else np.pad(counts, (0, end - len(counts)))
    begin = max(0, end - MEMORY)
    active = active_days(known[begin:])
    days = np.flatnonzero(active)
    if len(days) < FEWEST_DAYS or len(active) - days[0] < FEWEST_WEEKS * WEEK:
        return None
    first_place = begin + int(days[0])
    active, weekday, days = active[days[0] :], (weekday + first_place) % WEEK, days - days[0]
    last = int(days[-1])
    quiet = len(active) - 1 - last
    if not quiet:
        return None
    weights = _surprises(active[: last + 1], len(active), weekday)
    found = float(weights[last + 1 :].sum())
    begins, lengths, surprises = _pauses(days, active, weights)
    if _is_season(begins, lengths, surprises, (last + 1, len(active)), found):
        return None
    ordered = np.sort(surprises[~_of_seasons(begins, lengths, surprises)])
    usual = float(ordered[-min(RANK, len(ordered))]) if len(ordered) else 0.0
    return Silence(quiet, first_place + last, found, max(SURPRISE, FACTOR * usual), _longest(lengths))


def active_days(counts: Ints) -> NDArray[np.bool_]:
    """Which days have events; a few stray ones count as none."""
    some = counts[counts > 0]
    least = TRICKLE * float(np.median(some)) if len(some) else 0.0
    return np.asarray(counts > least)


def _surprises(active: NDArray[np.bool_], length: int, weekday: int) -> Floats:
    """float64[length]: how surprising each day would be without events, from its weekday's last days."""
    past = [active[(day - weekday) % WEEK :: WEEK][-WEEKS:] for day in range(WEEK)]
    never = sum(len(one) for one in past if one.all())
    of_weekday = np.empty(WEEK)
    for day, one in enumerate(past):
        some, every = (never, never) if one.all() else (int(one.sum()), len(one))
        of_weekday[day] = -np.log1p(-(some + 0.5) / (every + 1))
    return of_weekday[(np.arange(length) + weekday) % WEEK]


def _pauses(days: Ints, active: NDArray[np.bool_], weights: Floats) -> tuple[Ints, Ints, Floats]:
    """Where each earlier pause begins, how many days it has, and its surprise."""
    before = np.concatenate(([0.0], np.cumsum(np.where(active, 0.0, weights))))
    lengths = np.diff(days) - 1
    surprises = before[days[1:]] - before[days[:-1] + 1]
    some = lengths > 0
    return days[:-1][some] + 1, lengths[some], surprises[some]


def _of_seasons(begins: Ints, lengths: Ints, surprises: Floats) -> NDArray[np.bool_]:
    """bool[p]: which pauses are unlike the usual ones and came a year before or after too: of holidays."""
    if not len(begins):
        return np.zeros(0, dtype=bool)
    unusual = surprises >= UNUSUAL * _usual(surprises)
    middles = begins + lengths / 2
    apart = np.abs(middles[:, None] - middles[None, :])
    return np.asarray(unusual & ((np.abs(apart - YEAR) <= SEASON_DAYS) & unusual[None, :]).any(axis=1))


def _usual(surprises: Floats) -> float:
    """The median surprise of the pauses; 0 of a source that hardly ever pauses."""
    return float(np.median(surprises)) if len(surprises) >= FEWEST_PAUSES else 0.0


def _longest(lengths: Ints) -> float:
    """Days without events that are still usual after pauses of these lengths."""
    if len(lengths) < FEWEST_PAUSES:
        return float("inf")
    longest = float(lengths.max())
    return longest + SPREADS * (longest - float(np.median(lengths))) + SPARE_DAYS


def _is_season(
    begins: Ints, lengths: Ints, surprises: Floats, silent: tuple[int, int], surprise: float
) -> bool:
    """Whether a pause of the same days a year before, give or take some, was about as long: a holiday's.

    It must have been unlike the usual pauses of the source.
    """
    since, until = silent[0] - YEAR - SEASON_DAYS, silent[1] - YEAR + SEASON_DAYS
    then = surprises[(begins < until) & (begins + lengths > since)]
    if not len(then) or since < 0:
        return False
    return bool(then.max() >= max(SEASON_SHARE * surprise, UNUSUAL * _usual(surprises)))

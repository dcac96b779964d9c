"""Whether a daily count of events goes on or has stopped, judged by its own rhythm.

A record that comes once a week or once a month is silent most days: what tells a stop from a pause is how
long its pauses usually are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FEWEST_DAYS = 6
"""Days with events below which no rhythm is known."""
QUANTILE = 0.99
FACTOR = 2.0
"""A pause is usual up to so many times this quantile of the gaps between days with events. Of a Poisson
process one pause in 10,000 is longer."""
LEAST_DAYS = 2
"""Days by which any two deliveries of data may differ."""
TRICKLE = 0.02
"""Of the usual number of events, what a few stray rows after the end may amount to."""
FEW = 0.1
"""Of a usual day's events, what a day of stray rows has at most."""
SEASON_SHARE = 0.25
"""Of the days with events that a pause would usually hold, how many it may have had a year before to be a
season's."""
YEAR = 365


def last_day(days: Ints) -> int:
    """The place of the last day that belongs to the record, -1 without events.

    A few stray rows long after a record of many events a day has ended are left out: a test order, a date
    mistyped, one event that was sent on top of a batch.
    """
    active = np.flatnonzero(days)
    if not len(active):
        return -1
    usual = float(np.median(days[active][-YEAR:]))
    last, stray = len(active) - 1, 0
    for at in range(len(active) - 1, FEWEST_DAYS - 1, -1):
        stray += int(days[active[at]])
        beyond = int(active[-1] - active[at - 1])
        if days[active[at]] >= FEW * usual or stray > TRICKLE * usual * beyond:
            break
        if active[at] - active[at - 1] > _usual(active[:at]):
            last = at - 1
    return int(active[last])


def usual_pause(days: Ints) -> float | None:
    """The days between two days with events that are still usual; None where no rhythm is known."""
    active = np.flatnonzero(days)
    if len(active) < FEWEST_DAYS:
        return None
    return _usual(active)


def _usual(active: Ints) -> float:
    return max(float(LEAST_DAYS), FACTOR * float(np.quantile(np.diff(active), QUANTILE)))


def stopped(days: Ints, end: int, patience: float = 1.0) -> int | None:
    """The place of the last day of a record that stopped before the day `end`; None where it goes on.

    It goes on where the pause until `end` is no longer than usual, or where the same days were empty a year
    before: a shop that closes for the winter has not stopped. With `patience` the pause may be so many times
    as long as is usual.
    """
    last = last_day(days)
    if last < 0:
        return None
    known = days[: last + 1]
    pause = usual_pause(known)
    if pause is None or end - last <= patience * pause or _in_season(known, last, end):
        return None
    return last


def _in_season(days: Ints, last: int, end: int) -> bool:
    """Whether the days from `last` to `end` were as empty one year before."""
    since, until = last + 1 - YEAR, end + 1 - YEAR
    if since <= int(np.flatnonzero(days)[0]):
        return False
    before = np.count_nonzero(days[since : min(until, len(days))])
    usual = np.count_nonzero(days) / len(days) * (until - since)
    return bool(before <= SEASON_SHARE * usual)

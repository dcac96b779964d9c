"""Checks of what arrived, each by the source's own past: stopped, odd volume, empty column, new kind, clock.

Every limit is taken from earlier days of the same source, never from a fixed share that fits nobody:

- *stopped*: `silence.py`.
- *volume*: of the last day, |ln(n + 1) - median| over the last `WEEKDAYS` days of its weekday, in units of
  1.4826 times their median absolute deviation (at least the noise of a count, 1 / sqrt(n)); odd beyond `ODD`
  units and beyond `BEYOND` times the largest that the source's own days had.
- *empty column*: the share of events that fill a column is below half of the smallest of the weeks before.
- *new kind*: first seen on the last day, of a source with a month of record.
- *new customers*: their share of a day's customers is above twice the largest of the weeks before.
- *clock*: the hours of the last days fit those before when moved by whole hours, and not as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.profiling.arrivals.arrival_counts import COLUMNS, HOURS, ArrivalCounts, RecentCounts
from features.profiling.arrivals.silence import WEEK, YEAR, Silence, active_days, silence
from features.profiling.event_days import EventDays
from features.timeline import Timeline

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WEEKDAYS = 12
FEWEST_WEEKDAYS = 5
ODD = 6.0
BEYOND = 1.5
JUDGED = 26 * WEEK
"""Days whose own oddity says how odd the days of a source usually are."""
FEWEST_EVENTS = 30
"""Events of a day below which shares of it say nothing."""
FEWEST_PAST_DAYS = 10
KNOWN_DAYS = 28
CLOCK_DAYS = 3
CLOCK_DISTANCE = 0.3
CLOCK_BETTER = 0.5
FIRST_DELAY = 3
"""Days by which a source of which no earlier run knows a delay may come late."""
LONG_GONE = 90
"""Days after which a source that stopped holds nothing back any more: somebody has seen it by then."""


@dataclass(frozen=True)
class ArrivalFinding:
    """Something about what arrived that somebody should look at."""

    check: str
    """`stopped`, `volume`, `empty_column`, `new_kind`, `new_customers` or `clock`."""
    source: str
    message: str
    """One sentence; the registry of messages has the Japanese one."""


@dataclass(frozen=True)
class ArrivalChecks:
    """What the checks found, and until when every source is whole."""

    findings: tuple[ArrivalFinding, ...]
    whole_until: int
    """The local midnight until which all sources that count are whole: the judged one where none stopped."""
    delays: Mapping[str, int]
    """By source that goes on how many days before the judged midnight were without its events."""


def check_arrivals(
    counts: ArrivalCounts,
    timeline: Timeline,
    until: int,
    *,
    closed: Collection[str] = (),
    company: Collection[str] = (),
    usual_delays: Mapping[str, int] | None = None,
) -> ArrivalChecks:
    """Judge what was counted before the local midnight `until`.

    `closed` names sources that ended for good; kinds of `company` are no sign of customers, so that a source
    of them alone holds nothing back. `usual_delays` are the days by which a source usually comes late; one
    that it does not name may come `FIRST_DELAY` days late, and without it every source comes at once.
    """
    days = counts.days
    end = int(np.searchsorted(timeline.midnights, until)) - days.first_day
    found: list[ArrivalFinding] = []
    whole, delays = end, {}
    for source in sorted({origin.source for origin in days.counts} - {*closed, ""}):
        origins = [origin for origin in days.counts if origin.source == source]
        total = _padded(days.days(origins), end)
        is_company = all(origin.kind in company for origin in origins)
        active = np.flatnonzero(active_days(total))
        delays[source] = int(end - 1 - active[-1]) if len(active) else 0
        unknown = min(delays[source], FIRST_DELAY) if usual_delays is not None else 0
        delay = (usual_delays or {}).get(source, unknown)
        quiet = silence(total, end - delay, _weekday(days, timeline))
        if quiet is not None and quiet.stopped:
            gap = delays.pop(source)
            if gap <= LONG_GONE:
                message = _stopped(source, quiet, gap, days, timeline)
                found.append(ArrivalFinding("stopped", source, message))
                whole = whole if is_company else min(whole, quiet.last + 1)
            continue
        found += _of_day(source, total, days, timeline)
        found += _new_kinds(source, days, end, timeline)
        if source in counts.recent:
            found += _of_columns(source, counts.recent[source])
            found += _of_customers(source, counts.recent[source])
            found += () if is_company else _of_clock(source, counts.recent[source])
    whole_until = int(timeline.midnights[days.first_day + max(whole, 0)])
    return ArrivalChecks(tuple(found), whole_until, delays)


def oddity(counts: Ints, at: int) -> float:
    """How far the events of a day lie from the last days of its weekday, in robust standard deviations.

    0 where fewer than `FEWEST_WEEKDAYS` of them had events.
    """
    past = counts[at % WEEK : at : WEEK][-WEEKDAYS:]
    past = past[past > 0]
    if len(past) < FEWEST_WEEKDAYS:
        return 0.0
    logs = np.log1p(past)
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    noise = 1.0 / float(np.sqrt(np.expm1(middle) + 1.0))
    return abs(float(np.log1p(counts[at])) - middle) / max(spread, noise, 1e-9)


def _of_day(source: str, total: Ints, days: EventDays, timeline: Timeline) -> Iterator[ArrivalFinding]:
    """Whether the last day with events has far more or fewer than is usual."""
    active = np.flatnonzero(total)
    if not len(active):
        return
    at = int(active[-1])
    found = oddity(total, at)
    if found <= ODD:
        return
    before = [oddity(total, day) for day in active[active >= at - JUDGED][:-1].tolist()]
    if found <= BEYOND * max(before, default=0.0) or _was_so(total, at):
        return
    past = total[at % WEEK : at : WEEK][-WEEKDAYS:]
    usual = float(np.median(past[past > 0]))
    message = (
        f"source '{source}' has {int(total[at]):,} events on {_day(days, timeline, at)}, where {usual:,.0f} "
        "are usual on that weekday"
    )
    yield ArrivalFinding("volume", source, message)


def _was_so(total: Ints, at: int) -> bool:
    """Whether a day within three of the same date a year before was about as odd: a sale, a holiday."""
    around = range(max(0, at - YEAR - 3), max(0, at - YEAR + 4))
    return max((oddity(total, day) for day in around), default=0.0) >= ODD / 2


def _new_kinds(source: str, days: EventDays, end: int, timeline: Timeline) -> Iterator[ArrivalFinding]:
    """Kinds that a source sent for the first time on the last day."""
    firsts = {
        origin.kind: int(np.flatnonzero(count)[0])
        for origin, count in days.counts.items()
        if origin.source == source and count.any()
    }
    if not firsts or end - min(firsts.values()) < KNOWN_DAYS:
        return
    for kind, first in sorted(firsts.items()):
        if first >= end - 1:
            message = (
                f"source '{source}' sent the kind '{kind}' for the first time on "
                f"{_day(days, timeline, first)}: no indicator and no rule may know it"
            )
            yield ArrivalFinding("new_kind", source, message)


def _of_columns(source: str, recent: RecentCounts) -> Iterator[ArrivalFinding]:
    """Columns that were filled before and are empty on the last day."""
    judged = _judged_day(recent)
    if judged is None:
        return
    at, past = judged
    for column in COLUMNS:
        shares = recent.filled[column][past] / recent.events[past]
        now = float(recent.filled[column][at] / recent.events[at])
        if now < 0.5 * float(shares.min()):
            message = (
                f"source '{source}' fills the column {column} in {now:.0%} of its newest events, where it "
                f"was never below {float(shares.min()):.0%} in the weeks before"
            )
            yield ArrivalFinding("empty_column", source, message)


def _of_customers(source: str, recent: RecentCounts) -> Iterator[ArrivalFinding]:
    """A day on which far more customers than usual were never seen before."""
    judged = _judged_day(recent)
    if judged is None or recent.customers[judged[0]] < FEWEST_EVENTS:
        return
    at, past = judged
    shares = recent.newcomers[past] / np.maximum(recent.customers[past], 1)
    now, most = float(recent.newcomers[at] / recent.customers[at]), float(shares.max())
    noise = 4.0 * float(np.sqrt(max(most, 1 / FEWEST_EVENTS) / recent.customers[at]))
    if now > 2.0 * most + noise:
        message = (
            f"{now:.0%} of the customers in the newest events of source '{source}' were never seen before, "
            f"where {most:.0%} was the most in the weeks before: their identifiers may have changed"
        )
        yield ArrivalFinding("new_customers", source, message)


def _of_clock(source: str, recent: RecentCounts) -> Iterator[ArrivalFinding]:
    """Hours of the day that moved by whole hours at once."""
    last, before = recent.hours[-CLOCK_DAYS:].sum(axis=0), recent.hours[:-CLOCK_DAYS].sum(axis=0)
    if min(last.sum(), before.sum()) < FEWEST_EVENTS * CLOCK_DAYS or before[0] == before.sum():
        return
    here, there = last / last.sum(), before / before.sum()
    apart = [0.5 * float(np.abs(np.roll(here, shift) - there).sum()) for shift in range(HOURS)]
    best = int(np.argmin(apart))
    if best and apart[0] > CLOCK_DISTANCE and apart[best] < CLOCK_BETTER * apart[0]:
        hours = best if best <= HOURS // 2 else best - HOURS
        message = (
            f"the clock of source '{source}' seems to have moved by {-hours:+d} hours in the last "
            f"{CLOCK_DAYS} days: check its time zone"
        )
        yield ArrivalFinding("clock", source, message)


def _judged_day(recent: RecentCounts) -> tuple[int, Ints] | None:
    """The last day with enough events for shares, and the days before it that have as many."""
    enough = np.flatnonzero(recent.events >= FEWEST_EVENTS)
    if len(enough) <= FEWEST_PAST_DAYS or enough[-1] < len(recent.events) - 1 - WEEK:
        return None
    return int(enough[-1]), enough[:-1]


def _stopped(source: str, quiet: Silence, gap: int, days: EventDays, timeline: Timeline) -> str:
    since = _day(days, timeline, quiet.last)
    return f"source '{source}' has sent nothing since {since} ({gap} d), which is longer than its own pauses"


def _day(days: EventDays, timeline: Timeline, place: int) -> str:
    return timeline.local(int(timeline.midnights[days.first_day + place])).date().isoformat()


def _weekday(days: EventDays, timeline: Timeline) -> int:
    return timeline.local(int(timeline.midnights[days.first_day])).weekday()


def _padded(counts: Ints, end: int) -> Ints:
    """int64[end]: the counts of the days before the judged one."""
    return counts[:end] if len(counts) >= end else np.pad(counts, (0, end - len(counts)))

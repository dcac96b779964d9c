"""How far the data reach: until which day labels and silence can be told, and which sources ended before.

A label, and a customer's silence, hang on the events of some kinds: of these alone it is asked until when
they are there. Each source and each kind is judged by its own rhythm (`features.profiling.rhythm`). What the
company did and what is noted about customers never counts: a contact noted today says nothing of customers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator, company_kinds
from features.event_store import EventStore
from features.events.schema import REFUND
from features.execution.base import Engine
from features.execution.local import HERE
from features.profiling.event_days import EventDays, EventOrigin, event_days
from features.profiling.rhythm import YEAR, last_day, stopped, usual_pause
from features.timeline import Timeline
from training.labels.settings import Churn

Ints = NDArray[np.int64]

CONTRACT = "contract"
"""The indicator of contracts; where one of its kinds comes, the source lives."""
SHARE = 0.1
"""Of an indicator's events, what a source or kind must have had for labels to hang on it."""
SHARE_DAYS = 90
"""Days before the end in which this share is taken."""
PATIENCE = 3.0
"""How many usual pauses a kind is waited for while others of its source go on, and what decides no label: the
last students of a course do not leave, and hand nothing in."""
HANDOVER_DAYS = 45
"""Another source or kind that begins so near to the end of one has taken over from it."""


@dataclass(frozen=True)
class CoverageEnd:
    """Events that ended before the rest of what customers did."""

    indicator: str
    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    part: bool
    """Whether other sources or kinds of the indicator go on."""
    decides: bool
    """Whether labels hang on it; else features and tiers alone."""
    last: str
    """The local day of its last events, `YYYY-MM-DD`."""
    covered_until: int
    """Its last event that day; where events are stamped by day, the end of it."""
    gap_days: int
    """How many days longer the rest goes on."""


@dataclass(frozen=True)
class DataCoverage:
    """Until when the events say what customers did; instants in microseconds UTC."""

    rest: str
    """The local day at which what customers did ends, `YYYY-MM-DD`."""
    rest_until: int
    covered_until: int
    """The end of what labels and silence hang on; `rest_until` where nothing ended before."""
    day_after: int
    """The local midnight after the covered end."""
    rest_day_after: int
    """The same of the rest."""
    ends: tuple[CoverageEnd, ...] = ()
    """What ended before the rest, the earliest first; those that labels hang on before the others."""

    @property
    def deciding(self) -> tuple[CoverageEnd, ...]:
        """The ends that labels and silence hang on."""
        return tuple(end for end in self.ends if end.decides)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> DataCoverage:
        ends = [
            CoverageEnd(**{**end, "sources": tuple(end["sources"]), "kinds": tuple(end["kinds"])})
            for end in d["ends"]
        ]
        return DataCoverage(**{**d, "ends": tuple(ends)})

    def as_of(self, now: int) -> int:
        """The as-of date when none is given: the first local midnight after the covered end, or now."""
        return min(self.day_after, now)


def data_coverage(
    store: EventStore,
    churn: Churn,
    indicators: Sequence[Indicator],
    timeline: Timeline,
    until: int | None = None,
    *,
    closed: Collection[str] = (),
    now: int | None = None,
    engine: Engine = HERE,
) -> DataCoverage | None:
    """The coverage of the events known before `until`; None where there are none at all.

    `closed` names the sources that have ended for good: what they do not bring any more is not missing. A
    record that is stamped by day lasts until the end of its last day, or until `now`, where that is today.
    """
    days = event_days(store, timeline, until, engine=engine)
    return coverage_of(days, churn, indicators, timeline, closed=closed, now=now)


def coverage_of(
    days: EventDays,
    churn: Churn,
    indicators: Sequence[Indicator],
    timeline: Timeline,
    *,
    closed: Collection[str] = (),
    now: int | None = None,
) -> DataCoverage | None:
    """The coverage of counted events for one meaning of churn."""
    own = _customer_made(days, churn, indicators)
    if not own:
        return None
    end = _rest(days, own)
    found = [
        *_deciding(days, churn, indicators, end, closed),
        *_others(days, churn, indicators, end, closed),
    ]
    midnights, first = timeline.midnights, days.first_day

    def day(place: int) -> str:
        return timeline.local(int(midnights[first + place])).date().isoformat()

    def last_instant(place: int, origins: Collection[EventOrigin]) -> int:
        midnight = int(midnights[first + place + 1])
        if days.are_by_day(origins):
            return min(limit for limit in (midnight, days.until, now) if limit is not None)
        return min(max(days.newest[origin] for origin in origins), midnight - 1)

    ends = [
        CoverageEnd(
            indicator=one.indicator,
            sources=tuple(sorted({origin.source for origin in one.origins})),
            kinds=tuple(sorted({origin.kind for origin in one.origins})),
            part=one.part,
            decides=one.decides,
            last=day(one.last),
            covered_until=last_instant(one.last, one.origins),
            gap_days=end - one.last,
        )
        for one in found
    ]
    rest_until = last_instant(end, own)
    covered = min([rest_until, *(one.covered_until for one in ends if one.decides)])
    ends.sort(key=lambda one: (not one.decides, one.last, one.indicator, one.sources))
    last = min([end, *(one.last for one in found if one.decides)])
    day_after = int(midnights[first + last + 1])
    rest_after = int(midnights[first + end + 1])
    return DataCoverage(day(end), rest_until, covered, day_after, rest_after, tuple(ends))


@dataclass(frozen=True)
class _Ended:
    """Origins that stopped, and the place of their last day."""

    indicator: str
    origins: tuple[EventOrigin, ...]
    last: int
    part: bool = False
    decides: bool = True


def _customer_made(days: EventDays, churn: Churn, indicators: Sequence[Indicator]) -> tuple[EventOrigin, ...]:
    """What customers did: kinds of their indicators and of churn; where there is none, all but the
    company's doing, and where there is nothing else, everything."""
    company = company_kinds(indicators)
    named = {kind for one in indicators if one.origin == "customer" for kind in one.kinds}
    named |= {*churn.started_by, *churn.ended_by, *churn.completed_by}
    every = {origin.kind for origin in days.counts}
    return days.of(None, named - company) or days.of(None, every - company) or days.of(None, every)


def _rest(days: EventDays, own: Sequence[EventOrigin]) -> int:
    """The place of the last day of what customers did, whichever source brings it.

    A source of a few days has no rhythm, and moves the end no further than the others usually pause.
    """
    steady: list[int] = []
    few: list[int] = []
    for source in sorted({origin.source for origin in own}):
        counts = days.days([origin for origin in own if origin.source == source])
        (few if usual_pause(counts) is None else steady).append(last_day(counts))
    if not steady:
        return max(few)
    end = max(steady)
    pause = usual_pause(days.days(own)[: end + 1]) or 0.0
    return max([end, *(last for last in few if last - end <= pause)])


def _deciding(
    days: EventDays, churn: Churn, indicators: Sequence[Indicator], end: int, closed: Collection[str]
) -> Iterator[_Ended]:
    """Of what churn hangs on, what stopped before the rest."""
    if churn.type == "contract":
        ending = (*churn.ended_by, *churn.completed_by)
        groups = [(CONTRACT, (*churn.started_by, *ending), False), (CONTRACT, ending, True)]
    else:
        known = {one.name: one.kinds for one in indicators}
        groups = [
            (name, tuple(kind for kind in known.get(name, ()) if kind != REFUND), True)
            for name in churn.indicators
        ]
    for name, kinds, in_parts in groups:
        origins = days.of(None, kinds)
        last = stopped(days.days(origins), end)
        if last is not None:
            yield _Ended(name, origins, last)
            if churn.type == "contract":
                return
        elif in_parts:
            longest = max(YEAR, churn.active_days + churn.horizon.reach)
            yield from _parts(days, name, origins, end, longest, closed)


def _parts(
    days: EventDays,
    indicator: str,
    origins: Sequence[EventOrigin],
    end: int,
    longest: int,
    closed: Collection[str],
) -> Iterator[_Ended]:
    """Sources, else kinds, that stopped while others of the indicator go on, and took their events along.

    One that another followed was handed over. One that ended long ago concerns no label that is learned from.
    """
    total = days.days(origins)
    found = []
    for by_source in (True,) if indicator == CONTRACT else (True, False):
        groups: dict[str, list[EventOrigin]] = {}
        for origin in origins:
            groups.setdefault(origin.source if by_source else origin.kind, []).append(origin)
        counts = {name: days.days(group) for name, group in groups.items()}
        firsts = {name: int(np.flatnonzero(count)[0]) for name, count in counts.items()}
        for name, group in groups.items():
            last = stopped(counts[name], end, 1.0 if by_source else PATIENCE) if len(groups) > 1 else None
            if last is None or end - last > longest or {origin.source for origin in group} <= set(closed):
                continue
            window = slice(max(0, last + 1 - SHARE_DAYS), last + 1)
            follows = any(
                abs(first - last) <= HANDOVER_DAYS for other, first in firsts.items() if other != name
            )
            if not follows and counts[name][window].sum() >= SHARE * total[window].sum():
                found.append(_Ended(indicator, tuple(group), last, part=True))
        if found:
            break
    yield from found


def _others(
    days: EventDays, churn: Churn, indicators: Sequence[Indicator], end: int, closed: Collection[str]
) -> Iterator[_Ended]:
    """Indicators of what customers do that features and tiers hang on, and that stopped within a year."""
    deciding = {*churn.indicators, *((CONTRACT,) if churn.type == "contract" else ())}
    for one in indicators:
        if one.origin != "customer" or one.name in deciding:
            continue
        origins = tuple(origin for origin in days.of(None, one.kinds) if origin.source not in closed)
        last = stopped(days.days(origins), end, PATIENCE)
        if last is not None and end - last <= YEAR:
            yield _Ended(one.name, origins, last, decides=False)

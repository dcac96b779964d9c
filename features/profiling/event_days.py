"""Counts the events of each source and kind on each local day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline

Ints = NDArray[np.int64]


@dataclass(frozen=True, order=True)
class EventOrigin:
    """Where events come from and what they are."""

    source: str
    kind: str


@dataclass(frozen=True, eq=False)
class EventDays:
    """How many events of each source and kind there were on each local day."""

    first_day: int
    """The place of the first day in the timeline's midnights."""
    counts: Mapping[EventOrigin, Ints]
    """int64[d] each: events on each local day from the first to the newest of all."""
    newest: Mapping[EventOrigin, int]
    """The newest event of each, an instant."""
    at_midnight: Mapping[EventOrigin, int]
    """How many of each are stamped at local midnight."""
    until: int | None = None
    """Events at or after this instant were left out."""

    def of(self, sources: Collection[str] | None, kinds: Collection[str]) -> tuple[EventOrigin, ...]:
        """The origins with one of these kinds, of these sources or of all."""
        return tuple(
            origin
            for origin in sorted(self.counts)
            if origin.kind in kinds and (sources is None or origin.source in sources)
        )

    def days(self, origins: Collection[EventOrigin]) -> Ints:
        """int64[d]: the events of these origins together."""
        length = max((len(days) for days in self.counts.values()), default=0)
        return sum((self.counts[origin] for origin in origins), np.zeros(length, dtype=np.int64))

    def are_by_day(self, origins: Collection[EventOrigin]) -> bool:
        """Whether these events are stamped by day, without a time of day: all are at local midnight."""
        events = sum(int(self.counts[origin].sum()) for origin in origins)
        return events > 0 and sum(self.at_midnight[origin] for origin in origins) == events


def event_days(
    store: EventStore, timeline: Timeline, until: int | None = None, *, engine: Engine = HERE
) -> EventDays:
    """Counts the events known before `until` (or all) by source, kind and day; attributes are left out.

    An event that occurred later, or that was recorded later, does not exist.
    """
    new = partial(DayCounts, timeline)
    found = map_partitions(store, new, until=until, columns=frozenset({"source"}), engine=engine)
    return dense_days(found, until)


def dense_days(found: DayCounts, until: int | None) -> EventDays:
    """The counts of all buckets, each day in its place."""
    days = [day for by_day in found.counts.values() for day in by_day]
    first, last = min(days, default=0), max(days, default=-1)
    dense = {}
    for origin, by_day in found.counts.items():
        dense[origin] = np.zeros(last - first + 1, dtype=np.int64)
        dense[origin][np.array(list(by_day)) - first] = list(by_day.values())
    return EventDays(first, dense, found.newest, found.at_midnight, until)


@dataclass
class DayCounts:
    """The counts of some buckets."""

    timeline: Timeline
    counts: dict[EventOrigin, dict[int, int]] = field(default_factory=dict)
    newest: dict[EventOrigin, int] = field(default_factory=dict)
    at_midnight: dict[EventOrigin, int] = field(default_factory=dict)

    def add(self, history: History) -> None:
        """Count the events of a bucket."""
        from features.profiling.day_kernel import count_by_day, span_of_counted  # compiled

        counted = ~np.array([name.startswith(ATTRIBUTE) for name in history.kind_names], dtype=np.bool_)
        events = history.instants, history.kinds
        oldest, newest = span_of_counted(*events, counted)
        if oldest > newest:
            return
        midnights = self.timeline.midnights
        low = int(np.searchsorted(midnights, oldest, side="right")) - 1
        high = int(np.searchsorted(midnights, newest, side="right"))
        source_names = ("", *history.source_names)
        table_of_days, latest, by_day_alone = count_by_day(
            *events, history.sources, counted, midnights[low:high], len(source_names)
        )
        for number in np.flatnonzero(latest >= 0).tolist():
            source, kind = divmod(number, len(history.kind_names))
            origin = EventOrigin(source_names[source], history.kind_names[kind])
            self.newest[origin] = int(latest[number])
            self.at_midnight[origin] = int(by_day_alone[number])
            places = np.flatnonzero(table_of_days[number])
            self.counts[origin] = dict(
                zip((low + places).tolist(), table_of_days[number, places].tolist(), strict=True)
            )

    def merge(self, other: DayCounts) -> None:
        """Add the counts of later buckets."""
        for origin, by_day in other.counts.items():
            mine = self.counts.setdefault(origin, {})
            for day, events in by_day.items():
                mine[day] = mine.get(day, 0) + events
            self.newest[origin] = max(self.newest.get(origin, -1), other.newest[origin])
            self.at_midnight[origin] = self.at_midnight.get(origin, 0) + other.at_midnight[origin]

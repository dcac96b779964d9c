"""Counts of what arrived by source and local day: events, filled columns, new customers, hours of the day.

One pass over the store; the last weeks alone are counted by column, customer and hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import MISSING, History
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.profiling.event_days import DayCounts, EventDays, dense_days
from features.timeline import Timeline

Ints = NDArray[np.int64]

RECENT = 56
"""Days before the judged one that are counted by column, customer and hour."""
COLUMNS = ("value", "channel", "place", "detail")
HOURS = 24
_HOUR = 3_600_000_000


@dataclass(frozen=True, eq=False)
class RecentCounts:
    """One source in the last `RECENT` days, the oldest first."""

    events: Ints
    """int64[RECENT]."""
    filled: Mapping[str, Ints]
    """int64[RECENT] for each column: events in which it is not empty."""
    customers: Ints
    """int64[RECENT]: different customers of each day."""
    newcomers: Ints
    """int64[RECENT]: those of them of whom no source knew an event before that day."""
    hours: Ints
    """int64[RECENT, 24]: events by the hour of the local clock."""


@dataclass(frozen=True, eq=False)
class ArrivalCounts:
    """The events of each source and kind on each day, and more of the last weeks."""

    days: EventDays
    recent: Mapping[str, RecentCounts]


def arrival_counts(
    store: EventStore, timeline: Timeline, until: int, *, engine: Engine = HERE
) -> ArrivalCounts:
    """Counts the events known before the local midnight `until`; attributes are left out."""
    end = int(np.searchsorted(timeline.midnights, until))
    columns = frozenset({"source", *COLUMNS})
    new = partial(_ArrivalCounts, timeline, end)
    found = map_partitions(store, new, until=until, columns=columns, engine=engine)
    recent = {name: found.of(name) for name in sorted(found.tables)}
    return ArrivalCounts(dense_days(found.days, until), recent)


@dataclass
class _ArrivalCounts:
    """The counts of some buckets; a table of a source has a row for each day."""

    timeline: Timeline
    end: int
    days: DayCounts = field(init=False)
    tables: dict[str, Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.days = DayCounts(self.timeline)

    def add(self, history: History) -> None:
        """Count the events of a bucket."""
        self.days.add(history)
        midnights = self.timeline.midnights[self.end - RECENT : self.end + 1]
        engagement = ~np.array([name.startswith(ATTRIBUTE) for name in history.kind_names], dtype=bool)
        inside = (history.instants >= midnights[0]) & (history.instants < midnights[-1])
        rows = np.flatnonzero(inside & engagement[history.kinds] if len(engagement) else inside)
        if not len(rows) or not len(history.sources):
            return
        instants, sources = history.instants[rows], history.sources[rows]
        day = np.searchsorted(midnights, instants, side="right") - 1
        hour = np.minimum((instants - midnights[day]) // _HOUR, HOURS - 1)
        customer = np.searchsorted(history.offsets, rows, side="right") - 1
        first = history.instants[np.minimum(history.offsets[:-1], max(history.events - 1, 0))]
        filled = [
            ~np.isnan(history.values[rows]) if len(history.values) else np.zeros(len(rows), dtype=bool),
            *(
                codes[rows] != MISSING if len(codes) else np.zeros(len(rows), dtype=bool)
                for codes in (history.channels, history.places, history.details)
            ),
        ]
        for code in np.unique(sources[sources != MISSING]).tolist():
            mine = sources == code
            table = np.zeros((RECENT, 1 + len(COLUMNS) + 2 + HOURS), dtype=np.int64)
            table[:, 0] = np.bincount(day[mine], minlength=RECENT)
            for place, some in enumerate(filled):
                table[:, 1 + place] = np.bincount(day[mine & some], minlength=RECENT)
            pairs = np.unique(customer[mine] * RECENT + day[mine])
            who, when = pairs // RECENT, pairs % RECENT
            is_new = first[who] >= midnights[when]
            table[:, 1 + len(COLUMNS)] = np.bincount(when, minlength=RECENT)
            table[:, 2 + len(COLUMNS)] = np.bincount(when[is_new], minlength=RECENT)
            hours = np.bincount(day[mine] * HOURS + hour[mine], minlength=RECENT * HOURS)
            table[:, 3 + len(COLUMNS) :] = hours.reshape(RECENT, HOURS)
            self._add(history.source_names[code], table)

    def merge(self, other: _ArrivalCounts) -> None:
        """Add the counts of later buckets."""
        self.days.merge(other.days)
        for name, table in other.tables.items():
            self._add(name, table)

    def of(self, source: str) -> RecentCounts:
        """The counts of a source."""
        table = self.tables[source]
        filled = {name: table[:, 1 + place] for place, name in enumerate(COLUMNS)}
        after = 1 + len(COLUMNS)
        return RecentCounts(table[:, 0], filled, table[:, after], table[:, after + 1], table[:, after + 2 :])

    def _add(self, name: str, table: Ints) -> None:
        self.tables[name] = self.tables[name] + table if name in self.tables else table

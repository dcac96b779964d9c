"""Events of each source and kind on each local day, from the columns of the store that say so.

The source of an event is in no history (no feature reads it), so the runs are read here, one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.schema import ATTRIBUTE
from features.timeline import ALWAYS, Timeline, in_history

Ints = NDArray[np.int64]

COLUMNS, CODED = ["occurred_at", "recorded_at", "kind", "source"], ["kind", "source"]


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


def event_days(store: EventStore, timeline: Timeline, until: int | None = None) -> EventDays:
    """Counts the events known before `until` (or all) by source, kind and day; attributes are left out.

    An event that occurred later, or that was recorded later, does not exist.
    """
    midnights = timeline.midnights
    counts: dict[EventOrigin, dict[int, int]] = {}
    newest: dict[EventOrigin, int] = {}
    at_midnight: dict[EventOrigin, int] = {}
    for table in store.run_tables(COLUMNS, CODED, until):
        if table.num_rows:
            _count(table, until, midnights, counts, newest, at_midnight)
    days = [day for by_day in counts.values() for day in by_day]
    first, last = min(days, default=0), max(days, default=-1)
    dense = {}
    for origin, by_day in counts.items():
        dense[origin] = np.zeros(last - first + 1, dtype=np.int64)
        dense[origin][np.array(list(by_day)) - first] = list(by_day.values())
    return EventDays(first, dense, newest, at_midnight, until)


def _count(
    table: pa.Table,
    until: int | None,
    midnights: Ints,
    counts: dict[EventOrigin, dict[int, int]],
    newest: dict[EventOrigin, int],
    at_midnight: dict[EventOrigin, int],
) -> None:
    """Add the events of one run."""
    instants = table.column("occurred_at").cast(pa.int64()).to_numpy()
    (kinds, kind_names), (sources, source_names) = (_coded(table, name) for name in ("kind", "source"))
    unit = sources * len(kind_names) + kinds
    engagement = ~np.array([name.startswith(ATTRIBUTE) for name in kind_names])[kinds]
    if until is not None:
        recorded = table.column("recorded_at").cast(pa.int64()).fill_null(ALWAYS).to_numpy()
        engagement &= in_history(instants, recorded, until)
    if not engagement.all():
        instants, unit = instants[engagement], unit[engagement]
    if not len(instants):
        return
    low = int(np.searchsorted(midnights, instants.min(), side="right")) - 1
    high = int(np.searchsorted(midnights, instants.max(), side="right"))
    day = np.searchsorted(midnights[low:high], instants, side="right") - 1
    span, units = high - low, len(source_names) * len(kind_names)
    table_of_days = np.bincount(unit * span + day, minlength=units * span).reshape(units, span)
    latest = np.full(units, -1, dtype=np.int64)
    np.maximum.at(latest, unit, instants)
    by_day_alone = np.bincount(unit[instants == midnights[low + day]], minlength=units)
    for number in np.flatnonzero(latest >= 0).tolist():
        origin = EventOrigin(source_names[number // len(kind_names)], kind_names[number % len(kind_names)])
        newest[origin] = max(newest.get(origin, -1), int(latest[number]))
        at_midnight[origin] = at_midnight.get(origin, 0) + int(by_day_alone[number])
        by_day = counts.setdefault(origin, {})
        for place in np.flatnonzero(table_of_days[number]).tolist():
            by_day[low + place] = by_day.get(low + place, 0) + int(table_of_days[number, place])


def _coded(table: pa.Table, name: str) -> tuple[Ints, list[str]]:
    """A text column as codes, and the texts that they stand for; no text is the empty one."""
    column = table.column(name).unify_dictionaries().combine_chunks()
    chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    texts = [*chunk.dictionary.to_pylist(), ""]
    return chunk.indices.fill_null(len(texts) - 1).to_numpy().astype(np.int64), texts

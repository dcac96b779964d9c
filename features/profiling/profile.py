"""The data profile of a store: events by kind, day and time of day, and refused rows.

Everything is read once, bucket by bucket. Days and times of day are those of the project's calendar;
what is known about a customer besides events (`attribute.NAME`) is counted apart and lies in no range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from features.catalog.definitions import Indicator
from features.errors import DataError
from features.event_store import EventStore
from features.events.consent import ConsentEntry
from features.events.history import History, customer_of_event
from features.events.schema import ATTRIBUTE
from features.events.validation import NO_CUSTOMER
from features.execution.local import map_partitions
from features.profiling.bucket_events import MINUTES, BucketEvents, Ints
from features.profiling.consent import ConsentProfile, profile_consent
from features.profiling.customer_patterns import CustomerPatterns, turnover_window
from features.profiling.names_in_use import NamesInUse
from features.profiling.rows.quarantine_reasons import QuarantineReason, refused
from features.profiling.rows.row_patterns import RowPatterns
from features.storage.customer_ids import Customers
from features.storage.history_reader import ALL_COLUMNS
from features.timeline import DAY, Timeline

CANDIDATES = 1_000
"""Busiest instants counted per bucket: one that holds a percent of the events is among them."""


@dataclass(frozen=True)
class KindProfile:
    """One kind of event."""

    name: str
    indicators: tuple[str, ...]
    """The indicators that name it; none for a kind that no feature counts."""
    events: int
    customers: int
    valued: int
    """Events that say something in `value`."""
    negative: int
    first: int
    newest: int


@dataclass(frozen=True, eq=False)
class IndicatorProfile:
    """The events of one indicator: one side of engagement."""

    indicator: Indicator
    kinds: tuple[str, ...]
    """Those that the store holds."""
    events: int
    customers: int
    days: Ints
    """int64[d]: events on each local day from the first to the newest of the store."""
    minutes: Ints
    """int64[1440]: events by local time of day."""
    crowd: int
    """Events at the instant that has most of them, as far as the busiest of each bucket tell."""
    crowded: int
    """That instant."""
    together: int
    """Events of a kind that the same customer had just before, at the very same instant."""
    late: int
    """Events that the company learned of after they occurred."""


@dataclass(frozen=True, eq=False)
class DataProfile:
    """What the store holds before `until`, or altogether."""

    version: str
    customers: int
    events: int
    attributes: int
    first: int
    newest: int
    first_day: int
    """The place of the first local day in the timeline's midnights."""
    days: Ints
    """int64[d]: events on each local day, whatever their kind."""
    once: int
    """Customers with a single event."""
    busiest: str
    busiest_events: int
    kinds: tuple[KindProfile, ...]
    """Most frequent first."""
    sides: tuple[IndicatorProfile, ...]
    """In the order in which indicators are declared."""
    refused: tuple[QuarantineReason, ...]
    by_customer: CustomerPatterns
    by_row: RowPatterns
    customers_table: Customers
    """Who is behind a key, also those without events."""
    consent: ConsentProfile | None = None
    """The consent of customers to be contacted, where it was profiled."""
    names: NamesInUse = field(default_factory=NamesInUse)
    """The names that events have; none where they were not asked for."""
    several_rows: dict[str, int] = field(default_factory=dict)
    """How many event ids of a source came in several rows of its newest ingest."""

    @property
    def span(self) -> float:
        """Days between the first and the newest event."""
        return (self.newest - self.first) / DAY

    @property
    def quarantined(self) -> int:
        return sum(one.rows for one in self.refused)

    @property
    def without_customer(self) -> int:
        return sum(one.rows for one in self.refused if one.reason == NO_CUSTOMER)

    def share(self, rows: int) -> float:
        """The share among all rows, accepted or refused."""
        return rows / (self.events + self.attributes + self.quarantined)

    def side(self, indicator: str) -> IndicatorProfile | None:
        """The events of an indicator, if there are any."""
        return next((one for one in self.sides if one.indicator.name == indicator), None)


def profile_events(
    store: EventStore,
    indicators: Sequence[Indicator],
    timeline: Timeline,
    *,
    until: int | None = None,
    consent: str | None = None,
    consent_entries: Sequence[ConsentEntry] = (),
    names: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> DataProfile:
    """Profiles the events of the store; events at or after `until` do not exist.

    `consent` is the attribute by which customers ask not to be contacted, `consent_entries` those of
    `[[consent]]`. `names`: whether places, details and values of attributes are gathered.

    Raises `DataError` when nothing was ingested, or nothing that happened before `until`.
    """
    oldest, newest = store.oldest(until=until), store.newest(until=until)
    if oldest is None or newest is None or (until is not None and oldest >= until):
        raise _nothing(until, timeline)
    newest = newest if until is None else min(newest, until - 1)
    midnights = timeline.midnights
    first_day, last_day = (int(np.searchsorted(midnights, at, side="right")) - 1 for at in (oldest, newest))
    counts = map_partitions(
        store,
        partial(_Counts, timeline, range(first_day, last_day + 1), tuple(indicators), newest, names),
        "looking through the events",
        until=until,
        columns=ALL_COLUMNS | {"source"},
        progress=progress,
    )
    if not counts.customers:
        raise _nothing(until, timeline)
    consents = (
        None if consent is None else profile_consent(store, consent, counts.kinds, until, consent_entries)
    )
    return replace(counts.inventory(store), consent=consents)


@dataclass
class _Tally:
    """Running counts of an indicator over the buckets."""

    days: Ints
    minutes: Ints = field(default_factory=lambda: np.zeros(MINUTES, dtype=np.int64))
    instants: Counter[int] = field(default_factory=Counter)
    customers: int = 0
    together: int = 0
    late: int = 0

    def merge(self, other: _Tally) -> None:
        """Add the counts of later buckets."""
        self.days += other.days
        self.minutes += other.minutes
        self.instants.update(other.instants)
        self.customers += other.customers
        self.together += other.together
        self.late += other.late


class _Counts:
    """Counts of a bucket's events, or of all."""

    def __init__(
        self, timeline: Timeline, days: range, indicators: tuple[Indicator, ...], newest: int, names: bool
    ) -> None:
        self.timeline, self.first_day, self.indicators = timeline, days.start, indicators
        self.days = np.zeros(len(days), dtype=np.int64)
        self.tallies: dict[str, _Tally] = {}
        self.kinds: dict[str, Ints] = {}
        self.customers = self.once = self.attributes = 0
        self.busiest, self.busiest_events = -1, 0
        self.by_customer = CustomerPatterns(turnover_window(len(days)), newest, len(days))
        self.by_row = RowPatterns(len(days))
        self.gathers_names, self.names = names, NamesInUse()

    def add(self, history: History) -> None:
        """Count one bucket's events; attributes are counted apart from all others."""
        if not history.events:
            return
        self._count_kinds(history)
        if self.gathers_names:
            self.names.add(history)
        bucket = BucketEvents(history, self.timeline, self.first_day, len(self.days), self.indicators)
        self.by_row.add(bucket)
        who, instants, kinds = bucket.who, bucket.instants, bucket.kinds
        self.attributes += history.events - len(who)
        if not len(who):
            return
        self.by_customer.add(bucket)
        each = np.bincount(who, minlength=history.customers)
        self.customers += int((each > 0).sum())
        self.once += int((each == 1).sum())
        if each.max() > self.busiest_events:
            self.busiest, self.busiest_events = int(history.keys[each.argmax()]), int(each.max())
        late = np.zeros(len(who), dtype=np.bool_)
        if len(history.recorded):
            late = history.recorded[bucket.rows] > instants
        minute, day = bucket.minute, bucket.day
        self.days += np.bincount(day, minlength=len(self.days))
        again = np.r_[
            False, (who[1:] == who[:-1]) & (instants[1:] == instants[:-1]) & (kinds[1:] == kinds[:-1])
        ]
        for indicator in self.indicators:
            chosen = np.array([name in indicator.kinds for name in history.kind_names])[kinds]
            if chosen.any():
                tally = self.tallies.setdefault(indicator.name, _Tally(np.zeros_like(self.days)))
                tally.days += np.bincount(day[chosen], minlength=len(self.days))
                tally.minutes += np.bincount(minute[chosen], minlength=MINUTES)
                tally.customers += int(np.count_nonzero(np.diff(who[chosen]))) + 1
                tally.together += int(again[chosen].sum())
                tally.late += int(late[chosen].sum())
                at, crowds = np.unique(instants[chosen], return_counts=True)
                top = np.argsort(-crowds, kind="stable")[:CANDIDATES]
                tally.instants.update(dict(zip(at[top].tolist(), crowds[top].tolist(), strict=True)))

    def _count_kinds(self, history: History) -> None:
        """Events, customers, values, negative values, first and newest instant of each kind."""
        names = len(history.kind_names)
        who = customer_of_event(history)
        pairs = np.unique(who * names + history.kinds)
        first = np.full(names, np.iinfo(np.int64).max)
        newest = np.full(names, np.iinfo(np.int64).min)
        np.minimum.at(first, history.kinds, history.instants)
        np.maximum.at(newest, history.kinds, history.instants)
        rows = np.column_stack(
            [
                np.bincount(history.kinds, minlength=names),
                np.bincount(pairs % names, minlength=names),
                np.bincount(history.kinds[~np.isnan(history.values)], minlength=names),
                np.bincount(history.kinds[history.values < 0], minlength=names),
                first,
                newest,
            ]
        )
        for name, row in zip(history.kind_names, rows, strict=True):
            if row[0]:
                self.kinds[name] = row

    def merge(self, other: _Counts) -> None:
        """Add the counts of later buckets."""
        self.by_customer.merge(other.by_customer)
        self.by_row.merge(other.by_row)
        self.names.merge(other.names)
        self.days += other.days
        for name, tally in other.tallies.items():
            self.tallies.setdefault(name, _Tally(np.zeros_like(self.days))).merge(tally)
        for name, row in other.kinds.items():
            old = self.kinds.get(name)
            self.kinds[name] = (
                row if old is None else np.r_[old[:4] + row[:4], min(old[4], row[4]), max(old[5], row[5])]
            )
        self.customers += other.customers
        self.once += other.once
        self.attributes += other.attributes
        if other.busiest_events > self.busiest_events:
            self.busiest, self.busiest_events = other.busiest, other.busiest_events

    def inventory(self, store: EventStore) -> DataProfile:
        kinds = [self._kind(name, row) for name, row in self.kinds.items()]
        done = [kind for kind in kinds if not kind.name.startswith(ATTRIBUTE)]
        name = store.customers.names(np.array([self.busiest])).to_pylist()[0]
        return DataProfile(
            version=store.version,
            customers=self.customers,
            events=sum(kind.events for kind in done),
            attributes=self.attributes,
            first=min(kind.first for kind in done),
            newest=max(kind.newest for kind in done),
            first_day=self.first_day,
            days=self.days,
            once=self.once,
            busiest=name or "",
            busiest_events=self.busiest_events,
            kinds=tuple(sorted(kinds, key=lambda kind: (-kind.events, kind.name))),
            sides=tuple(self._side(one) for one in self.indicators if one.name in self.tallies),
            refused=refused(store),
            several_rows=store.several_rows,
            by_customer=self.by_customer,
            by_row=self.by_row,
            customers_table=store.customers,
            names=self.names,
        )

    def _kind(self, name: str, row: Ints) -> KindProfile:
        named = tuple(one.name for one in self.indicators if name in one.kinds)
        events, customers, valued, negative, first, newest = row.tolist()
        return KindProfile(name, named, events, customers, valued, negative, first, newest)

    def _side(self, indicator: Indicator) -> IndicatorProfile:
        tally = self.tallies[indicator.name]
        crowded, crowd = max(tally.instants.items(), key=lambda pair: (pair[1], -pair[0]))
        return IndicatorProfile(
            indicator=indicator,
            kinds=tuple(kind for kind in indicator.kinds if kind in self.kinds),
            events=int(tally.days.sum()),
            customers=tally.customers,
            days=tally.days,
            minutes=tally.minutes,
            crowd=crowd,
            crowded=crowded,
            together=tally.together,
            late=tally.late,
        )


def _nothing(until: int | None, timeline: Timeline) -> DataError:
    before = "" if until is None else f" before {timeline.name(until)}"
    return DataError(
        f"cannot examine the data: the store holds no event of a customer{before}. "
        "Ingest some with `kizuna ingest`."
    )

"""The extent of the data: first and newest events, kinds, counts, and a digest of the content."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History, events_of_kinds, without_retracted
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import ALWAYS, Timeline, still_counts
from training.data.coverage import DataCoverage, data_coverage
from training.data.customer_hashes import Hashes, customer_hashes, shuffled_by_customer
from training.labels.settings import Churn

NEVER = 2**62
"""Later than any event."""


@dataclass(frozen=True)
class DataExtent:
    """What a past holds: its extent, its kinds of event, and a digest of its content."""

    first: int
    """The first event that puts a customer in the cohort: before it there was nobody to lose."""
    newest: int
    coverage: DataCoverage
    """Until when labels can be told, and what ended before the rest."""
    kinds: tuple[str, ...]
    customers: int
    events: int
    digest: str


def data_extent(
    store: EventStore,
    until: int | None,
    churn: Churn,
    timeline: Timeline,
    indicators: Sequence[Indicator] = (),
    *,
    closed: Collection[str] = (),
    now: int | None = None,
    engine: Engine = HERE,
) -> DataExtent:
    """Look through everything before `until`; `closed` names the sources that have ended for good.

    Raises `DataError` when there is nothing.
    """
    new = partial(_ExtentAccumulator, store, churn.started_by)
    found = map_partitions(store, new, until=until, retractions=True, engine=engine)
    coverage = data_coverage(store, churn, indicators, timeline, until, closed=closed, now=now, engine=engine)
    if coverage is None:
        before = "" if until is None else f" before {timeline.name(until)}"
        raise DataError(f"cannot train: there are no events{before}. Ingest them with `kizuna ingest`.")
    if found.first == NEVER:
        raise DataError(
            f"cannot train: nobody can leave, because no event is of a kind that [churn] counts on "
            f"({', '.join(churn.started_by)}). The kinds there are: {', '.join(sorted(found.kinds))}."
        )
    return DataExtent(
        found.first,
        found.newest,
        coverage,
        tuple(sorted(found.kinds)),
        found.customers,
        found.events,
        f"{found.events}-{found.total % 2**64:016x}",
    )


@dataclass
class _ExtentAccumulator:
    """The extent, the kinds and the digest of the events seen so far."""

    store: EventStore
    started_by: Collection[str]
    first: int = NEVER
    newest: int = -1
    customers: int = 0
    events: int = 0
    total: int = 0
    kinds: set[str] = field(default_factory=set)

    def add(self, history: History) -> None:
        if not history.events:
            return
        self.total += _content(history, customer_hashes(self.store, history.keys))
        history = without_retracted(history)
        self.kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}
        done = ~np.array([name.startswith(ATTRIBUTE) for name in history.kind_names])[history.kinds]
        starts = events_of_kinds(history, self.started_by)
        if starts.any():
            self.first = min(self.first, int(history.instants[starts].min()))
        if done.any():
            self.newest = max(self.newest, int(history.instants[done].max()))
        self.customers += int((np.diff(history.offsets) > 0).sum())
        self.events += history.events

    def merge(self, other: _ExtentAccumulator) -> None:
        self.first = min(self.first, other.first)
        self.newest = max(self.newest, other.newest)
        self.customers += other.customers
        self.events += other.events
        self.total += other.total
        self.kinds |= other.kinds


def _content(history: History, hashes: Hashes) -> int:
    """The sum of the events' hashes: the same for the same events in any order and under any keys.

    Every column that features read counts; of the event ids, the order they give to events at one instant.
    """

    def texts(names: tuple[str, ...], codes: NDArray[np.int32]) -> Hashes:
        table = np.array([*(zlib.crc32(name.encode()) for name in names), 0], dtype=np.uint64)
        return table[codes]

    known = history.recorded if len(history.recorded) else np.full(history.events, ALWAYS)
    events = shuffled_by_customer(
        np.repeat(hashes, np.diff(history.offsets)) + history.instants.astype(np.uint64)
    )
    for column in (
        texts(history.kind_names, history.kinds),
        texts(history.channel_names, history.channels),
        texts(history.place_names, history.places),
        texts(history.detail_names, history.details),
        known.astype(np.uint64),
        _turn(history),
        np.where(np.isnan(history.values), -0.0, history.values).view(np.uint64),
    ):
        events = shuffled_by_customer(events + column)
    # Events without them keep the hash they had before there were such columns.
    for names, codes in (
        (history.contract_names, history.contracts),
        (history.currency_names, history.currencies),
    ):
        if len(codes):
            events = np.where(codes < 0, events, shuffled_by_customer(events + texts(names, codes)))
    if len(history.retracted):
        retracted = shuffled_by_customer(events + ~history.retracted.astype(np.uint64))
        events = np.where(still_counts(history.retracted, None), events, retracted)
    return int(events.sum(dtype=np.uint64))


def _turn(history: History) -> Hashes:
    """uint64[n]: how many of the customer's events at the same instant come before."""
    at = np.arange(history.events)
    begins = np.ones(history.events, dtype=np.bool_)
    begins[1:] = history.instants[1:] != history.instants[:-1]
    begins[history.offsets[:-1][np.diff(history.offsets) > 0]] = True
    return (at - np.maximum.accumulate(np.where(begins, at, 0))).astype(np.uint64)

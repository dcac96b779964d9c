"""Map over partitions of the event store and merge the results: the interface that engines implement.

A partition is a bucket of customers. What is computed from the whole store is an `Accumulator`: one is made
for each partition, takes the partition's history with `add`, and is merged into the result in the order of
the buckets. Results are the same, bit for bit, whether partitions are worked on one after the other, by
threads, or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from features.event_store import EventStore
from features.events.history import History
from features.ingestion.merging.bucket_tasks import BucketRunner
from features.storage.history_reader import ALL_COLUMNS, ReadOptions

Progress = Callable[[str, float], None]
"""Takes the name of a step and the share of it that is done, from 0 to 1."""


class Accumulator(Protocol):
    """A result computed from the histories of all partitions: add one partition, merge two results."""

    def add(self, history: History) -> None:
        """Take in the history of one partition; it may hold no customers."""

    def merge(self, other: Self, /) -> None:
        """Merges another result, of partitions that come after one's own."""


Gathered = TypeVar("Gathered", bound=Accumulator)


@dataclass(frozen=True)
class Scan:
    """What to read of each partition."""

    until: int | None = None
    """Events at or after this instant do not exist."""
    columns: frozenset[str] = ALL_COLUMNS
    event_ids: bool = False
    known_at: int | None = None
    """Events retracted before this instant are left out; by default before `until`, else all of them."""
    retractions: bool = False
    """Whether events that were retracted are there, with `History.retracted`."""

    @property
    def options(self) -> ReadOptions:
        """The same, as the store takes it."""
        return ReadOptions(
            until=self.until,
            columns=self.columns,
            event_ids=self.event_ids,
            known_at=self.known_at,
            retractions=self.retractions,
        )


class Engine(Protocol):
    """Where partitions are processed: an engine."""

    def partitions(
        self, store: EventStore, scan: Scan, buckets: Sequence[int], new: Callable[[], Gathered]
    ) -> Iterator[Gathered]:
        """One accumulator for each bucket, made by `new`, in the order of the buckets."""

    @property
    def bucket_runner(self) -> BucketRunner | None:
        """What runs tasks of an ingest in other processes; None where there are none."""

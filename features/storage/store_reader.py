"""Reads a store: histories by bucket or by customer, its customers, its data version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Self, Unpack

import numpy as np

from features.errors import DataError
from features.events.history import History
from features.storage import history_reader
from features.storage.customer_ids import ALIASES_SCHEMA, CUSTOMERS_SCHEMA, Customers, load
from features.storage.damage import newest_files
from features.storage.delta_table import Lake, TableVersion
from features.storage.history_reader import ReadOptions
from features.storage.run_facts import RunFacts
from features.storage.sorted_run import RUN_SCHEMA
from features.storage.store_place import StorePlace
from features.storage.writer_turn import WriterLock


class StoreReader:
    """What can be read of the events of a project; `EventStore` writes them too."""

    def __init__(
        self,
        location: Path | str,
        *,
        buckets: int,
        writers: WriterLock | None = None,
        pinned: TableVersion | None = None,
    ) -> None:
        self._location, self._writers = location, writers
        self._known: tuple[list[int], Customers] = ([], Customers())
        self._pinned, self.is_pinned = pinned, pinned is not None
        self.buckets = tuple(range(buckets))
        snapshot = None if self.is_pinned else self._events.snapshot()
        if snapshot is not None and int(snapshot.configuration["kizuna.buckets"]) != buckets:
            self.buckets = tuple(range(int(snapshot.configuration["kizuna.buckets"])))
            self._events = self._events_table()

    @cached_property
    def place(self) -> StorePlace:
        """Where the store lies; of a pinned store it is opened when something is first read."""
        return StorePlace(self._location, self._writers)

    @cached_property
    def _events(self) -> Lake:
        return self._events_table()

    @cached_property
    def _customers(self) -> Lake:
        return self.place.table("customers", CUSTOMERS_SCHEMA)

    @cached_property
    def _aliases(self) -> Lake:
        return self.place.table("aliases", ALIASES_SCHEMA)

    @cached_property
    def _facts(self) -> RunFacts:
        return RunFacts(self._events)

    @property
    def address(self) -> str:
        """The absolute folder, or the URL, by which another process opens the store."""
        # One that came from another process and is not open yet goes on under the address it came with.
        return self.place.name if "place" in vars(self) else str(self._location)

    @property
    def customers(self) -> Customers:
        """The customers as of the newest ingest."""
        tables = self._customers.snapshot(), self._aliases.snapshot()
        versions = [table.version if table else -1 for table in tables]
        if self._known[0] != versions:
            self._known = (versions, load(self._customers, self._aliases))
        return self._known[1]

    @property
    def aliases_version(self) -> int:
        """The version of the table of aliases, -1 where there is none: another may name customers anew."""
        table = self._aliases.snapshot()
        return -1 if table is None else table.version

    def history(self, bucket: int, **how: Unpack[ReadOptions]) -> History:
        """The histories of a bucket's customers.

        Events at or after `until` do not exist, nor do those that were retracted before it (without `until`:
        at all), unless `known_at` or `retractions` say otherwise (`history_reader.history`).
        """
        return self._read(self._snapshot(), bucket, **how)

    def histories(
        self, *, buckets: Sequence[int] | None = None, **how: Unpack[ReadOptions]
    ) -> Iterator[History]:
        """The histories of all customers or of some buckets, one by one, as of one version of the store.

        The next one is read while the caller works on one, so that memory holds two.
        """
        snapshot, chosen = self._snapshot(), self.buckets if buckets is None else buckets

        def read(bucket: int) -> History:
            return self._read(snapshot, bucket, **how)

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, chosen[0])
            for bucket in chosen[1:]:
                ready, ahead = ahead.result(), pool.submit(read, bucket)
                yield ready
                del ready
            yield ahead.result()

    def history_of(self, keys: Sequence[int], **how: Unpack[ReadOptions]) -> History:
        """The histories of a few customers; those without events have an empty one."""
        snapshot, wanted = self._snapshot(), np.unique(np.asarray(keys, dtype=np.int64))
        paths = [
            self._events.run_file(file)
            for bucket in np.unique(wanted % len(self.buckets)).tolist()
            for file in snapshot.by_bucket.get(bucket, ())
        ]
        with newest_files(self._events):
            return history_reader.history(paths, wanted=wanted, **how)

    def files_of(self, bucket: int) -> tuple[str, ...]:
        """The names of the files that hold a bucket's events: as long as they stay, so do its events."""
        return tuple(sorted(file.path for file in self._version_read().by_bucket.get(bucket, ())))

    def pinned(self) -> Self:
        """This store as it is now, for a job that reads its events several times while others may write.

        It shares the open tables and the customers that are known: every call of the service takes one.
        """
        if self.is_pinned:
            return self
        version, _ = self._version_read(), (self._customers, self._aliases, self._facts)
        still = object.__new__(type(self))  # not `copy`: what a store is to another process is no copy
        still.__dict__.update(self.__dict__)
        still._pinned, still.is_pinned = version, True
        return still

    def newest(self, *, until: int | None = None) -> int | None:
        """The instant of the newest engagement event; what is known about a customer does not count.

        Events that were retracted count until `until`, where it is given, as they did then.
        """
        return self._facts.newest(self._snapshot(), until)

    def oldest(self, *, until: int | None = None) -> int | None:
        """The instant of the oldest engagement event, as `newest`."""
        return self._facts.oldest(self._snapshot(), until)

    @property
    def version(self) -> str:
        """The data version: 16 hexadecimal digits that change exactly when the content does."""
        return f"{sum(self._facts.of(self._version_read(), 'digest')) % 2**64:016x}"

    @property
    def events(self) -> int:
        """How many events there are; retracted ones do not count."""
        snapshot = self._snapshot()
        return sum(file.rows for file in snapshot.files) - sum(self._facts.of(snapshot, "retracted"))

    def _events_table(self) -> Lake:
        return self.place.table("events", RUN_SCHEMA, buckets=len(self.buckets))

    def _read(self, snapshot: TableVersion, bucket: int, **how: Unpack[ReadOptions]) -> History:
        paths = [self._events.run_file(file) for file in snapshot.by_bucket.get(bucket, ())]
        with newest_files(self._events):
            return history_reader.history(paths, **how)

    def _version_read(self) -> TableVersion:
        return self._pinned or self._events.snapshot() or TableVersion(-1)

    def _snapshot(self) -> TableVersion:
        snapshot = self._version_read()
        if not snapshot.files:
            raise DataError("cannot read events: nothing was ingested yet; run `kizuna ingest`")
        return snapshot

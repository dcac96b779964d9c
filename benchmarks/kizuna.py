"""Kizuna's own way from the store's files to the matrix, and just reading them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import events
from features.catalog.definitions import Catalog
from features.engine.compiled_catalog import CompiledCatalog
from features.engine.snapshot import Snapshot, snapshot
from features.event_store import EventStore
from features.events.history import History
from features.storage.sorted_run import TEXTS
from features.timeline import Timeline, in_history

Form = Callable[[Sequence[int]], list[Snapshot]]
Reading = Callable[[Sequence[int]], list[pa.Table]]


def forms(folder: Path, catalog: Catalog, dates: Sequence[int]) -> dict[str, Form]:
    """Buckets one after the other on all cores, or as many at a time as there are cores."""
    columns = CompiledCatalog.of(catalog).event_columns

    def some(buckets: Sequence[int], at_a_time: int, threads: int) -> list[Snapshot]:
        store = EventStore(folder).pinned()

        def one(bucket: int) -> Snapshot:
            return rows(store.history(bucket, columns=columns), catalog, dates, threads=threads)

        with ThreadPoolExecutor(at_a_time) as pool:
            return list(pool.map(one, buckets))

    return {
        "buckets in turn": lambda buckets: some(buckets, 1, 0),
        "buckets side by side": lambda buckets: some(buckets, os.cpu_count() or 1, 1),
    }


def rows(history: History, catalog: Catalog, dates: Sequence[int], *, threads: int = 0) -> Snapshot:
    """The rows of all customers of a history at those dates before which they have an event."""
    keys, as_of = pairs(history, dates)
    return snapshot(history, catalog, Timeline(), keys, as_of, threads=threads)


def pairs(history: History, dates: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Customers and the dates before which they have an event, by customer, then date."""
    first = history.instants[history.offsets[:-1]]
    known = np.stack([in_history(first, None, as_of) for as_of in dates], axis=1)
    keys = np.repeat(history.keys, known.sum(axis=1))
    as_of = np.broadcast_to(np.array(dates, dtype=np.int64), known.shape)[known]
    return keys, as_of


def reading(folder: Path, catalog: Catalog) -> dict[str, Reading]:
    """The needed columns of all events, in memory, and nothing made of them."""
    names = ["key", "occurred_at", "recorded_at", "kind", *sorted(CompiledCatalog.of(catalog).event_columns)]
    coded = [name for name in TEXTS if name in names]
    files = events.files(folder)

    def read(path: str) -> pa.Table:
        return pq.read_table(path, columns=names, read_dictionary=coded, partitioning=None)

    def side_by_side(buckets: Sequence[int]) -> list[pa.Table]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(read, (path for bucket in buckets for path in files[bucket])))

    return {
        "files in turn": lambda buckets: [read(path) for bucket in buckets for path in files[bucket]],
        "files side by side": side_by_side,
    }

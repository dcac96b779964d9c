"""The features of a cohort as a folder of Parquet files: each bucket's file is written where it is computed.

Nothing but numbers comes home, so that neither memory nor a file holds the whole table. A part has the rows
of `cohort_feature_table` whose customers are of one bucket, in the order of their ids.
"""

from __future__ import annotations

import os
import platform
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import ConfigurationError
from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from training.data.feature_table import FeatureColumns

PART_NAME = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True)
class FeatureParts:
    """The files of a feature table in parts."""

    customers: int
    files: tuple[str, ...]
    """Their names, in the order of the buckets; a bucket without a customer of the cohort has none."""
    columns: tuple[str, ...]


def write_feature_parts(
    store: EventStore,
    columns: FeatureColumns,
    folder: Path,
    progress: Callable[[str, float], None] | None = None,
    *,
    engine: Engine = HERE,
) -> FeatureParts:
    """Write `customer_id` and the features of each bucket's cohort as `part-00017.parquet` into a folder.

    The folder is there, on every machine that processes partitions: else `ConfigurationError` is raised.
    Raises `DataError` where the cohort is empty.
    """
    store, until = store.pinned(), columns.as_of
    new = partial(_FeatureFiles, columns, store, folder.absolute())
    found = map_partitions(store, new, "computing features", until=until, progress=progress, engine=engine)
    if not found.customers:
        raise columns.empty()
    return FeatureParts(found.customers, tuple(found.files), ("customer_id", *columns.names))


@dataclass
class _FeatureFiles:
    """The files that were written, and how many customers are in them."""

    columns: FeatureColumns
    store: EventStore
    folder: Path
    customers: int = 0
    files: list[str] = field(default_factory=list)

    def add(self, history: History) -> None:
        keys, table = self.columns.rows(history)
        if not len(keys):
            return
        names = self.store.customers.names(keys)
        bucket = int(keys[0]) % len(self.store.buckets)
        table = table.add_column(0, "customer_id", names).take(pc.sort_indices(names))
        self.files.append(self._write(table, f"part-{bucket:05}.parquet"))
        self.customers += len(keys)

    def merge(self, other: _FeatureFiles) -> None:
        self.customers += other.customers
        self.files += other.files

    def _write(self, table: pa.Table, name: str) -> str:
        """Write a part in one step: another worker that does the same bucket again writes the same bytes."""
        unfinished = self.folder / f".{name}.{uuid.uuid4().hex[:8]}"
        texts = [column.name for column in table.schema if pa.types.is_string(column.type)]
        try:
            with unfinished.open("wb") as file:
                pq.write_table(table, file, compression="zstd", use_dictionary=texts)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.folder / name)
        except FileNotFoundError:
            raise ConfigurationError(
                f"cannot write {name} on {platform.node()}: there is no folder {self.folder} there. Give an "
                "--output that every worker sees at the same path and can write to."
            ) from None
        except PermissionError as error:
            raise ConfigurationError(
                f"cannot write {name} on {platform.node()}: {error.strerror} in {self.folder}. Give an "
                "--output that every worker sees at the same path and can write to."
            ) from None
        return name

"""The customers table, customer id ↔ integer key: the only place with identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.storage.damage import reading
from features.storage.delta_table import File, Lake
from features.storage.string_dictionary import StringDictionary, large

CUSTOMERS_SCHEMA = pa.schema([("key", pa.int64()), ("customer_id", pa.string())])
MOST_FILES = 16


class Customers:
    """Customer ids and their keys 0, 1, 2, …, given in order of first sight and never given again."""

    def __init__(self, names: pa.Array | None = None) -> None:
        self.vocabulary = StringDictionary(names)

    def __len__(self) -> int:
        """How many keys were ever given."""
        return len(self.vocabulary)

    def keys(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, -1 where unknown."""
        return self.vocabulary.codes(ids)

    def assign(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, the next one for those seen for the first time."""
        return self.vocabulary.codes(ids, grow=True)

    def names(self, keys: NDArray[np.int64]) -> pa.Array:
        """The customer id of each key, null for those erased."""
        return self.vocabulary.texts.take(pa.array(keys, pa.int64())).cast(pa.string())


def load(lake: Lake) -> Customers:
    """The customers that a table holds."""
    snapshot = lake.snapshot()
    if snapshot is None or not snapshot.files:
        return Customers(pa.nulls(lake.record().get("given", 0), pa.large_string()))
    table = pa.concat_tables([_table(lake.path(file)) for file in snapshot.files])
    keys = table.column("key").to_numpy()
    given = max(int(keys.max()) + 1, lake.record().get("given", 0))
    rows = np.full(given, -1, dtype=np.int64)
    rows[keys] = np.arange(len(keys))
    return Customers(large(table.column("customer_id")).take(pa.array(rows, mask=rows < 0)))


def _table(path: Path) -> pa.Table:
    with reading(path):
        return pq.read_table(path)


def plan_growth(lake: Lake, customers: Customers, run: str) -> tuple[list[File], list[File]] | None:
    """The files that a table gains and loses so that it holds these customers; None when it does."""
    before = len(load(lake))
    if len(customers) == before:
        return None
    snapshot = lake.snapshot()
    files = list(snapshot.files) if snapshot else []
    merge = len(files) >= MOST_FILES
    added = [lake.write(run, as_table(customers, 0 if merge else before))]
    return added, files if merge else []


def as_table(customers: Customers, first: int = 0) -> pa.Table:
    """The customers with a key of at least `first`, without those erased."""
    keys = np.arange(first, len(customers))
    table = pa.Table.from_arrays([pa.array(keys), customers.names(keys)], schema=CUSTOMERS_SCHEMA)
    return table.filter(table.column("customer_id").is_valid())

"""The customers tables, customer id ↔ integer key: the only place with identities.

One table has every id and the key that was given to it. The other, `aliases`, has the ids that stand for
another customer today, and the keys that went out of use when two customers turned out to be one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.storage.backends.object_file import RunFile, arrow_input
from features.storage.damage import reading
from features.storage.delta_table import File, Lake
from features.storage.string_dictionary import StringDictionary, large

CUSTOMERS_SCHEMA = pa.schema([("key", pa.int64()), ("customer_id", pa.string())])
ALIASES_SCHEMA = pa.schema(
    [("key", pa.int64()), ("customer_id", pa.string()), ("current", pa.bool_()), ("superseded", pa.int64())]
)
"""`key` is the customer's. A row names one of their ids (`current`: the one they are known by), or a key
that stood for them before (`superseded`), and then no id."""
MOST_FILES = 16


@dataclass(frozen=True)
class CustomerAliases:
    """Which customer an id, or a key that is out of use, stands for today."""

    current: Mapping[str, str] = field(default_factory=dict)
    """Old id → the id that the customer is known by."""
    superseded: Mapping[int, int] = field(default_factory=dict)
    """Key out of use → the customer's key."""

    @cached_property
    def old_ids(self) -> StringDictionary:
        return StringDictionary(pa.array(list(self.current), pa.large_string()))

    @cached_property
    def new_ids(self) -> pa.Array:
        """`large_string`: the current id of each of `old_ids`."""
        return pa.array(list(self.current.values()), pa.large_string())

    @cached_property
    def keys_out_of_use(self) -> NDArray[np.int64]:
        return np.array(sorted(self.superseded), dtype=np.int64)


class Customers:
    """Customer ids and their keys 0, 1, 2, …, given in order of first sight and never given again.

    An id that is an alias of another is read as the other, before it becomes a key.
    """

    def __init__(self, names: pa.Array | None = None, aliases: CustomerAliases | None = None) -> None:
        self.vocabulary = StringDictionary(names)
        self.aliases = aliases or CustomerAliases()

    def __len__(self) -> int:
        """How many keys were ever given."""
        return len(self.vocabulary)

    def current_ids(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """The ids with every old one replaced by the one that the customer is known by."""
        if not self.aliases.current:
            return ids
        codes = self.aliases.old_ids.codes(ids)
        old = codes >= 0
        if not old.any():
            return ids
        return pc.if_else(pa.array(old), self.aliases.new_ids.take(pa.array(codes, mask=~old)), large(ids))

    def keys(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, -1 where unknown."""
        return self.vocabulary.codes(self.current_ids(ids))

    def assign(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, the next one for those seen for the first time."""
        return self.vocabulary.codes(self.current_ids(ids), grow=True)

    def names(self, keys: NDArray[np.int64]) -> pa.Array:
        """The customer id of each key, null for those erased and for keys out of use."""
        return self.vocabulary.texts.take(pa.array(keys, pa.int64())).cast(pa.string())

    def all_ids(self, customer_id: str) -> tuple[str, ...]:
        """Every id of a customer, the current one first; the id itself where it has no alias."""
        current = self.aliases.current.get(customer_id, customer_id)
        return current, *(old for old, new in self.aliases.current.items() if new == current)

    def all_keys(self, customer_id: str) -> tuple[int, ...]:
        """Every key of a customer, the one in use first; none for one who is not known."""
        key = int(self.keys(pa.array([customer_id], pa.string()))[0])
        if key < 0:
            return ()
        return key, *(old for old, new in self.aliases.superseded.items() if new == key)


def load(lake: Lake, aliases: Lake | None = None) -> Customers:
    """The customers that the tables hold."""
    table = stored_rows(lake, CUSTOMERS_SCHEMA)
    if not table.num_rows:
        return Customers(pa.nulls(lake.record().get("given", 0), pa.large_string()))
    keys = table.column("key").to_numpy()
    given = max(int(keys.max()) + 1, lake.record().get("given", 0))
    rows = np.full(given, -1, dtype=np.int64)
    rows[keys] = np.arange(len(keys))
    names, also = large(table.column("customer_id")), stored_rows(aliases, ALIASES_SCHEMA)
    if not also.num_rows:
        return Customers(names.take(pa.array(rows, mask=rows < 0)))
    current = also.filter(also.column("current"))
    rows[current.column("key").to_numpy()] = len(names) + np.arange(current.num_rows)
    gone = also.filter(also.column("superseded").is_valid())
    rows[gone.column("superseded").to_numpy()] = -1
    names = pa.concat_arrays([names, large(current.column("customer_id"))])
    shown = names.take(pa.array(rows, mask=rows < 0))
    old = also.filter(pc.and_(pc.invert(also.column("current")), also.column("customer_id").is_valid()))
    now = shown.take(old.column("key").combine_chunks()).to_pylist()
    return Customers(
        shown,
        CustomerAliases(
            dict(zip(old.column("customer_id").to_pylist(), now, strict=True)),
            dict(zip(gone.column("superseded").to_pylist(), gone.column("key").to_pylist(), strict=True)),
        ),
    )


def stored_rows(lake: Lake | None, schema: pa.Schema) -> pa.Table:
    """All rows of one of the two tables as it is stored; none where there is no table."""
    snapshot = lake.snapshot() if lake is not None else None
    files = [] if lake is None or snapshot is None else [lake.run_file(file) for file in snapshot.files]
    return pa.concat_tables([schema.empty_table(), *map(_table, files)])


def _table(path: RunFile) -> pa.Table:
    with reading(path):
        return pq.read_table(arrow_input(path), partitioning=None)


def plan_growth(lake: Lake, customers: Customers, run: str) -> tuple[list[File], list[File]] | None:
    """The files that the table of ids gains and loses so that it has all keys; None when it does."""
    before = len(load(lake))
    if len(customers) == before:
        return None
    snapshot = lake.snapshot()
    files = list(snapshot.files) if snapshot else []
    table, merge = as_table(customers, before), len(files) >= MOST_FILES
    if merge:
        table = pa.concat_tables([stored_rows(lake, CUSTOMERS_SCHEMA), table])
    return [lake.write(run, table)], files if merge else []


def plan_aliases(lake: Lake, customers: Customers, run: str) -> tuple[list[File], list[File]] | None:
    """The files that the table of aliases gains and loses; None when it says what the customers say."""
    aliases = customers.aliases
    old, new = list(aliases.current), list(aliases.current.values())
    now = dict.fromkeys(new)
    keys = dict(zip(now, customers.vocabulary.codes(pa.array(list(now), pa.string())).tolist(), strict=True))
    known = [(keys[name], name, True) for name in now if keys[name] >= 0]
    known += [(keys[name], was, False) for was, name in zip(old, new, strict=True) if keys[name] >= 0]
    rows: list[dict[str, int | str | bool | None]] = [
        {"key": key, "customer_id": name, "current": current, "superseded": None}
        for key, name, current in sorted(known)
    ]
    rows += [
        {"key": key, "customer_id": None, "current": False, "superseded": gone}
        for gone, key in sorted(aliases.superseded.items())
    ]
    table = pa.Table.from_pylist(rows, schema=ALIASES_SCHEMA)
    if table.equals(stored_rows(lake, ALIASES_SCHEMA)):
        return None
    snapshot = lake.snapshot()
    return [lake.write(run, table)] if rows else [], list(snapshot.files) if snapshot else []


def as_table(customers: Customers, first: int = 0) -> pa.Table:
    """The customers with a key of at least `first`, without those erased."""
    keys = np.arange(first, len(customers))
    table = pa.Table.from_arrays([pa.array(keys), customers.names(keys)], schema=CUSTOMERS_SCHEMA)
    return table.filter(table.column("customer_id").is_valid())

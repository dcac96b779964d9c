"""How events are kept: a Delta table in buckets of the customer key, sorted by customer and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from numpy.typing import NDArray

from features.customers import Customers
from features.errors import DataError
from features.events import ATTRIBUTE, REFUSED_SCHEMA, Tally, sift
from features.history import MISSING, History
from features.sources import Attribute, Source, as_events, read
from features.timeline import ALWAYS, Timeline, in_history

ALL_COLUMNS = frozenset({"value", "channel", "place", "detail"})
BUCKETS = 16


@dataclass(frozen=True)
class Receipt:
    """What became of the rows of one source."""

    source: str
    read: int
    new: int
    already_there: int
    corrected: int
    quarantined: int
    without_customer: int


@dataclass(frozen=True)
class ErasureReceipt:
    """What was removed and where it was looked for."""

    customer_id: str
    events: int
    checked: tuple[str, ...]


class EventStore:
    """The events of a project, in its `state` folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.customers = Customers()
        if DeltaTable.is_deltatable(str(folder / "customers")):
            names = DeltaTable(str(folder / "customers")).to_pyarrow_table().sort_by("key")
            self.customers = Customers(names.column("customer_id").combine_chunks().cast(pa.string()))

    @property
    def buckets(self) -> tuple[int, ...]:
        return tuple(range(BUCKETS))

    @property
    def version(self) -> str:
        table = self._table()
        return f"{table.metadata().id[:8]}-{table.version()}"

    def ingest(
        self,
        sources: Sequence[Source],
        attributes: Sequence[Attribute],
        *,
        folder: Path,
        timeline: Timeline,
        now: int,
        progress: Callable[[str, float], None] | None = None,
    ) -> list[Receipt]:
        """Read every source into the store, or, when one cannot be read, none."""
        receipts, parts, refusals = [], [], []
        every: list[Source | Attribute] = [*sources, *attributes]
        for number, source in enumerate(every):
            if progress:
                progress(source.name, number / len(every))
            tally, clock = Tally(source.name), Timeline(source.timezone or timeline.timezone)
            for batch in read(source, folder):
                rows = as_events(source, batch) if isinstance(source, Attribute) else batch
                good, refused = sift(rows, clock, now, tally)
                parts.append(good.append_column("source", pa.array([source.name] * len(good), pa.string())))
                refusals.append(refused)
            tally.verdict()
            receipts.append(tally)
        return self._merge(receipts, parts, refusals, now)

    def add(self, table: pa.Table, *, source: str, timeline: Timeline, now: int) -> Receipt:
        """Keep events that did not come from a source's query."""
        tally = Tally(source)
        good, refused = sift(table, timeline, now, tally)
        tally.verdict()
        good = good.append_column("source", pa.array([source] * len(good), pa.string()))
        return self._merge([tally], [good], [refused], now)[0]

    def _merge(
        self, tallies: list[Tally], parts: list[pa.Table], refusals: list[pa.Table], now: int
    ) -> list[Receipt]:
        fresh = pa.concat_tables(parts)
        keys = self.customers.assign(fresh.column("customer_id"))
        fresh = fresh.append_column("key", pa.array(keys, pa.int64()))
        with duckdb.connect() as database:
            database.execute("set TimeZone = 'UTC'")
            database.register("fresh", fresh)
            database.execute(
                """create table incoming as select key, occurred_at, kind, value, channel, place, detail,
                   recorded_at, coalesce(event_id, md5(concat_ws('|', base, row_number() over (partition by base)))) as event_id,
                   source, now from (select *, 1 as now, md5(to_json(fresh)::varchar) as base from fresh)"""
            )
            counts = dict(database.execute("select source, count(*) from incoming group by 1").fetchall())
            database.execute("create table old as select * from incoming where false")
            if DeltaTable.is_deltatable(str(self.folder / "events")):
                old = self._table().to_pyarrow_table().drop_columns(["bucket"])
                database.register("before", old)
                database.execute("insert into old select *, 0 from before")
            new = dict(
                database.execute(
                    "select source, count(distinct event_id) from incoming where event_id not in (select event_id from old) group by 1"
                ).fetchall()
            )
            merged = database.sql(
                f"""select key % {BUCKETS} as bucket, * exclude (now) from (
                    from old union all by name from incoming)
                    qualify row_number() over (partition by event_id order by now desc) = 1
                    order by bucket, key, occurred_at, event_id, kind"""
            ).to_arrow_table()
        names = self.customers.names(np.arange(len(self.customers)))
        write_deltalake(
            str(self.folder / "customers"),
            pa.table({"key": np.arange(len(names)), "customer_id": names}),
            mode="overwrite",
        )
        refused = pa.concat_tables([REFUSED_SCHEMA.empty_table(), *refusals])
        if refused.num_rows:
            write_deltalake(str(self.folder / "quarantine"), refused, mode="append")
        write_deltalake(str(self.folder / "events"), merged, mode="overwrite", partition_by=["bucket"])
        return [
            Receipt(
                tally.source,
                tally.rows,
                new.get(tally.source, 0),
                counts.get(tally.source, 0) - new.get(tally.source, 0),
                0,
                sum(tally.reasons.values()),
                tally.reasons.get("customer_id is empty", 0),
            )
            for tally in tallies
        ]

    def history(
        self,
        bucket: int,
        *,
        until: int | None = None,
        columns: frozenset[str] = ALL_COLUMNS,
        event_ids: bool = False,
    ) -> History:
        """The history of every customer of a bucket; events at or after `until` do not exist."""
        rows = self._table().to_pyarrow_table(filters=[("bucket", "=", bucket)])
        return _history(rows, until, columns, event_ids)

    def histories(
        self, *, until: int | None = None, columns: frozenset[str] = ALL_COLUMNS, event_ids: bool = False
    ) -> Iterator[History]:
        """The histories of all customers, bucket by bucket."""
        for bucket in self.buckets:
            yield self.history(bucket, until=until, columns=columns, event_ids=event_ids)

    def history_of(
        self,
        keys: Sequence[int],
        *,
        until: int | None = None,
        columns: frozenset[str] = ALL_COLUMNS,
        event_ids: bool = False,
    ) -> History:
        """The history of these customers; those without events have an empty one."""
        wanted = np.unique(np.asarray(keys, dtype=np.int64))
        rows = (
            self._table().to_pyarrow_table(filters=[("key", "in", wanted.tolist())]) if len(wanted) else None
        )
        if rows is None:
            rows = self._table().to_pyarrow_table(filters=[("key", "in", [-1])])
        return _history(rows, until, columns, event_ids, wanted)

    def newest(self) -> int | None:
        """The instant of the newest engagement event; attributes do not count."""
        return self._extreme("max")

    def oldest(self) -> int | None:
        """The instant of the oldest engagement event."""
        return self._extreme("min")

    def covered_until(self) -> int | None:
        return self.newest()

    def erase(self, customer_id: str) -> ErasureReceipt:
        raise NotImplementedError

    def _extreme(self, which: str) -> int | None:
        rows = self._table().to_pyarrow_table(columns=["kind", "occurred_at"])
        rows = rows.filter(pc.invert(pc.starts_with(rows.column("kind"), ATTRIBUTE)))
        found = pc.min_max(rows.column("occurred_at").cast(pa.int64())).as_py()[which]
        return None if found is None else int(found)

    def _table(self) -> DeltaTable:
        if not DeltaTable.is_deltatable(str(self.folder / "events")):
            raise DataError("cannot read events: nothing was ingested yet; run `kizuna ingest`")
        return DeltaTable(str(self.folder / "events"))


def _history(
    rows: pa.Table,
    until: int | None,
    columns: frozenset[str],
    event_ids: bool,
    keys: NDArray[np.int64] | None = None,
) -> History:
    rows = rows.sort_by(
        [(c, "ascending") for c in ("key", "occurred_at", "event_id", "kind")]
    ).combine_chunks()
    occurred = rows.column("occurred_at").cast(pa.int64()).to_numpy()
    stamp = rows.column("recorded_at").cast(pa.int64())
    recorded = stamp.fill_null(ALWAYS).to_numpy() if stamp.null_count < len(stamp) else np.empty(0, np.int64)
    if until is not None:
        keep = in_history(occurred, recorded if len(recorded) else None, until)
        return _history(rows.filter(pa.array(keep)), None, columns, event_ids, keys)
    key = rows.column("key").to_numpy()
    found = np.unique(key) if keys is None else keys
    offsets = np.searchsorted(key, np.append(found, np.iinfo(np.int64).max)).astype(np.int64)

    def coded(name: str) -> Any:
        if name not in columns:
            return np.empty(0, np.int32), ()
        coded = rows.column(name).cast(pa.string()).combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        return coded.indices.fill_null(MISSING).to_numpy().astype(np.int32), tuple(
            coded.dictionary.to_pylist()
        )

    columns = columns | {"kind"}
    (kinds, kind_names), (channels, channel_names) = coded("kind"), coded("channel")
    (places, place_names), (details, detail_names) = coded("place"), coded("detail")
    values = np.empty(0)
    if "value" in columns:
        values = rows.column("value").fill_null(np.nan).to_numpy().astype(np.float64)
    return History(
        found, offsets, occurred, recorded, kinds, values, channels, places, details,
        kind_names, channel_names, place_names, detail_names,
        np.array(rows.column("event_id").to_pylist() if event_ids else [], dtype=object),
    )  # fmt: skip

"""The quarantine table: refused rows with their source and the reason, until they come in."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.events.schema import REFUSED_SCHEMA
from features.events.validation_counts import HEALED_BY_TIME
from features.ingestion.receipt import RefusalReason
from features.storage.customer_ids import Customers
from features.storage.damage import reading
from features.storage.delta_table import File, Lake
from features.storage.string_dictionary import large

QUARANTINE_SCHEMA = pa.schema(
    [
        *REFUSED_SCHEMA,
        ("ingested_at", pa.timestamp("us", "UTC")),
        ("key", pa.int64()),
    ]
)
MOST_FILES = 16
PENDING = "quarantine"
"""Where the commit of the events notes the rewrite of the quarantine that is to follow."""
ROWS = ("row", "event", "other")
"""The columns that hold a row as JSON."""
ROW = ("source", "row", "reason")
"""What tells one refused row from another."""
_TO_COME = pa.schema([("key", pa.int64()), ("kind", pa.string()), ("occurred_at", pa.int64())])
_IDS = pa.schema([("source", pa.string()), ("event_id", pa.string())])


class QuarantineWriter:
    """The refused rows of one ingest, on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, refused: pa.Table) -> None:
        if refused.num_rows:
            if self._writer is None:
                self.files.append(self.folder / f"refused-{len(self.files)}.parquet")
                self._writer = pq.ParquetWriter(self.files[-1], REFUSED_SCHEMA)
            self._writer.write_table(refused)

    def flush(self) -> None:
        """Make the rows so far readable."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def waiting(self) -> pa.Table:
        """The rows so far that wait for their moment: `REFUSED_SCHEMA`."""
        reasons = pc.field("reason").isin(list(HEALED_BY_TIME))
        parts = [pq.read_table(file, filters=reasons) for file in self.files]
        return pa.concat_tables([REFUSED_SCHEMA.empty_table(), *parts])

    def reasons(self) -> dict[str, tuple[RefusalReason, ...]]:
        """Of each source why rows were refused, with the number of rows and one of them, most first."""
        found: dict[str, tuple[RefusalReason, ...]] = {}
        if not self.files:
            return found
        with _database() as database:
            rows = database.sql(
                "select source, reason, count(*), min(row), arg_min(other, row) "  # noqa: S608
                f"from read_parquet({_listed(self.files)}) group by all order by 3 desc, 2"
            ).fetchall()
        for source, *of_rows in rows:
            found[source] = (*found.get(source, ()), RefusalReason(*of_rows))
        return found


@dataclass(frozen=True)
class Settled:
    """Which rows of the quarantine are not refused any more."""

    reread: Collection[str] = ()
    """Sources that were read whole: what they do not bring any more is settled."""
    newer: pa.Table = field(default_factory=_IDS.empty_table)
    """`source, event_id` of which a newer version came in."""
    healed: pa.Table = field(default_factory=lambda: REFUSED_SCHEMA.empty_table().select(ROW))
    """The rows that came in as they are."""
    outdated: pa.Table = field(default_factory=lambda: REFUSED_SCHEMA.empty_table().select(ROW))
    """Rows refused in this ingest of which a newer version came with them."""


@dataclass(frozen=True)
class Rewrite:
    """Files that the quarantine gains and loses once the events are committed."""

    gained: tuple[File, ...]
    lost: tuple[File, ...]

    def apply(self, lake: Lake) -> None:
        """Commit it, unless that was done before."""
        there = {file.path for file in _files(lake)}
        if {file.path for file in self.lost} <= there:
            lake.commit(self.gained, self.lost)

    def as_record(self) -> dict[str, list[dict[str, Any]]]:
        """As noted in the commit of the events."""
        return {"gained": list(map(asdict, self.gained)), "lost": list(map(asdict, self.lost))}


def apply_pending(lake: Lake, record: dict[str, Any]) -> None:
    """Let settled rows leave where a process was killed between that and the commit of the events."""
    if PENDING in record:
        gained, lost = (tuple(File(**file) for file in record[PENDING][name]) for name in ("gained", "lost"))
        Rewrite(gained, lost).apply(lake)


@dataclass(frozen=True)
class QuarantineChange:
    """Files that the quarantine gains and loses before the events are committed, and what follows after."""

    gained: list[File]
    lost: list[File]
    after: Rewrite | None = None


def plan(
    lake: Lake,
    refusals: QuarantineWriter,
    customers: Customers,
    now: int,
    run: str,
    settled: Settled,
    left_out: Collection[str] = (),
) -> QuarantineChange:
    """What an ingest changes: refused rows that are not there yet are added, settled rows leave.

    Nothing changes for the sources `left_out`.
    """
    files = _files(lake)
    if not refusals.files and not files:
        return QuarantineChange([], [])
    with _database() as database:
        database.execute(f"set temp_directory = '{refusals.folder}'")
        for name, table in (
            ("newer", settled.newer),
            ("healed", settled.healed),
            ("outdated", settled.outdated),
            ("reread", pa.table({"source": pa.array(sorted(settled.reread), pa.string())})),
            ("left_out", pa.table({"source": pa.array(sorted(left_out), pa.string())})),
        ):
            database.register(name, table)
        _views(database, lake, refusals)
        fresh = database.sql(
            "select *, json_extract_string(row, '$.customer_id') as customer_id "
            "from fresh anti join held using (source, row, reason) order by source, reason, row"
        ).to_arrow_table()
        database.execute(
            "create temp table settled as select source, row, reason from held "
            "anti join fresh using (source, row, reason) anti join left_out using (source) "
            "where source in (select source from reread) "
            "or (source, event_id) in (select (source, event_id) from newer) "
            "or (source, event_id) in (select (source, event_id) from fresh where event_id is not null) "
            "or (source, row, reason) in (select (source, row, reason) from healed)"
        )
        leaving = database.sql("select count(*) from settled").fetchall()[0][0]
        stay = (
            database.sql("from held anti join settled using (source, row, reason)").to_arrow_table()
            if leaving
            else None
        )
    keys = customers.keys(fresh.column("customer_id"))
    added = pa.Table.from_arrays(
        [
            *(fresh.column(name).cast(pa.string()) for name in REFUSED_SCHEMA.names),
            pa.array(np.full(len(keys), now)).cast(pa.timestamp("us", "UTC")),
            pa.array(keys, mask=keys < 0),
        ],
        schema=QUARANTINE_SCHEMA,
    )
    gained = [lake.write(run, added)] if added.num_rows else []
    if stay is not None:
        rest = pa.concat_tables([stay.select(QUARANTINE_SCHEMA.names).cast(QUARANTINE_SCHEMA), added])
        rewritten = (lake.write(run, rest),) if rest.num_rows else ()
        return QuarantineChange(gained, [], Rewrite(rewritten, (*files, *gained)))
    if gained and len(files) >= MOST_FILES:
        return QuarantineChange([lake.write(run, pa.concat_tables([read(lake), added]))], files)
    return QuarantineChange(gained, [])


def event_ids(lake: Lake) -> pa.Table:
    """`source, event_id` of the refused rows, each once; the id may be null."""
    if not _files(lake):
        return _IDS.empty_table()
    with _database() as database:
        _views(database, lake, None)
        return database.sql("select distinct source, event_id from held").to_arrow_table().cast(_IDS)


def refused_event_ids(refusals: QuarantineWriter, source: str) -> pa.Array:
    """The event ids (`large_string`) of the rows of a source that were refused in this ingest."""
    if not refusals.files:
        return pa.array([], pa.large_string())
    with _database() as database:
        rows = database.sql(
            "select distinct json_extract_string(row, '$.event_id') as event_id "  # noqa: S608
            f"from read_parquet({_listed(refusals.files)}) where source = {_literal(source)}"
        ).to_arrow_table()
    return large(rows.column("event_id")).drop_null()


def holds_all(lake: Lake, refusals: QuarantineWriter, source: str) -> bool:
    """Whether every row of a source that was refused in this ingest is in quarantine already."""
    if not refusals.files or not _files(lake):
        return False
    with _database() as database:
        _views(database, lake, None)
        fresh = database.sql(
            f"from read_parquet({_listed(refusals.files)}) anti join held using (source, row, reason) "
            f"where source = {_literal(source)} limit 1"
        )
        return not fresh.fetchall()


def waiting(rows: pa.Table, source: str) -> pa.Table:
    """The refused rows of a source that wait for their moment."""
    reasons = pa.array(HEALED_BY_TIME, pa.string())
    waits = pc.and_(pc.equal(rows.column("source"), source), pc.is_in(rows.column("reason"), reasons))
    return rows.filter(waits)


def events_to_come(lake: Lake, kinds: Collection[str]) -> pa.Table:
    """`key, kind, occurred_at` (int64 microseconds) of rows of these kinds that wait for their moment."""
    if not kinds or not _files(lake):
        return _TO_COME.empty_table()
    with _database() as database:
        _views(database, lake, None)
        database.register("wanted", pa.table({"kind": pa.array(sorted(kinds), pa.string())}))
        database.register("heals", pa.table({"reason": pa.array(HEALED_BY_TIME, pa.string())}))
        said = "json_extract_string(event, '$.{}')"
        return (
            database.sql(
                f"select key, {said.format('kind')} as kind, "  # noqa: S608 (names of ours)
                f"epoch_us(cast({said.format('occurred_at')} as timestamptz)) as occurred_at from held "
                f"where key is not null and event is not null and reason in (from heals) "
                f"and {said.format('kind')} in (from wanted)"
            )
            .to_arrow_table()
            .cast(_TO_COME)
        )


def names(row: str, customer_id: str) -> bool:
    """Whether any field of a refused row holds this customer's id."""
    return any(str(value) == customer_id for value in json.loads(row).values())


def read(lake: Lake) -> pa.Table:
    """All rows of the quarantine: source, row, reason, event, other, ingested_at, key."""
    return pa.concat_tables([QUARANTINE_SCHEMA.empty_table(), *_tables(lake)])


def read_file(path: Path) -> pa.Table:
    """The rows of one file; columns that files of earlier versions lack are empty."""
    with reading(path):
        return pq.read_table(path, schema=QUARANTINE_SCHEMA, partitioning=None)


def _tables(lake: Lake) -> list[pa.Table]:
    return [read_file(lake.path(file)) for file in _files(lake)]


def _files(lake: Lake) -> list[File]:
    snapshot = lake.snapshot()
    return list(snapshot.files) if snapshot else []


def _database() -> closing[duckdb.DuckDBPyConnection]:
    database = duckdb.connect()
    database.execute("set enable_progress_bar = false")
    database.execute("set TimeZone = 'UTC'")
    return closing(database)


def _views(database: duckdb.DuckDBPyConnection, lake: Lake, refusals: QuarantineWriter | None) -> None:
    """`held`, the quarantine as it is, and `fresh`, the distinct refused rows of this ingest."""
    identified = "select *, json_extract_string(row, '$.event_id') as event_id from"
    database.register("no_rows", QUARANTINE_SCHEMA.empty_table())
    held = "no_rows"
    if files := _files(lake):
        listed = _listed([lake.path(file) for file in files])
        held = f"(from no_rows union all by name from read_parquet({listed}, union_by_name = true))"
    database.execute(f"create temp view held as {identified} {held}")
    if refusals is not None:
        fresh = "no_rows"
        if refusals.files:
            fresh = (
                "(select source, row, reason, any_value(event) as event, any_value(other) as other "  # noqa: S608
                f"from read_parquet({_listed(refusals.files)}) anti join left_out using (source) "
                "anti join outdated using (source, row, reason) group by all)"
            )
        database.execute(f"create temp view fresh as {identified} {fresh}")


def _listed(paths: list[Path]) -> str:
    return "[" + ", ".join(_literal(str(path)) for path in paths) + "]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

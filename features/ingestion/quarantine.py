"""The quarantine table: refused rows with their source and the reason."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.events.schema import REFUSED_SCHEMA
from features.storage.customer_ids import Customers
from features.storage.damage import reading
from features.storage.delta_table import File, Lake

QUARANTINE_SCHEMA = pa.schema(
    [
        *REFUSED_SCHEMA,
        ("ingested_at", pa.timestamp("us", "UTC")),
        ("key", pa.int64()),
    ]
)
MOST_FILES = 16


class QuarantineWriter:
    """The refused rows of one ingest, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: pq.ParquetWriter | None = None

    def add(self, refused: pa.Table) -> None:
        if refused.num_rows:
            if self._writer is None:
                self._writer = pq.ParquetWriter(self.path, REFUSED_SCHEMA)
            self._writer.write_table(refused)

    def close(self) -> bool:
        """Whether there are any."""
        if self._writer is not None:
            self._writer.close()
        return self._writer is not None


def plan(
    lake: Lake, refusals: QuarantineWriter, customers: Customers, now: int, run: str
) -> tuple[list[File], list[File]]:
    """The files that the quarantine gains and loses; a row that is there already is not added again."""
    if not refusals.close():
        return [], []
    snapshot = lake.snapshot()
    files = list(snapshot.files) if snapshot else []
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.execute(f"set temp_directory = '{refusals.path.parent}'")
        database.execute(
            "create view fresh as select distinct source, row, reason, "
            "json_extract_string(row, '$.customer_id') as customer_id from read_parquet($1)".replace(
                "$1", _listed([refusals.path])
            )
        )
        query = "select * from fresh"
        if files:
            old = _listed([lake.path(file) for file in files])
            query += f" anti join read_parquet({old}) using (source, row, reason)"
        rows = database.sql(query + " order by source, reason, row").to_arrow_table()
    if rows.num_rows == 0:
        return [], []
    keys = customers.keys(rows.column("customer_id"))
    table = pa.Table.from_arrays(
        [
            *(rows.column(name).cast(pa.string()) for name in REFUSED_SCHEMA.names),
            pa.array(np.full(len(keys), now)).cast(pa.timestamp("us", "UTC")),
            pa.array(keys, mask=keys < 0),
        ],
        schema=QUARANTINE_SCHEMA,
    )
    removed: list[File] = []
    if len(files) >= MOST_FILES:
        table = pa.concat_tables([*(pq.read_table(lake.path(file)) for file in files), table])
        removed = files
    return [lake.write(run, table)], removed


def names(row: str, customer_id: str) -> bool:
    """Whether any field of a refused row holds this customer's id."""
    return any(str(value) == customer_id for value in json.loads(row).values())


def _listed(paths: list[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"


def read(lake: Lake) -> pa.Table:
    """All rows of the quarantine: source, row, reason, ingested_at, key."""
    snapshot, parts = lake.snapshot(), []
    for file in snapshot.files if snapshot else ():
        with reading(path := lake.path(file)):
            parts.append(pq.read_table(path))
    return pa.concat_tables([QUARANTINE_SCHEMA.empty_table(), *parts])

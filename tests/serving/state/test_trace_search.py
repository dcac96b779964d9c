"""Searching files for a customer: short ids, tables, and what cannot be searched."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.state.trace_search import TraceSearch


def database(file: Path, *cells: object) -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"create table t ({', '.join(f'c{number}' for number in range(len(cells)))})")
        connection.execute(f"insert into t values ({', '.join('?' * len(cells))})", cells)
    return file


def test_an_id_is_found_in_sqlite_where_columns_stand_side_by_side(tmp_path: Path) -> None:
    file = database(tmp_path / "a.db", "before", "customer-17", "after")
    assert TraceSearch("customer-17").search(file) is True
    assert TraceSearch("customer-1").search(file) is False


@pytest.mark.parametrize("customer_id", ["ann", "12345"])
def test_a_short_id_is_found_as_a_whole_value_only(tmp_path: Path, customer_id: str) -> None:
    longer = f"1{customer_id}1"
    for number, text in enumerate((customer_id, longer)):
        files = [tmp_path / f"{number}.{suffix}" for suffix in ("csv", "json", "parquet", "arrow")]
        files[0].write_text(f"id,n\n{text},7\n", encoding="utf-8")
        files[1].write_text(json.dumps({"customer_id": text, "size": 12345}), encoding="utf-8")
        table = pa.table({"id": [text], "row": [json.dumps({"customer_id": text})]})
        pq.write_table(table, files[2])
        with pa.ipc.new_file(str(files[3]), table.schema) as writer:
            writer.write_table(table)
        files.append(database(tmp_path / f"{number}.db", "before", text, 12345))
        files.append(database(tmp_path / f"{number}-json.db", json.dumps({"customer_id": text})))
        found = {file.name: TraceSearch(customer_id).search(file) for file in files}
        assert set(found.values()) == {text == customer_id}, found


def test_a_file_that_cannot_be_searched_is_not_said_to_be_free_of_traces(tmp_path: Path) -> None:
    binary, packed = tmp_path / "model.bin", tmp_path / "list.csv.gz"
    binary.write_bytes(b"\x00\x01ann\x00")
    packed.write_bytes(gzip.compress(b"customer-17"))
    assert TraceSearch("ann").search(binary) is None, "short texts stand by chance in binary files"
    assert TraceSearch("customer-17").search(binary) is False
    assert TraceSearch("customer-17").search(packed) is None
    assert TraceSearch("ann").search(tmp_path / "gone.csv") is None

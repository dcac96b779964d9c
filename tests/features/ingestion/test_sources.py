"""How outside tables become events: files, encodings, databases, watermarks, and what can be wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from features.errors import ConfigurationError, DataError
from features.ingestion.sources import Attribute, Source, SourceReader

SELECT = "select c as customer_id, t as occurred_at, 'purchase' as kind, v as value, n as event_id from "


def rows(source: Source | Attribute, folder: Path, since: str | int | None = None) -> list[dict[str, object]]:
    return [row for batch in SourceReader(source, folder, since) for row in batch.to_pylist()]


def source(query: str, **other: str) -> Source:
    return Source(name="orders", query=query, **other)


def whole(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("c,t,v,n\nann,2024-05-01 09:00,3.5,1\nbob,2024-05-02,4,2\n")
    (tmp_path / "data/b.csv").write_text("c,t,v,n\nann,2024-05-03,1,3\n")
    return tmp_path


def test_relative_paths_start_at_the_project_folder_wherever_the_process_is(folder, monkeypatch):
    monkeypatch.chdir("/")
    found = rows(source(SELECT + "read_csv('data/*.csv') order by n"), folder)
    values = [(row["customer_id"], row["value"]) for row in found]
    assert values == [("ann", "3.5"), ("bob", "4"), ("ann", "1")]


def test_parquet_and_json_lines_are_read_in_place(folder):
    pq.write_table(pa.table({"c": ["ann"], "t": ["2024-05-01"], "v": [1.0], "n": [1]}), folder / "a.parquet")
    lines = [{"c": "bob", "t": "2024-05-01", "v": 2, "n": 2}, {"c": "zoe", "t": "2024-05-02", "v": 3, "n": 3}]
    (folder / "a.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert [row["customer_id"] for row in rows(source(SELECT + "'a.parquet'"), folder)] == ["ann"]
    assert [row["value"] for row in rows(source(SELECT + "read_json('a.jsonl')"), folder)] == [2, 3]


@pytest.mark.parametrize("encoding", ["cp932", "shift_jis", "euc_jp"])
def test_japanese_encodings_are_named_before_the_path(folder, encoding):
    (folder / "jp").mkdir()
    for number, name in enumerate(["田中", "表参道ソ能", "佐藤"]):
        text = f"顧客,日時,金額\r\n{name},2024-05-0{number + 1} 10:00,1200\r\n"
        (folder / f"jp/{number}.csv").write_bytes(text.encode(encoding))
    query = f"select 顧客 as customer_id, 日時 as occurred_at, 金額 as value from read_csv('{encoding}://jp/*.csv')"
    found = rows(source(query + " order by 2"), folder)
    assert [row["customer_id"] for row in found] == ["田中", "表参道ソ能", "佐藤"]
    assert found[0]["value"] == "1200"


def test_letters_that_only_windows_knows_are_read_as_cp932(folder):
    (folder / "w.csv").write_bytes("c\n髙橋①㈱\n".encode("cp932"))
    assert rows(source("select c as customer_id from read_csv('cp932://w.csv')"), folder) == [
        {"customer_id": "髙橋①㈱"}
    ]


def test_a_file_in_another_encoding_than_named_is_an_error(folder):
    (folder / "w.csv").write_bytes("c\n髙橋\n".encode())
    with pytest.raises(ConfigurationError, match=r"'w\.csv' is not cp932 text"):
        rows(source("select c as customer_id from read_csv('cp932://w.csv')"), folder)


def test_an_encoding_that_duckdb_does_not_know_is_answered_with_what_to_write(folder):
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/a.csv").write_bytes("c\n髙橋\n".encode("cp932"))
    (folder / "data/b.csv").write_text("c\nTakahashi\n")
    for file, advice in (("a", "`read_csv('cp932://data/a.csv')`."), ("b", "`read_csv('data/b.csv')`.")):
        with pytest.raises(ConfigurationError, match=re.escape(advice)):
            rows(source(f"select * from read_csv('data/{file}.csv', encoding = 'shift_jis')"), folder)


def test_a_wrong_query_names_the_source_and_the_first_line_of_what_duckdb_says(folder):
    with pytest.raises(
        ConfigurationError,
        match=r"^cannot run the query of source 'orders': .*nothing\.csv.*\. Correct it in kizuna\.toml\.$",
    ):
        rows(source("select * from read_csv('nothing.csv')"), folder)


def test_rows_of_an_attribute_become_events_of_its_kind(folder):
    texts = Attribute(
        name="plan", query="select 'ann' as customer_id, date '2024-05-01' as known_at, 'gold' as value"
    )
    numbers = Attribute(
        name="age", query="select 'ann' as customer_id, date '2024-05-01' as known_at, 42 as value"
    )
    (gold,), (age,) = rows(texts, folder), rows(numbers, folder)
    assert (gold["kind"], gold["detail"]) == ("attribute.plan", "gold")
    assert (age["kind"], age["value"]) == ("attribute.age", 42)


def test_an_attribute_must_say_since_when_it_is_known(folder):
    sentence = (
        "cannot ingest attribute 'plan': its query gives no column 'known_at'. It has customer_id, value; "
        "name one of them so, as in `x as known_at`."
    )
    with pytest.raises(DataError, match=whole(sentence)):
        rows(Attribute(name="plan", query="select 'ann' as customer_id, 'gold' as value"), folder)


def test_a_watermark_lets_the_next_ingest_read_only_what_is_new(folder):
    orders = source(SELECT + "read_csv('data/*.csv') order by n", watermark="event_id")
    first = SourceReader(orders, folder)
    assert sum(batch.num_rows for batch in first) == 3
    assert first.watermark == 3
    (folder / "data/c.csv").write_text("c,t,v,n\nzoe,2024-05-09,1,4\n")
    assert [row["event_id"] for row in rows(orders, folder, first.watermark)] == [3, 4]


def test_a_watermark_may_be_a_moment(folder):
    orders = source(SELECT.replace(" t ", " t::timestamp ") + "'data/*.csv'", watermark="occurred_at")
    first = SourceReader(orders, folder)
    list(first)
    assert first.watermark == "2024-05-03 00:00:00"
    assert [row["event_id"] for row in rows(orders, folder, first.watermark)] == ["3"]


def test_a_watermark_that_is_no_column_is_named_with_those_there_are(folder):
    sentence = (
        "cannot ingest source 'orders': its watermark is the column 'updated', but its query gives "
        "customer_id, occurred_at, kind, value, event_id. Add it to the query, or correct `watermark`."
    )
    with pytest.raises(DataError, match=whole(sentence)):
        rows(source(SELECT + "'data/a.csv'", watermark="updated"), folder)


def test_a_watermark_needs_event_ids(folder):
    sentence = (
        "cannot ingest source 'orders': it names a watermark, but its query gives no event_id, and without "
        "one a repeated row cannot be told from a true repeat. Add `… as event_id`."
    )
    with pytest.raises(ConfigurationError, match=whole(sentence)):
        rows(
            source("select c as customer_id, t as occurred_at from 'data/a.csv'", watermark="occurred_at"),
            folder,
        )


def test_unknown_keys_of_a_source_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Source.model_validate({"name": "a", "query": "select 1", "querry": "x"})


def test_sqlite_is_read_through_a_connection(folder):
    with sqlite3.connect(folder / "shop.db") as database:
        database.execute("create table orders (c text, t text, v real, n integer)")
        database.executemany("insert into orders values (?, ?, ?, ?)", [
            ("ann", "2024-05-01 09:00", 3.5, 1), ("bob", "2024-05-02", None, 2), ("zoe", "2024-05-03", 1.0, 3)
        ])  # fmt: skip
    database.close()
    orders = source(SELECT + "orders", connection="sqlite:///shop.db", watermark="event_id")
    feed = SourceReader(orders, folder)
    found = [row for batch in feed for row in batch.to_pylist()]
    assert [(row["customer_id"], row["value"]) for row in found] == [
        ("ann", 3.5),
        ("bob", None),
        ("zoe", 1.0),
    ]
    assert feed.watermark == 3
    assert [row["customer_id"] for row in rows(orders, folder, 2)] == ["bob", "zoe"]


def test_a_sqlite_file_that_is_not_there_is_not_created(folder):
    sentence = (
        "cannot read source 'orders': there is no database 'shop.db' in the project folder. "
        "Correct its `connection`."
    )
    with pytest.raises(ConfigurationError, match=whole(sentence)):
        rows(source(SELECT + "orders", connection="sqlite:///shop.db"), folder)
    assert not (folder / "shop.db").exists()


def test_a_query_that_a_connection_refuses_names_the_source(folder):
    sqlite3.connect(folder / "shop.db").close()
    with pytest.raises(
        ConfigurationError, match=r"^cannot run the query of source 'orders': .*no such table: orders"
    ):
        rows(source(SELECT + "orders", connection="sqlite:///shop.db"), folder)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a real server on a free loopback port."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed")
    programs = found[-1].parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = Path(tempfile.mkdtemp(prefix="kizuna-postgresql-"))
    runuser: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
        runuser = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [*runuser, str(programs / program), *words], check=True, cwd=place, stdout=subprocess.DEVNULL
        )

    run("initdb", "-D", f"{place}/data", "-U", "kizuna", "--auth=trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "-D", f"{place}/data", "-l", f"{place}/log", "-o", options, "-w", "start")
    try:
        yield f"postgresql://kizuna@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", f"{place}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(place)


def test_postgresql_is_read_through_a_real_connection(postgresql, folder):
    import sqlalchemy as sa

    engine = sa.create_engine(postgresql.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text(
            "create table orders as select 'c' || i % 10 as c, timestamptz '2024-05-01 00:00+09' + i * "
            "interval '1 minute' as t, (i * 1.25)::numeric(12, 2) as v, gen_random_uuid() as n "
            "from generate_series(1, 60000) as i"
        ))  # fmt: skip
    engine.dispose()
    orders = source(SELECT + "orders order by t", connection=postgresql, watermark="occurred_at")
    feed = SourceReader(orders, folder)
    tables = list(feed)
    assert sum(table.num_rows for table in tables) == 60_000
    assert len(tables) > 1  # streamed
    assert tables[0].schema.field("occurred_at").type.tz is not None
    assert tables[0].column("value")[0].as_py() == 1.25
    assert len(rows(orders, folder, feed.watermark)) == 1


def test_a_postgresql_that_does_not_answer_names_the_source(folder):
    with pytest.raises(
        ConfigurationError, match=r"^cannot run the query of source 'orders': .*(refused|failed)"
    ):
        rows(source("select 1", connection="postgresql://kizuna@127.0.0.1:1/none"), folder)


def test_a_long_query_draws_no_progress_on_standard_output(folder):
    assert rows(source("select current_setting('enable_progress_bar') as drawn"), folder) == [
        {"drawn": False}
    ]

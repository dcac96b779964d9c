"""Processes that ingest into S3, or erase there, are killed at random instants; nothing is lost, or left.

The short form kills each three times; `make prove` thirty times (`tests/prove.py`).
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UnknownCustomer
from features.event_store import EventStore
from features.ingestion.sources import Source
from features.storage.backends.storage import open_storage
from features.timeline import Timeline
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock
from tests.postgres_server import PostgresServer, postgres_server
from tests.test_store_crash import KILLS, QUERY, SEED, SLICE, check

WORKER = """
import sys
from pathlib import Path
from features.ingestion.sources import Source
from features.event_store import EventStore
from features.timeline import Timeline
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock

folder, url, records, what, now = Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])
store = EventStore(url, buckets=4, writers=AdvisoryLock(Database(records, lazily=True), url))
print("ready", flush=True)
sys.stdin.readline()
if what == "ingest":
    source = Source(name="events", query=(folder / "query.sql").read_text())
    store.ingest([source], [], folder=folder, timeline=Timeline(), now=now)
else:
    store.erase(what)
print("done", flush=True)
"""
NOW = Timeline().instant("2025-01-01")


@pytest.fixture(scope="module")
def records() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def ended(folder: Path, url: str, records: str, what: str, kill_after: float | None) -> bool:
    """Whether a process of its own did this; None kills it never."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), url, records, what, str(NOW)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdin is not None
        assert worker.stdout.readline() == "ready\n"
        worker.stdin.write("go\n")
        worker.stdin.flush()
        if kill_after is not None:
            time.sleep(kill_after)
            worker.kill()
        done = worker.stdout.read() == "done\n"
    assert done or kill_after is not None, "it failed by itself"
    return done


def test_every_event_is_there_once_however_often_an_ingest_into_s3_was_killed(
    tmp_path: Path, bucket: str, records: PostgresServer
) -> None:
    dice, kills, stop, length = random.Random(SEED), 0, SLICE, 1.0
    while kills < KILLS:
        query = QUERY.format(first=max(0, stop - 2 * SLICE), start=stop - SLICE, stop=stop)
        (tmp_path / "query.sql").write_text(query)
        kill_after = dice.uniform(0, 1.1 * length) if dice.random() < 0.85 else None
        started = time.monotonic()
        if ended(tmp_path, bucket, records.url, "ingest", kill_after):
            length = time.monotonic() - started
            check(bucket, stop)
            stop += SLICE
        else:
            kills += 1
            check(bucket, stop, stop - SLICE)
    store = opened(bucket, records)
    last = Source(name="events", query=QUERY.format(first=0, start=0, stop=1))
    store.ingest([last], [], folder=tmp_path, timeline=Timeline(), now=NOW)
    # Repair leaves no file of a killed run behind, apart from those that readers may still be reading.
    table = store.place.storage.below("events")
    there = {file.name for file in table.files() if file.name.startswith("bucket=")}
    listed = {file.path for file in store._events.snapshot().files}  # type: ignore[union-attr]
    removed = set(store._events._table.vacuum(0, dry_run=True, enforce_retention_duration=False))  # type: ignore[union-attr]
    assert there == listed | removed
    named = {file for line in entries(bucket) for file in there if file in line}
    assert there == named, "every file was named by a commit"


def test_whoever_was_to_be_erased_is_nowhere_however_often_the_erasure_was_killed(
    tmp_path: Path, bucket: str, records: PostgresServer
) -> None:
    (tmp_path / "query.sql").write_text(QUERY.format(first=0, start=0, stop=SLICE))
    assert ended(tmp_path, bucket, records.url, "ingest", None)
    dice, length = random.Random(SEED), 1.0
    for customer in opened(bucket, records).customers.names(np.arange(KILLS)).to_pylist():
        started = time.monotonic()
        if ended(tmp_path, bucket, records.url, customer, dice.uniform(0, 1.1 * length)):
            length = time.monotonic() - started
        store = opened(bucket, records)
        try:
            store.erase(customer)
        except UnknownCustomer:
            assert customer in store.erased, "the killed erasure had got to its end"
        assert quoted(customer) not in everything(bucket)


def opened(url: str, records: PostgresServer) -> EventStore:
    return EventStore(url, writers=AdvisoryLock(Database(records.url, lazily=True), url))


def quoted(customer: str) -> bytes:
    return f"'{customer}'".encode()


def entries(url: str) -> list[str]:
    """The entries of the log of events."""
    storage = open_storage(url)
    names = [file.name for file in storage.files("events/_delta_log/") if file.name.endswith(".json")]
    return [storage.read(name).decode() for name in names]


def everything(url: str) -> bytes:
    """The content of every object, Parquet files as what they hold."""
    storage, found = open_storage(url), []
    for file in storage.files():
        content = storage.read(file.name)
        found.append(content.replace(b'"', b"'"))
        if file.name.endswith(".parquet"):
            found.append(str(pq.read_table(pa.BufferReader(content)).to_pylist()).encode())
    return b"".join(found)

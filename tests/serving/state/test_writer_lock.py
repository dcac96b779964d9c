"""Those who write to a state in an object store take turns by a lock in PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import text

from features.errors import DataError
from features.event_store import EventStore
from features.timeline import Timeline
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock
from tests.postgres_server import PostgresServer, postgres_server

WRITERS, INGESTS, ROWS = 8, 5, 40


@pytest.fixture(scope="module")
def records() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def test_eight_writers_of_five_ingests_each_lose_nothing_and_store_nothing_twice(
    bucket: str, records: PostgresServer
) -> None:
    def ingest(writer: int) -> int:
        with Database(records.url, lazily=True) as database:
            store = EventStore(bucket, buckets=4, writers=AdvisoryLock(database, bucket))
            stored = 0
            for number in range(INGESTS):
                first = (writer * INGESTS + number) * ROWS
                # Half of what each brings, the next writer brings too.
                numbers = range(first, first + ROWS + ROWS // 2)
                table = pa.table(
                    {
                        "customer_id": [f"c{one % 30}" for one in numbers],
                        "occurred_at": ["2024-05-01"] * len(numbers),
                        "kind": ["visit"] * len(numbers),
                        "value": [float(one) for one in numbers],
                        "event_id": [str(one) for one in numbers],
                    }
                )
                stored += store.add(
                    table, source="orders", timeline=Timeline(), now=Timeline().instant("2025-01-01")
                ).new
            return stored

    with ThreadPoolExecutor(WRITERS) as pool:
        stored = sum(pool.map(ingest, range(WRITERS)))
    values = np.sort(np.concatenate([history.values for history in EventStore(bucket).histories()]))
    every = WRITERS * INGESTS * ROWS + ROWS // 2
    np.testing.assert_array_equal(values, np.arange(every))
    assert stored == every


def test_who_waits_is_told_and_gets_the_lock_when_its_holder_is_gone(records: PostgresServer) -> None:
    waiting, got = threading.Event(), threading.Event()

    def second() -> None:
        with (
            Database(records.url, lazily=True) as database,
            AdvisoryLock(database, "s3://bucket/state").held(waiting.set) as holds,
        ):
            assert holds()
            got.set()

    with Database(records.url, lazily=True) as database, Database(records.url, lazily=True) as other:
        with AdvisoryLock(database, "s3://bucket/state").held(pytest.fail) as holds:
            thread = threading.Thread(target=second)
            thread.start()
            assert waiting.wait(20)
            with AdvisoryLock(other, "s3://bucket/another").held(pytest.fail):
                assert not got.is_set()
            assert holds()
            # The connection is cut, as when the database restarts: the lock is lost, and its holder sees it.
            with other.writing() as connection:
                connection.execute(
                    text(
                        "select pg_terminate_backend(pid) from pg_locks"
                        " where locktype = 'advisory' and granted and pid <> pg_backend_pid()"
                    )
                )
            assert got.wait(20)
            assert not holds()
        thread.join()


def test_a_database_that_is_away_is_named(bucket: str) -> None:
    with Database("postgresql://kizuna@127.0.0.1:1/none", lazily=True) as database:
        store = EventStore(bucket, writers=AdvisoryLock(database, bucket))
        with pytest.raises(DataError) as refused:
            store.readmit("ann")
    assert refused.value.message == (
        f"cannot write to {bucket}: the database of the records, which holds the lock of its writers, does "
        "not answer. Start it, or correct `records` in kizuna.toml."
    )

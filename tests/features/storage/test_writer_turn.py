"""Turns for writing to an object store: what a killed run left is repaired, and who lost the lock stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import DataError
from features.event_store import EventStore
from features.ingestion.quarantine import PENDING
from features.ingestion.sources import Source
from features.storage.backends.storage import open_storage
from features.storage.delta_table import Lake
from tests.features.storage.backends.test_object_store import NOW, UTC_TIME
from tests.object_server import ThreadLock

SCHEMA = pa.schema([("id", pa.string())])


class LostLock(ThreadLock):
    """A lock that a writer has lost once `lost` says so."""

    def __init__(self, lost: Callable[[], bool]) -> None:
        super().__init__()
        self._lost = lost

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        with super().held(waiting):
            yield lambda: not self._lost()


def ingest(store: EventStore, folder: Path, *rows: tuple[str, str]) -> None:
    """Ingest a source of one event for each customer, on a day; one without a day is refused."""
    values = ", ".join(f"('{customer}', '{day}', 'e-{customer}')" for customer, day in rows)
    query = (
        "select customer_id, event_id, 'visit' as kind, nullif(day, '') as occurred_at "
        f"from (values {values}) as rows(customer_id, day, event_id)"
    )
    store.ingest([Source(name="visits", query=query)], [], folder=folder, timeline=UTC_TIME, now=NOW)


def names(url: str) -> set[str]:
    return {file.name for file in open_storage(url).files()}


def test_a_run_that_ended_between_its_commits_is_repaired_by_the_next(bucket: str, tmp_path: Path) -> None:
    ingest(EventStore(bucket, writers=ThreadLock()), tmp_path, ("ann", ""), ("bob", ""))
    seen = EventStore(bucket)
    # The commit of the events is the last that this one makes: the settled row stays in the quarantine.
    lock = LostLock(lambda: PENDING in seen._events.record())
    with pytest.raises(DataError, match="the lock for writing was lost"):
        ingest(EventStore(bucket, writers=lock), tmp_path, ("ann", "2024-05-01"), ("bob", ""))
    left = EventStore(bucket)
    assert (left.events, left.quarantined().num_rows) == (1, 2)
    store = EventStore(bucket, writers=ThreadLock())
    ingest(store, tmp_path, ("ann", "2024-05-01"), ("bob", ""))
    assert (store.events, store.quarantined().num_rows) == (1, 1)
    assert open_storage(bucket).read("ingest.lock") == b""


def test_an_erasure_that_lost_its_lock_deletes_no_file_of_another_run(bucket: str, tmp_path: Path) -> None:
    rows = ("ann", "2024-05-01"), ("bob", "2024-05-01")
    ingest(EventStore(bucket, writers=ThreadLock()), tmp_path, *rows)
    people = EventStore(bucket)
    # Removing the name is the last commit of an erasure.
    lock = LostLock(lambda: not people.reopened().customers.all_keys("ann"))
    open_storage(bucket).put("events/bucket=3/other.parquet", b"of a run that has not committed yet")
    before = names(bucket)
    with pytest.raises(DataError, match=r"cannot go on writing to .*Nothing more was stored or deleted"):
        EventStore(bucket, writers=lock).erase("ann")
    assert before <= names(bucket)
    ingest(EventStore(bucket, writers=ThreadLock()), tmp_path, *rows)
    assert "events/bucket=3/other.parquet" not in names(bucket), "the erasure is led to its end"


@pytest.mark.parametrize("passes", [0, 1], ids=["before", "meanwhile"])
@pytest.mark.parametrize("action", [lambda lake: lake.sweep("broken"), Lake.forget_the_past])
def test_nothing_is_deleted_without_the_lock(
    tmp_path: Path, action: Callable[[Lake], None], passes: int
) -> None:
    table = pa.table({"id": ["a"]}, schema=SCHEMA)
    lake = Lake(tmp_path, SCHEMA)
    lake.commit([lake.write("first", table)])
    lake.write("broken", table)
    before = set(tmp_path.glob("*.parquet"))
    checks = iter([True] * passes)

    def check() -> None:
        if not next(checks, False):
            raise DataError("lost")

    with pytest.raises(DataError, match="lost"):
        action(Lake(tmp_path, SCHEMA, check=check))
    assert before <= set(tmp_path.glob("*.parquet"))
    action(lake)
    assert before > set(tmp_path.glob("*.parquet"))

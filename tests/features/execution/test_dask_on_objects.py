"""Workers that read a store in an object store: the results of one process and a local folder."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import ConfigurationError, KizunaError
from features.event_store import EventStore
from features.execution.dask import open_engine
from features.execution.local import map_partitions
from tests.features.execution.clusters import Named, Seen
from tests.features.execution.test_partitions import NOW, UTC
from tests.object_server import ThreadLock


def events(rng: np.random.Generator, rows: int = 4_000) -> pa.Table:
    instants = rng.integers(UTC.instant("2023-01-01"), UTC.instant("2024-12-01"), rows)
    return pa.table(
        {
            "customer_id": [f"c{number}" for number in rng.integers(0, 60, rows)],
            "occurred_at": pa.array(instants, pa.timestamp("us", "UTC")),
            "kind": ["purchase"] * rows,
            "value": rng.random(rows),
        }
    )


def test_workers_read_an_object_store_as_this_process_reads_a_folder(
    bucket: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, lock = events(rng), ThreadLock()
    local, remote = EventStore(tmp_path / "state", buckets=8), EventStore(bucket, buckets=8, writers=lock)
    for store in (local, remote):
        store.add(table, source="orders", timeline=UTC, now=NOW)
    expected = map_partitions(local, Seen)
    assert len(expected.keys) == 60
    with open_engine("local:2") as engine:
        found = map_partitions(remote, Seen, engine=engine)
        assert (found.keys, found.total) == (expected.keys, expected.total)
        assert map_partitions(local, Seen, engine=engine) == expected
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")  # workers begun now have the wrong one
    with open_engine("local:1") as engine, pytest.raises(KizunaError, match=f"{bucket}") as refused:
        map_partitions(remote, Seen, engine=engine)
    assert "Traceback" not in refused.value.message


def test_a_store_that_a_worker_cannot_open_is_the_workers_own_sentence_at_once(
    bucket: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(bucket, buckets=2, writers=ThreadLock())
    store.add(events(rng, rows=50), source="orders", timeline=UTC, now=NOW)
    held = store.pinned()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)  # workers begun now have none
    with open_engine("local:1", patience_seconds=4) as engine:
        for new in (Seen, partial(Named, store=held)):
            with pytest.raises(ConfigurationError, match="there are no credentials") as refused:
                map_partitions(held, new, engine=engine)
            assert refused.value.message.startswith(f"cannot use {bucket}/events")
            assert re.match("in bucket 0, on the worker tls://", refused.value.__notes__[0])


def test_a_store_that_was_sent_is_opened_by_the_first_read_at_its_version(
    bucket: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(bucket, buckets=4, writers=ThreadLock())
    store.add(events(rng, rows=50), source="orders", timeline=UTC, now=NOW)
    kind, arguments = store.__reduce__()
    store.add(events(rng, rows=70), source="later", timeline=UTC, now=NOW)
    assert callable(kind)
    assert isinstance(arguments, tuple)
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        sent = kind(*arguments)
        assert sent.__reduce__() == (kind, arguments), "sent on to another worker as it came"
    assert (sent.events, sent.buckets, EventStore(bucket).events) == (50, (0, 1, 2, 3), 120)

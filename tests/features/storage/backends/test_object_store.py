"""A store on S3 reads as one in a folder: every history and the data version, bit for bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.event_store import EventStore
from features.timeline import Timeline
from tests.object_server import ThreadLock

UTC_TIME = Timeline()
NOW = UTC_TIME.instant("2025-01-01")
KINDS = ("purchase", "visit", "attribute:plan")


def many(rng: np.random.Generator, customers: int = 40, rows: int = 3_000) -> pa.Table:
    """Events with every column, of customers in several buckets."""
    seconds = rng.integers(0, 86_400 * 300, rows)
    instants = np.datetime64("2024-01-01", "us") + seconds.astype("timedelta64[s]")
    return pa.table(
        {
            "customer_id": [f"c{number}" for number in rng.integers(0, customers, rows)],
            "occurred_at": pa.array(instants, pa.timestamp("us", "UTC")),
            "kind": [KINDS[number] for number in rng.integers(0, 3, rows)],
            "value": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(1, 900, rows) / 10),
            "channel": [("web", "store", None)[number] for number in rng.integers(0, 3, rows)],
            "detail": [f"d{number}" for number in rng.integers(0, 30, rows)],
            "event_id": [f"e{number}" for number in range(rows)],
        }
    )


def test_the_same_events_read_the_same_from_a_folder_and_from_s3(
    bucket: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    table, later = many(rng), many(rng, rows=200).drop_columns(["event_id"])
    lock = ThreadLock()
    stores = []
    for place in (tmp_path / "state", f"{bucket}/state"):
        store = EventStore(place, buckets=4, writers=lock)
        for part in (table.slice(0, 2_000), table.slice(1_500), later, later):
            store.add(part, source="orders", timeline=UTC_TIME, now=NOW)
        stores.append(EventStore(place, writers=lock))
    local, remote = stores
    assert remote.version == local.version
    assert (remote.events, remote.newest(), remote.oldest()) == (local.events, local.newest(), local.oldest())
    for bucket_number in local.buckets:
        same(local.history(bucket_number, event_ids=True), remote.history(bucket_number, event_ids=True))
    for key in range(len(local.customers)):
        same(local.history_of([key], event_ids=True), remote.history_of([key], event_ids=True))
    assert remote.customers.names(np.arange(40)).equals(local.customers.names(np.arange(40)))
    assert remote.quarantined().num_rows == local.quarantined().num_rows > 0


def same(one: object, other: object) -> None:
    for field in fields(one):  # type: ignore[arg-type]
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
        else:
            assert mine == theirs, field.name

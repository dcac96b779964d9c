"""Mapping over partitions: pinned, in bucket order, and the same by threads as one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import LocalEngine, map_partitions
from features.timeline import Timeline
from tests.features.execution.clusters import Seen

UTC = Timeline()
NOW = UTC.instant("2025-01-01")
ENGINES = [LocalEngine(), LocalEngine(threads=3)]


def add(store: EventStore, customers: int, first: int = 0) -> None:
    rows = [f"c{first + n}" for n in range(customers)]
    events = pa.table(
        {
            "customer_id": rows,
            "occurred_at": ["2024-05-01T09:00:00"] * customers,
            "kind": ["purchase"] * customers,
            "value": [0.1 * (n + 1) for n in range(customers)],
        }
    )
    store.add(events, source="table", timeline=UTC, now=NOW)


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    made = EventStore(tmp_path / "state", buckets=8)
    add(made, 40)
    return made


@pytest.mark.parametrize("engine", ENGINES, ids=["in order", "threads"])
def test_accumulators_are_merged_in_bucket_order_whatever_works_on_them(
    store: EventStore, engine: Engine
) -> None:
    expected = Seen()
    for history in store.histories():
        expected.add(history)
    seen = map_partitions(store, Seen, engine=engine)
    assert seen.keys == expected.keys
    assert seen.total == map_partitions(store, Seen).total
    assert np.isclose(seen.total, expected.total)


@pytest.mark.parametrize("engine", ENGINES, ids=["in order", "threads"])
def test_every_bucket_is_of_one_version_though_others_ingest_meanwhile(
    store: EventStore, engine: Engine, tmp_path: Path
) -> None:
    other = EventStore(tmp_path / "state")
    lately = iter(range(1, 100))

    class Meanwhile(Seen):
        def add(self, history: History) -> None:
            super().add(history)
            add(other, 5, first=1_000 * next(lately))

    assert len(map_partitions(store, Meanwhile, engine=engine).keys) == 40


@pytest.mark.parametrize("engine", ENGINES, ids=["in order", "threads"])
def test_progress_names_the_step_and_rises_from_0_to_1(store: EventStore, engine: Engine) -> None:
    told: list[tuple[str, float]] = []
    map_partitions(store, Seen, "counting", progress=lambda *said: told.append(said), engine=engine)
    assert told == [("counting", done / 8) for done in range(9)]


@pytest.mark.parametrize("engine", ENGINES, ids=["in order", "threads"])
def test_only_the_buckets_columns_and_events_asked_for_are_read(store: EventStore, engine: Engine) -> None:
    some = map_partitions(store, Seen, buckets=(2, 5), engine=engine)
    assert {key % 8 for key in some.keys} == {2, 5}
    nothing = map_partitions(store, Seen, until=UTC.instant("2024-04-01"), engine=engine)
    assert nothing.keys == []
    assert map_partitions(store, Seen, columns=frozenset(), engine=engine).total == 0.0


@pytest.mark.parametrize("engine", ENGINES, ids=["in order", "threads"])
def test_an_error_of_one_partition_ends_the_whole(store: EventStore, engine: Engine) -> None:
    class Fails(Seen):
        def add(self, history: History) -> None:
            if 3 in history.keys:
                raise ValueError("the third is bad")

    with pytest.raises(ValueError, match="the third is bad"):
        map_partitions(store, Fails, engine=engine)

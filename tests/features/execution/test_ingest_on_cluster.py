"""An ingest whose buckets are merged by workers: the store of a local ingest, whatever happens to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigurationError, DataError
from features.event_store import EventStore
from features.execution.dask import DaskEngine, open_engine
from features.ingestion.merging.bucket_tasks import BucketRunner
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Attribute, Source
from features.storage.backends.storage import open_storage
from features.storage.writer_turn import LOCK
from tests.features.execution.test_partitions import NOW, UTC
from tests.object_server import ThreadLock

DAY = 86_400_000_000
BUCKETS = 8


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    with open_engine("local:2") as opened:
        yield opened


def orders(rng: np.random.Generator, rows: int, first: int = 0, marked: bool = False) -> pa.Table:
    """Orders with ids of their own, from `first` on."""
    table = {
        "customer_id": [f"c{number}" for number in rng.integers(0, 90, rows)],
        "event_id": [f"o{number}" for number in range(first, first + rows)],
        "occurred_at": pa.array(
            UTC.instant("2023-01-01") + DAY * rng.integers(0, 600, rows), pa.timestamp("us", "UTC")
        ),
        "kind": rng.choice(["purchase", "visit", "inquiry"], rows),
        "value": rng.random(rows).round(2),
        "channel": rng.choice(["web", "shop", None], rows),
        "detail": rng.choice([f"d{number}" for number in range(30)], rows),
        "currency": rng.choice(["JPY", "EUR", None], rows),
    }
    return pa.table(table | ({"updated": np.arange(rows)} if marked else {}))


def visits(rng: np.random.Generator, rows: int) -> pa.Table:
    """Visits without ids, some of them equal."""
    return pa.table(
        {
            "customer_id": [f"c{number}" for number in rng.integers(0, 20, rows)],
            "occurred_at": pa.array(
                UTC.instant("2024-01-01") + DAY * rng.integers(0, 20, rows), pa.timestamp("us", "UTC")
            ),
            "kind": ["visit"] * rows,
        }
    )


def plans(rng: np.random.Generator, rows: int) -> pa.Table:
    return pa.table(
        {
            "customer_id": [f"c{number}" for number in range(rows)],
            "known_at": pa.array([UTC.instant("2023-06-01")] * rows, pa.timestamp("us", "UTC")),
            "value": rng.choice(["gold", "basic"], rows),
        }
    )


class Twins:
    """One folder of sources, and two stores that read it: one merges here, the other on a cluster."""

    def __init__(self, folder: Path, local: EventStore, other: EventStore, runner: BucketRunner) -> None:
        self.folder, self.local, self.other, self.runner = folder, local, other, runner
        self.now = NOW
        self.committed: set[str] = set()

    def ingest(
        self, *, complete: bool = False, watermark: str | None = None, **options: frozenset[str]
    ) -> None:
        """Ingest what lies in the folder into both; the receipts and the stores must be equal."""
        sources = [
            Source(
                name="orders", query="select * from 'orders.parquet'", complete=complete, watermark=watermark
            )
        ]
        if (self.folder / "visits.parquet").exists():
            sources.append(Source(name="visits", query="select * from 'visits.parquet'"))
        attributes = (
            [Attribute(name="plan", query="select * from 'plans.parquet'")]
            if (self.folder / "plans.parquet").exists()
            else []
        )
        self.now += DAY
        receipts = [
            store.ingest(
                sources,
                attributes,
                folder=self.folder,
                timeline=UTC,
                now=self.now,
                options=IngestOptions(**options),
                runner=runner,
            )
            for store, runner in ((self.local, None), (self.other, self.runner))
        ]
        assert receipts[0] == receipts[1]
        assert [one.refused for one in receipts[0]] == [None] * len(receipts[0])
        self.compare()

    def write(self, **tables: pa.Table) -> None:
        for name, table in tables.items():
            pq.write_table(table, self.folder / f"{name}.parquet")

    def compare(self) -> None:
        assert rows(self.other).equals(rows(self.local))
        assert self.other.version == self.local.version
        assert (
            self.other.quarantined()
            .drop_columns(["ingested_at"])
            .sort_by("row")
            .equals(self.local.quarantined().drop_columns(["ingested_at"]).sort_by("row"))
        )
        assert not [file.name for file in self.other.place.storage.files("arriving-")]
        self.committed |= names(self.other)  # files that were replaced stay for those who read them
        assert names_of(self.other) <= self.committed, "what a worker wrote that was killed is gone"


def rows(store: EventStore) -> pa.Table:
    """Every stored row with its customer, its id, and when it was retracted and known again."""
    tables = []
    lake = store._events
    for file in store._version_read().files:
        table = pq.read_table(lake.path(file), partitioning=None)
        for name in ("contract_id", "currency", "retracted_at", "known_again_at"):
            if name not in table.column_names:
                kind = pa.timestamp("us", "UTC") if name.endswith("_at") else pa.string()
                table = table.append_column(name, pa.nulls(table.num_rows, kind))
        texts = {
            name: pa.string()
            for name in ("kind", "channel", "place", "detail", "contract_id", "currency", "source")
        }
        table = pa.table(
            {name: table[name].cast(texts.get(name, table[name].type)) for name in sorted(table.column_names)}
        )
        tables.append(table.append_column("bucket", pa.array([file.bucket] * table.num_rows)))
    whole = pa.concat_tables(tables)
    return whole.sort_by(
        [
            ("key", "ascending"),
            ("occurred_at", "ascending"),
            ("event_id", "ascending"),
            ("retracted_at", "ascending"),
        ]
    )


def names(store: EventStore) -> set[str]:
    """The names of the files that the newest version has."""
    return {file.path for file in store._version_read().files}


def names_of(store: EventStore) -> set[str]:
    """The names of all data files that lie in the table of events."""
    files = store._events.storage.files()
    return {file.name for file in files if file.name.endswith(".parquet") and not file.name.startswith("_")}


def story(twins: Twins, rng: np.random.Generator) -> None:
    """Ingests of every sort, one after the other."""
    first = orders(rng, 3_000)
    twins.write(orders=first, visits=visits(rng, 400), plans=plans(rng, 80))
    twins.ingest()
    twins.ingest()  # the same again
    assert twins.other.events == 3_000 + 400 + 80
    changed = first.slice(0, 500).to_pydict()
    changed["value"] = [value + 1 for value in changed["value"]]
    changed["customer_id"] = [f"c{number}" for number in rng.integers(0, 120, 500)]  # to other buckets
    more = orders(rng, 300, first=3_000)
    twice = more.slice(0, 7).set_column(4, "value", pa.array([1e6 + number for number in range(7)]))
    twins.write(
        orders=pa.concat_tables([pa.table(changed, schema=first.schema), first.slice(500), more, twice]),
        plans=plans(rng, 80),
    )
    twins.ingest(accept_quarantine=frozenset({"orders"}))
    assert twins.other.quarantined().num_rows == 14, "rows that contradict each other are refused on both"
    twins.write(orders=first.slice(60))
    twins.ingest(complete=True, accept_removal=frozenset({"orders"}))
    twins.write(orders=first)
    twins.ingest(complete=True)  # those that were retracted come back
    assert twins.other.events == 3_000 + 400 + 80
    twins.write(orders=first.slice(0, 2_000))
    twins.ingest(replace=frozenset({"orders"}))
    assert twins.other.events == 2_000 + 400 + 80


def test_a_folder_holds_what_a_local_ingest_stores(
    engine: DaskEngine, tmp_path: Path, rng: np.random.Generator
) -> None:
    local, other = (EventStore(tmp_path / name, buckets=BUCKETS) for name in ("here", "there"))
    engine.used.clear()
    story(Twins(tmp_path, local, other, engine), rng)
    assert len(engine.used) == 2
    assert sum(use.buckets for use in engine.used.values()) >= 10 * BUCKETS


def test_an_object_store_holds_what_a_local_ingest_stores(
    bucket: str, engine: DaskEngine, tmp_path: Path, rng: np.random.Generator
) -> None:
    local = EventStore(tmp_path / "here", buckets=BUCKETS)
    with open_engine("local:2") as fresh:  # workers that were begun with the credentials of this store
        story(Twins(tmp_path, local, EventStore(bucket, buckets=BUCKETS, writers=ThreadLock()), fresh), rng)


def test_the_later_row_by_watermark_counts_on_a_cluster_too(
    engine: DaskEngine, tmp_path: Path, rng: np.random.Generator
) -> None:
    local, other = (EventStore(tmp_path / name, buckets=BUCKETS) for name in ("here", "there"))
    twins = Twins(tmp_path, local, other, engine)
    first = orders(rng, 500, marked=True)
    again = orders(rng, 500, marked=True)  # the same ids, other contents
    again = again.set_column(again.column_names.index("updated"), "updated", pa.array(range(500, 1_000)))
    twins.write(orders=pa.concat_tables([again, first]))
    twins.ingest(watermark="updated")
    assert other.events == 500
    assert not other.quarantined().num_rows
    stored = dict(zip(rows(other)["event_id"].to_pylist(), rows(other)["value"].to_pylist(), strict=True))
    assert stored == dict(zip(again["event_id"].to_pylist(), again["value"].to_pylist(), strict=True))


class Interrupted:
    """A cluster to which something happens when the first of the buckets comes home."""

    def __init__(self, engine: DaskEngine, happens: Callable[[], None]) -> None:
        self.engine, self.happens, self.times = engine, happens, 0

    def run_buckets(self, task, buckets, prepare=None):  # type: ignore[no-untyped-def]
        for result in self.engine.run_buckets(task, buckets, prepare):
            self.times += 1
            if self.times == 2:
                self.happens()
            yield result


def test_a_worker_that_is_killed_changes_no_row(
    engine: DaskEngine, tmp_path: Path, rng: np.random.Generator
) -> None:
    twins = Twins(
        tmp_path, *(EventStore(tmp_path / name, buckets=BUCKETS) for name in ("here", "there")), engine
    )
    for number in range(3):
        with open_engine("local:2") as mortal:
            worker = next(iter(mortal.client.run(os.getpid).values()))
            twins.runner = Interrupted(mortal, partial(os.kill, worker, signal.SIGKILL))
            twins.write(orders=orders(rng, 4_000, first=2_000 * number))
            twins.ingest()
            assert worker not in mortal.client.run(os.getpid).values()


@pytest.mark.parametrize("where", ["folder", "objects"])
def test_a_failed_ingest_stores_nothing_and_leaves_nothing(
    where: str, tmp_path: Path, rng: np.random.Generator, request: pytest.FixtureRequest
) -> None:
    place = tmp_path / "state" if where == "folder" else request.getfixturevalue("bucket")
    store = EventStore(place, buckets=BUCKETS, writers=ThreadLock())
    pq.write_table(orders(rng, 400), tmp_path / "orders.parquet")
    sources = [Source(name="orders", query="select * from 'orders.parquet'")]

    class Bad(Exception):
        pass

    def breaks() -> None:
        raise Bad

    with open_engine("local:2") as engine:

        def ingest(runner: BucketRunner) -> None:
            store.ingest(sources, [], folder=tmp_path, timeline=UTC, now=NOW, runner=runner)

        with pytest.raises(Bad):
            ingest(Interrupted(engine, breaks))
        storage = open_storage(place)
        assert not list(storage.files("arriving-"))
        assert store._events.snapshot() is None

        ingest(engine)
        assert store.events == 400
        assert names_of(store) == names(store), "what the failed one wrote is gone"
        before, version = names(store), store.version
        pq.write_table(orders(rng, 100, first=400), tmp_path / "orders.parquet")
        with pytest.raises(DataError, match="the lock for writing was lost"):
            ingest(Interrupted(engine, lambda: storage.put(LOCK, b"another-run")))
        assert (names(EventStore(place)), EventStore(place).version) == (before, version)


def test_a_state_that_workers_do_not_see_is_one_sentence(
    engine: DaskEngine, tmp_path: Path, rng: np.random.Generator
) -> None:
    store = EventStore(tmp_path / "state", buckets=BUCKETS)
    pq.write_table(orders(rng, 100), tmp_path / "orders.parquet")
    sources = [Source(name="orders", query="select * from 'orders.parquet'")]

    class Elsewhere:
        def run_buckets(self, task, buckets, prepare=None):  # type: ignore[no-untyped-def]
            yield from engine.run_buckets(replace(task, address=str(tmp_path / "none")), buckets, prepare)

    with pytest.raises(
        ConfigurationError, match=r"cannot read bucket \d on .*: there is no folder .*/none/arriving-"
    ):
        store.ingest(sources, [], folder=tmp_path, timeline=UTC, now=NOW, runner=Elsewhere())
    assert store._events.snapshot() is None

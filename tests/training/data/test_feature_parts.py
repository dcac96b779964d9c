"""A feature table in parts: the rows of the single file, written by whoever processes the buckets."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ConfigurationError, DataError
from features.event_store import EventStore
from features.execution.dask import DaskEngine, open_engine
from tests.training.data.test_feature_table import AS_OF, columns, features, same
from tests.training.simulated import shop
from tests.training.worlds import day
from training.data.feature_parts import PART_NAME, write_feature_parts
from training.data.feature_table import FeatureColumns


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    with open_engine("local:2") as opened:
        yield opened


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    return shop().store(tmp_path_factory.mktemp("parts") / "state")


@pytest.fixture(scope="module")
def wanted(store: EventStore) -> FeatureColumns:
    return columns(store)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_the_parts_hold_the_rows_of_the_table_in_order_of_the_customers(
    store: EventStore, wanted: FeatureColumns, tmp_path: Path
) -> None:
    parts = write_feature_parts(store, wanted, tmp_path)
    assert [file.name for file in sorted(tmp_path.iterdir())] == list(parts.files)
    assert len(parts.files) > 8
    assert all(PART_NAME.fullmatch(name) for name in parts.files)
    tables = [pq.read_table(tmp_path / name) for name in parts.files]
    whole, expected = pa.concat_tables(tables), features(store)
    assert (whole.num_rows, tuple(whole.column_names)) == (parts.customers, parts.columns)
    assert whole.schema == expected.schema
    details = [name for part in wanted.parts for name in part[0].detail_columns]
    assert details
    assert {whole.schema.field(name).type for name in details} == {pa.string()}
    assert same(whole, expected)
    for name, table in zip(parts.files, tables, strict=True):
        ids = table.column("customer_id").to_pylist()
        assert ids == sorted(ids)
        buckets = {key % len(store.buckets) for key in store.customers.keys(pa.array(ids)).tolist()}
        assert name == f"part-{buckets.pop():05}.parquet"
        assert not buckets


def test_workers_write_the_same_bytes_and_send_numbers_alone(
    store: EventStore, wanted: FeatureColumns, engine: DaskEngine, tmp_path: Path
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    engine.used.clear()
    here = write_feature_parts(store, wanted, tmp_path / "here")
    there = write_feature_parts(store, wanted, tmp_path / "there", engine=engine)
    assert here == there
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert sum(use.buckets for use in engine.used.values()) == len(store.buckets)


def test_a_worker_that_is_killed_changes_no_byte(
    store: EventStore, wanted: FeatureColumns, tmp_path: Path
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here = write_feature_parts(store, wanted, tmp_path / "here")
    with open_engine("local:2") as engine:
        workers = list(engine.client.run(os.getpid).values())

        def kill() -> None:
            until = time.monotonic() + 60
            while not any((tmp_path / "there").iterdir()) and time.monotonic() < until:
                time.sleep(0.001)
            os.kill(workers[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        there = write_feature_parts(store, wanted, tmp_path / "there", engine=engine)
        killer.join()
        assert workers[0] not in engine.client.run(os.getpid).values()
    assert here == there
    written = contents(tmp_path / "there")
    assert {name: written[name] for name in there.files} == contents(tmp_path / "here")


def test_a_folder_that_a_worker_does_not_see_is_one_sentence(
    store: EventStore, wanted: FeatureColumns, engine: DaskEngine, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot write part-\d{5}.parquet on .*: there is no folder"
    ):
        write_feature_parts(store, wanted, tmp_path / "missing", engine=engine)


def test_a_day_on_which_nobody_could_leave_has_no_parts(store: EventStore, tmp_path: Path) -> None:
    early = columns(store, day(0) - 86_400_000_000)
    with pytest.raises(DataError, match="no customer then could still leave"):
        write_feature_parts(store, early, tmp_path)
    assert early.as_of < AS_OF
    assert not contents(tmp_path)

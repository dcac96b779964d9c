"""The Dask engine on real worker processes: the same results, and what bad days look like."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, Security

from features.errors import ClusterError, ConfigurationError, UnknownCustomer, UsageError
from features.event_store import EventStore
from features.execution.dask import DaskEngine, open_engine
from features.execution.local import map_partitions
from features.execution.partition_task import Runtime
from tests.features.execution.clusters import (
    Broken,
    Deadly,
    Greedy,
    Named,
    Patient,
    Refusing,
    Seen,
    Talking,
)
from tests.features.execution.test_partitions import add

REFUSED = "Timed out trying to connect|reset by peer|certificate|closed"
"""What a client is told whose certificate is not the cluster's."""


ENVIRONMENT: dict[str, str] = {}
"""Of this process before a cluster was started."""


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    ENVIRONMENT.update(os.environ)
    with open_engine("local:2") as opened:
        yield opened


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    made = EventStore(tmp_path_factory.mktemp("cluster") / "state", buckets=8)
    add(made, 40)
    return made


def test_what_dask_sets_for_its_workers_is_not_left_in_this_process(engine: DaskEngine) -> None:
    here = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    assert here == {name: value for name, value in ENVIRONMENT.items() if name != "PYTEST_CURRENT_TEST"}


def test_workers_give_what_this_process_gives_in_the_same_order(
    store: EventStore, engine: DaskEngine
) -> None:
    engine.used.clear()
    assert map_partitions(store, Seen, engine=engine) == map_partitions(store, Seen)
    some = map_partitions(store, Seen, buckets=(5, 2), columns=frozenset(), engine=engine)
    assert some == map_partitions(store, Seen, buckets=(5, 2), columns=frozenset())
    assert sum(use.buckets for use in engine.used.values()) == 10
    assert all(use.processor_seconds > 0 and use.peak_bytes > 2**20 for use in engine.used.values())


def test_a_worker_opens_the_store_at_the_version_of_the_start(store: EventStore, engine: DaskEngine) -> None:
    before = store.pinned()
    expected = store.customers.names(np.array(map_partitions(before, Seen).keys)).to_pylist()
    add(EventStore(store.folder), 5, first=500)
    assert len(map_partitions(store, Seen).keys) == 45
    assert map_partitions(before, Seen, engine=engine) == map_partitions(before, Seen)
    held = map_partitions(before, partial(Named, store=before), engine=engine)
    assert (held.names, held.store) == (expected, before)


def test_progress_is_that_of_the_local_engine(store: EventStore, engine: DaskEngine) -> None:
    shown: list[tuple[str, float]] = []
    map_partitions(store, Seen, "counting", progress=lambda *step: shown.append(step), engine=engine)
    assert shown == [("counting", done / 8) for done in range(9)]


def test_an_error_comes_home_with_its_class_its_words_and_the_bucket(
    store: EventStore, engine: DaskEngine
) -> None:
    with pytest.raises(UnknownCustomer, match="Did you mean 'c4'") as refused:
        map_partitions(store, Refusing, engine=engine)
    assert refused.value.similar == ("c4",)
    assert re.fullmatch(r"in bucket 3, on the worker tls://127.0.0.1:\d+", refused.value.__notes__[0])
    with pytest.raises(ValueError, match="the third is bad") as bug:
        map_partitions(store, Broken, engine=engine)
    assert "in bucket 3" in bug.value.__notes__


def test_lines_of_a_log_come_home_with_the_bucket(
    store: EventStore, engine: DaskEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "training"):
        map_partitions(store, Talking, engine=engine)
    lines = [record.getMessage() for record in caplog.records if record.name == "training.bundle"]
    assert len(lines) == 8
    assert re.fullmatch(r"bucket 0, worker tls://127.0.0.1:\d+: \d+ customers", lines[0])


def test_a_worker_without_memory_is_one_sentence(store: EventStore, engine: DaskEngine) -> None:
    with pytest.raises(ClusterError, match="cannot finish bucket 0: its worker had no memory left"):
        map_partitions(store, Greedy, engine=engine)


def test_a_folder_that_workers_do_not_see_is_one_sentence(
    store: EventStore, engine: DaskEngine, tmp_path: Path
) -> None:
    moved = EventStore(tmp_path / "here", buckets=2)
    add(moved, 4)
    held = moved.pinned()
    (tmp_path / "here").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"there is no folder .*/here there. Mount the state"):
        map_partitions(held, Seen, engine=engine)


def test_killed_workers_change_no_byte(store: EventStore, tmp_path: Path) -> None:
    expected = map_partitions(store, Seen)
    with open_engine("local:2") as engine:
        new = partial(Patient, folder=tmp_path)
        with killing(tmp_path, times=2) as killed:
            found = map_partitions(store, new, engine=engine)
    assert len(killed) == 2
    assert (found.keys, found.total) == (expected.keys, expected.total)


@pytest.mark.slow
def test_a_bucket_on_which_every_worker_dies_is_one_sentence(store: EventStore) -> None:
    with (
        open_engine("local:2", worker_memory="1GiB") as engine,
        pytest.raises(ClusterError, match=r"cannot finish bucket 3: 4 workers ended .* \(1.0 GiB each\)"),
    ):
        # Alone: of a worker that ends, Dask suspects every bucket that it had, the next one too.
        map_partitions(store, Deadly, buckets=(3,), engine=engine)


@contextmanager
def killing(folder: Path, times: int) -> Iterator[list[int]]:
    """Meanwhile kill a few of the workers that are in a task, one after the other."""
    killed: list[int] = []
    over = threading.Event()

    def hunt() -> None:
        while len(killed) < times and not over.wait(0.05):
            for file in folder.iterdir():
                pid = int(file.name)
                file.unlink()
                if pid not in killed and len(killed) < times:
                    time.sleep(0.1)
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=hunt)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_a_scheduler_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.execution.dask.CONNECT_SECONDS", 1.0)
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        pytest.raises(ClusterError, match=f"cannot reach a Dask scheduler at {address}: Timed out"),
        open_engine(address),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "this process has no certificate for TLS"),
        (
            {"distributed.comm.tls.ca-file": "/none", "distributed.comm.tls.client.cert": "/none"},
            r"Dask's settings for TLS cannot be used \(.*No such file",
        ),
    ],
)
def test_a_cluster_by_tls_without_certificates_is_one_sentence(settings: dict[str, str], wrong: str) -> None:
    address = f"tls://127.0.0.1:{free_port()}"
    with (
        dask.config.set(settings),
        pytest.raises(ClusterError, match=f"scheduler at {address}: {wrong}") as refused,
        open_engine(address),
    ):
        pass
    assert refused.value.message.endswith(
        "Name the files of the cluster's certificates in DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY."
    )


@pytest.mark.parametrize("address", ["host:8786", "local:0", "local:two", "http://host:1", ""])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with (
        pytest.raises(UsageError, match=r"that is no address\. Write the scheduler's, such as"),
        open_engine(address),
    ):
        pass


class Cluster:
    """A scheduler and a worker as processes of their own, as on other machines."""

    def __init__(self, port: int) -> None:
        self.address = f"tcp://127.0.0.1:{port}"
        self.port = port
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()
        self.worker = self.start_worker()

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words]
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return self.processes[-1]

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        return self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(free_port())
    try:
        yield made
    finally:
        made.stop()


def after(seconds: float, *actions: object) -> threading.Thread:
    """Do these things a moment later, in order."""

    def run() -> None:
        time.sleep(seconds)
        for action in actions:
            assert callable(action)
            action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_scheduler_that_comes_back_gets_what_was_not_finished(
    store: EventStore, cluster: Cluster, tmp_path: Path
) -> None:
    expected = map_partitions(store, Seen)
    with open_engine(cluster.address) as engine:
        restart = after(
            1.5, cluster.scheduler.kill, cluster.scheduler.wait, cluster.start_scheduler, cluster.start_worker
        )
        found = map_partitions(store, partial(Patient, folder=tmp_path, seconds=0.5), engine=engine)
        restart.join()
    assert (found.keys, found.total) == (expected.keys, expected.total)
    assert len(list(tmp_path.iterdir())) == 2, "the second worker did the rest"


@pytest.mark.slow
def test_a_scheduler_that_stays_away_is_one_sentence(
    store: EventStore, cluster: Cluster, tmp_path: Path
) -> None:
    with open_engine(cluster.address, patience_seconds=2) as engine:
        kill = after(1, cluster.scheduler.kill)
        with pytest.raises(
            ClusterError, match=r"went away with \d buckets unfinished, and did not come back"
        ):
            map_partitions(store, partial(Patient, folder=tmp_path, seconds=0.5), engine=engine)
        kill.join()


@pytest.mark.slow
def test_a_cluster_whose_last_worker_went_is_one_sentence(
    store: EventStore, cluster: Cluster, tmp_path: Path
) -> None:
    with open_engine(cluster.address, patience_seconds=2) as engine:
        kill = after(1, cluster.worker.kill)
        with pytest.raises(ClusterError, match=r"it has no worker\. Start some with `dask worker tcp://"):
            map_partitions(store, partial(Patient, folder=tmp_path, seconds=0.5), engine=engine)
        kill.join()


def test_a_worker_with_another_version_is_refused_naming_both(
    store: EventStore, engine: DaskEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Runtime.here()
    other = (("Kizuna", "0.0.9 (source 0123456789ab)"), *here.versions[1:])
    monkeypatch.setattr("features.execution.partition_task._versions", lambda: other)
    message = (
        f"cannot work on the cluster at {engine.address}: this is Kizuna 0.0.9 (source 0123456789ab), "
        f"but the worker WORKER has Kizuna {here.versions[0][1]}. Install the same on both."
    )
    with pytest.raises(ClusterError) as refused:
        map_partitions(store, Seen, engine=engine)
    assert re.sub(r"worker tls://\S+ has", "worker WORKER has", refused.value.message) == message


def test_a_stranger_on_this_machine_cannot_send_work_to_local_workers(engine: DaskEngine) -> None:
    assert engine.address.startswith("tls://127.0.0.1:")
    workers = list(engine.client.nthreads())
    assert [worker.startswith("tls://127.0.0.1:") for worker in workers] == [True, True]
    with pytest.raises(OSError, match=REFUSED):
        Client(engine.address.replace("tls://", "tcp://"), timeout=1, set_as_default=False)
    with pytest.raises(OSError, match=REFUSED):
        Client(engine.address, timeout=1, set_as_default=False, security=Security.temporary())

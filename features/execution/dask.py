"""The Dask engine: partitions processed by the workers of a cluster, or of one that this command starts.

A bucket whose worker dies is done again by another one, and a scheduler that comes back within a minute gets
the buckets that were not finished. Results are taken and merged in the order of the buckets; a few more than
there are threads are on their way at a time, so that they do not fill the memory of the workers.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import dask
from distributed import Client, LocalCluster, Security, get_worker, wait
from distributed.client import ClosedClientError
from distributed.scheduler import KilledWorker

from features.cores import available_cores
from features.errors import ClusterError, UsageError
from features.event_store import EventStore
from features.execution.base import Gathered, Scan
from features.execution.partition_task import (
    BucketResult,
    BucketWork,
    PartitionWork,
    Result,
    Runtime,
    Work,
    WorkerUse,
    without_kizuna,
    work_on,
)

CONNECT_SECONDS = 20.0
"""How long a scheduler, and its first worker, are waited for at the start."""
PATIENCE_SECONDS = 60.0
"""How long a scheduler that went away, or the last worker, may take to come back."""
_LOOK_SECONDS = 2.0
_RETRIES = 2
"""How often a bucket that failed is tried again: a store may have been away."""
_IN_FLIGHT = 2
"""Buckets on their way for each thread of the cluster."""
_ADDRESS = re.compile(r"(?:tcp|tls)://\S+:\d+|local(?::(?P<workers>[1-9]\d{0,2}))?")
_SETTINGS = {
    # Memory that a worker uses beyond its limit is no result that it could write to disk: it is ended.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # A bucket that only waits at a worker is not blamed when another one ends that worker.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


@dataclass
class DaskEngine:
    """The workers of a Dask cluster. Close it with the context that opened it (`open_engine`)."""

    address: str
    client: Client
    patience_seconds: float = PATIENCE_SECONDS
    used: dict[str, WorkerUse] = field(default_factory=dict)
    """By the worker's address."""

    def partitions(
        self, store: EventStore, scan: Scan, buckets: Sequence[int], new: Callable[[], Gathered]
    ) -> Iterator[Gathered]:
        """One accumulator for each bucket, in the order of the buckets.

        Raises `ClusterError` where the cluster cannot finish, and what a bucket raised, with its number.
        """
        return self._all(PartitionWork(store.pinned(), scan, new), buckets)

    @property
    def bucket_runner(self) -> DaskEngine:
        """The cluster itself: see `run_buckets`."""
        return self

    def run_buckets(
        self,
        task: Callable[[int], Result],
        buckets: Sequence[int],
        prepare: Callable[[int], None] | None = None,
    ) -> Iterator[Result]:
        """The results of a task in the order of the buckets (`BucketRunner` of an ingest)."""
        return self._all(BucketWork(task), buckets, prepare)

    def _all(
        self, work: Work[Result], buckets: Sequence[int], prepare: Callable[[int], None] | None = None
    ) -> Iterator[Result]:
        remaining = deque(buckets)
        while remaining:
            try:
                for part in self._finished(work, tuple(remaining), prepare):
                    remaining.popleft()
                    yield part
            except _SchedulerLost:
                self._reconnect(len(remaining))

    def close(self) -> None:
        """Leave the cluster."""
        self.client.close(timeout=2)

    def _finished(
        self, work: Work[Result], buckets: Sequence[int], prepare: Callable[[int], None] | None
    ) -> Iterator[Result]:
        """Submit buckets, a few ahead, and yield their results in order."""
        ahead = _IN_FLIGHT * max(1, sum(self._threads().values()))
        with _loss_noticed():
            shared = self.client.submit(_same, work, pure=False)
            running: deque[tuple[int, Any]] = deque()
        for bucket in buckets:
            if prepare is not None:
                prepare(bucket)
            with _loss_noticed():
                future = self.client.submit(_work_here, shared, bucket, pure=False, retries=_RETRIES)
            running.append((bucket, future))
            if len(running) >= ahead:
                yield self._result(work, *running.popleft())
        while running:
            yield self._result(work, *running.popleft())

    def _result(self, work: Work[Result], bucket: int, future: Any) -> Result:
        """The result of a bucket, waited for."""
        self._wait(future)
        with _loss_noticed():
            error = future.exception() if future.status == "error" else None
            if error is None:
                worker, result = future.result()
        if error is not None:
            raise _explained(error, bucket)
        self._refuse_other_runtime(f"the worker {worker}", result.runtime)
        self._note(bucket, worker, result)
        if result.error is not None:
            result.error.add_note(f"in bucket {bucket}, on the worker {worker}")
            raise result.error
        return work.result(result.sent)

    def _wait(self, future: Any) -> None:
        """Wait until a future is done, as long as there is anybody who could do it."""
        alone_since: float | None = None
        while True:
            try:
                with _loss_noticed(), self.client.as_current():
                    wait([future], timeout=_LOOK_SECONDS)
                return
            except TimeoutError:
                if self._threads():
                    alone_since = None
                    continue
                alone_since = alone_since or time.monotonic()
                if time.monotonic() - alone_since > self.patience_seconds:
                    raise self._no_worker() from None

    def _threads(self) -> dict[str, int]:
        """How many threads each worker has, by its address."""
        with _loss_noticed():
            threads: dict[str, int] = self.client.nthreads()
            return threads

    def _note(self, bucket: int, worker: str, result: BucketResult) -> None:
        self.used.setdefault(worker, WorkerUse()).note(result)
        for line in result.log:
            where = f"bucket {bucket}, worker {worker}"
            logging.getLogger(line.logger).log(line.level, "%s: %s", where, line.message)

    def _reconnect(self, buckets: int) -> None:
        """Wait for the scheduler and a worker to come back."""
        self.close()
        until = time.monotonic() + self.patience_seconds
        while True:
            try:
                self.client = Client(self.address, timeout=_LOOK_SECONDS, set_as_default=False)
                self._refuse_others(max(1.0, until - time.monotonic()))
                return
            except (OSError, _SchedulerLost):
                if time.monotonic() > until:
                    raise ClusterError(
                        f"cannot go on: the Dask scheduler at {self.address} went away with {buckets} "
                        "buckets unfinished, and did not come back. Start it, and run the command again."
                    ) from None

    def _refuse_others(self, seconds: float) -> None:
        """Wait for a worker, and refuse a scheduler and workers of another runtime than this process."""
        with _loss_noticed():
            try:
                self.client.wait_for_workers(1, timeout=seconds)
            except TimeoutError:
                raise self._no_worker() from None
            try:
                there = self.client.run_on_scheduler(Runtime.here)
            except (ImportError, AttributeError) as error:
                raise without_kizuna("the scheduler", error) from None
            self._refuse_other_runtime("the scheduler", there)
            for worker, theirs in self.client.run(Runtime.here, on_error="return").items():
                if isinstance(theirs, ImportError | AttributeError):
                    raise without_kizuna(f"the worker {worker}", theirs)
                if isinstance(theirs, Runtime):  # else it is going away: another one does its buckets
                    self._refuse_other_runtime(f"the worker {worker}", theirs)

    def _refuse_other_runtime(self, who: str, theirs: Runtime) -> None:
        difference = Runtime.here().difference(theirs)
        if difference is not None:
            raise ClusterError(
                f"cannot work on the cluster at {self.address}: this is {difference[0]}, but {who} has "
                f"{difference[1]}. Install the same on both."
            )

    def _no_worker(self) -> ClusterError:
        return ClusterError(
            f"cannot work on the cluster at {self.address}: it has no worker. Start some with "
            f"`dask worker {self.address}`."
        )


class _SchedulerLost(Exception):
    """The connection to the scheduler broke: what was submitted is gone."""


@contextmanager
def _loss_noticed() -> Iterator[None]:
    """Raise `_SchedulerLost` where the scheduler does not answer, or has forgotten what it was given."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, CancelledError, ClosedClientError) as error:
        raise _SchedulerLost from error


def _same(work: Work[Result]) -> Work[Result]:
    """The work as a task: a worker that lost it gets it from the scheduler again."""
    return work


def _work_here(work: Work[Result], bucket: int) -> tuple[str, BucketResult]:
    """Do a bucket in a worker; says which one did."""
    return get_worker().address, work_on(work, bucket)


def _explained(error: BaseException, bucket: int) -> BaseException:
    """The error of a task, with the number of its bucket."""
    if isinstance(error, KilledWorker):
        limit = getattr(error.last_worker, "memory_limit", 0) / 2**30
        most = f" ({limit:.1f} GiB each)" if limit else ""
        return ClusterError(
            f"cannot finish bucket {bucket}: {error.allowed_failures + 1} workers ended while they worked on "
            f"it, most likely out of memory{most}. Give them more: `worker_memory` in [cluster] for those of "
            "`--cluster local`, `dask worker --memory-limit` for others."
        )
    if isinstance(error, MemoryError):
        return ClusterError(
            f"cannot finish bucket {bucket}: its worker had no memory left. Give workers more, or fewer "
            "threads each (`dask worker --nthreads 1`)."
        )
    error.add_note(f"in bucket {bucket}")
    return error


@contextmanager
def open_engine(
    address: str, *, worker_memory: str | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[DaskEngine]:
    """The engine of the cluster at an address, left again at the end.

    `address` is a scheduler's (`tcp://host:8786`, `tls://…`), or `local:2` for as many worker processes of
    this machine, started and stopped here, with one thread each; `worker_memory` is the most that each of
    them may hold, such as "4GB" (a share of the machine's memory by default). Raises `UsageError` for
    another form, `ClusterError` where scheduler or workers are missing or of another version.
    """
    form = _ADDRESS.fullmatch(address)
    if form is None:
        raise UsageError(
            f"cannot use the cluster '{address}': that is no address. Write the scheduler's, such as "
            "tcp://10.0.0.5:8786, or local:2 for two processes of this machine.",
            field="cluster",
        )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        cluster: Any = address
        if address.startswith("local"):
            cluster = stack.enter_context(_local_cluster(form["workers"], worker_memory))
            address = cluster.scheduler_address
        elif address.startswith("tls"):
            _refuse_missing_certificates(address)
        try:
            # Results of workers of this machine need not go through the scheduler, which is this process too.
            client = Client(
                cluster,
                timeout=CONNECT_SECONDS,
                set_as_default=False,
                direct_to_workers=not isinstance(cluster, str),
            )
        except OSError as error:
            raise ClusterError(
                f"cannot reach a Dask scheduler at {address}: {error}. Start it with `dask scheduler`, or "
                "name another cluster."
            ) from None
        engine = DaskEngine(address, client, patience_seconds)
        stack.callback(engine.close)
        engine._refuse_others(CONNECT_SECONDS)
        yield engine


def _refuse_missing_certificates(address: str) -> None:
    """Raise `ClusterError` where Dask's settings give this process no certificate for TLS."""
    try:
        context = Security().get_connection_args("client")["ssl_context"]
        wrong = "this process has no certificate for TLS" if context is None else None
    except (OSError, TypeError, ValueError) as error:
        wrong = f"Dask's settings for TLS cannot be used ({error})"
    if wrong is not None:
        raise ClusterError(
            f"cannot reach a Dask scheduler at {address}: {wrong}. Name the files of the cluster's "
            "certificates in DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT "
            "and DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY."
        )


def _local_cluster(workers: str | None, memory: str | None) -> LocalCluster:
    count = int(workers) if workers else available_cores()
    environment = dict(os.environ)
    try:
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory or "auto",
            security=True,  # certificates of its own: who else is on this machine cannot send it work
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its page of metrics, on a free port
            silence_logs=logging.CRITICAL,
        )
    finally:  # what Dask sets for its workers (one thread for OpenMP and BLAS) is not for this process
        for name in {*os.environ} - {*environment}:
            del os.environ[name]
        os.environ.update(environment)

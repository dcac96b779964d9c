"""The local engine: partitions processed in this process, one after the other or by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from features.event_store import EventStore
from features.execution.base import Engine, Gathered, Progress, Scan
from features.storage.history_reader import ALL_COLUMNS


@dataclass(frozen=True)
class LocalEngine:
    """This process. With one thread a bucket is read while the one before it is worked on.

    Memory holds two histories with one thread, and as many as there are threads with more.
    """

    threads: int = 1

    @property
    def bucket_runner(self) -> None:
        """There are no other processes."""

    def partitions(
        self, store: EventStore, scan: Scan, buckets: Sequence[int], new: Callable[[], Gathered]
    ) -> Iterator[Gathered]:
        """One accumulator for each bucket, in the order of the buckets."""
        if self.threads == 1:
            for history in store.histories(buckets=buckets, **scan.options):
                part = new()
                part.add(history)
                del history  # the next one is read before this loop comes round
                yield part
            return

        def work(bucket: int) -> Gathered:
            part = new()
            part.add(store.history(bucket, **scan.options))
            return part

        with ThreadPoolExecutor(self.threads) as pool:
            running: deque[Future[Gathered]] = deque()
            for bucket in buckets:
                running.append(pool.submit(work, bucket))
                if len(running) == self.threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()


HERE: Engine = LocalEngine()


def map_partitions(
    store: EventStore,
    accumulator: Callable[[], Gathered],
    step: str = "",
    *,
    until: int | None = None,
    columns: frozenset[str] = ALL_COLUMNS,
    event_ids: bool = False,
    known_at: int | None = None,
    retractions: bool = False,
    buckets: Sequence[int] | None = None,
    progress: Progress | None = None,
    engine: Engine = HERE,
) -> Gathered:
    """Maps an accumulator over every bucket of one version of the store; merges in bucket order.

    `accumulator` makes an empty one. `progress` gets the name of the step and the share that is done,
    before the first bucket and after each. The others say what is read (`Scan`).
    """
    store = store.pinned()
    chosen = store.buckets if buckets is None else tuple(buckets)
    whole = accumulator()
    if progress:
        progress(step, 0.0)
    scan = Scan(until, columns, event_ids, known_at, retractions)
    parts = engine.partitions(store, scan, chosen, accumulator)
    for done, part in enumerate(parts, start=1):
        whole.merge(part)
        if progress:
            progress(step, done / len(chosen))
    return whole

"""Threads that make answers, with bounds on how long a caller waits and on how much work waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from features.errors import Overloaded, TooSlow

PATIENCE = 60.0
"""Seconds that a caller waits at most."""
THREADS = 4
LONG_THREADS = 2
LONG_WAITING = 6
"""Long calls that wait for a thread; one more is refused."""
LONG_RETRY_SECONDS = 30

T = TypeVar("T")


class WorkerPool:
    """A thread pool for one sort of work."""

    def __init__(self, name: str, threads: int, patience: float, most_waiting: int | None = None) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._patience = patience
        self._most = None if most_waiting is None else threads + most_waiting
        self._unfinished = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of a function that runs in a thread.

        Raises `Overloaded` where as much work waits as may, `TooSlow` after the patience of the pool; work
        that runs then goes on to its end and holds its thread, work that waits is dropped.
        """
        with self._lock:
            if self._most is not None and self._unfinished >= self._most:
                raise Overloaded(
                    f"cannot start this now: {self._unfinished} long calls, such as reports, are being made "
                    f"or wait. Try again in {LONG_RETRY_SECONDS} s.",
                    retry_after_seconds=LONG_RETRY_SECONDS,
                )
            self._unfinished += 1
        future = self._executor.submit(work)
        future.add_done_callback(self._finished)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._patience)
        except TimeoutError:
            raise TooSlow(
                f"cannot answer within {self._patience:g} s. Ask for fewer customers at a time."
            ) from None

    def _finished(self, _: Future[T]) -> None:
        with self._lock:
            self._unfinished -= 1


class WorkerPools:
    """The pool of short work, and the one of long work, which leaves the first to everybody else."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.short = WorkerPool("answers", THREADS, patience)
        self.long = WorkerPool("long-answers", LONG_THREADS, patience, LONG_WAITING)

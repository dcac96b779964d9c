"""The turn for writing: one run at a time, with what a broken run left cleaned up before the next begins.

In a folder the lock is one on a file; a state in an object store has it in the database of the records, which
hands it in (`WriterLock`), as object stores know no locks.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from features.errors import ConfigurationError, DataError
from features.storage.backends.storage import Storage
from features.storage.linked_folder import sweep_linked_folders

LOCK = "ingest.lock"
"""The file, or the object, that names the run that writes."""
WAITING = "waiting for another ingest to finish"

Progress = Callable[[str, float], None]
Repair = Callable[[str], None]


class WriterLock(Protocol):
    """A lock that machines share, and that ends with the process that holds it."""

    def held(self, waiting: Callable[[], None]) -> AbstractContextManager[Callable[[], bool]]:
        """Wait for the lock, calling `waiting` where another holds it; yields whether it still holds."""


@contextmanager
def turn(folder: Path, repair: Repair, progress: Progress | None, purpose: str = "") -> Iterator[str]:
    """The lock for writing in a folder, waited for; yields the name of this run.

    The name stays in the lock file while the run lasts. One that is found there is of a run that
    broke: `repair` cleans up after it first. What killed backups left is deleted too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                progress(WAITING, 0.0)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        broken = lock.read().strip()
        if broken:
            repair(broken)
        sweep_linked_folders(folder)
        run = purpose + uuid.uuid4().hex[:16]
        _say(lock, run)
        yield run
        _say(lock, "")


class RemoteTurn:
    """Turns for writing to a state in an object store; `check` refuses to change it without the lock."""

    def __init__(self, storage: Storage, lock: WriterLock | None) -> None:
        self._storage, self._lock = storage, lock
        self._run = ""
        self._holds: Callable[[], bool] = bool

    @contextmanager
    def begin(self, repair: Repair, progress: Progress | None, purpose: str = "") -> Iterator[str]:
        """The lock for writing, waited for; yields the name of this run, as `turn`.

        Raises `ConfigurationError` without a lock.
        """
        if self._lock is None:
            raise ConfigurationError(
                f"cannot write to {self._storage.location}: the writers of a state in an object store take "
                "turns by a lock in the database of the records. Give `records` a PostgreSQL URL.",
                field="records",
            )
        with self._lock.held(lambda: progress(WAITING, 0.0) if progress else None) as holds:
            # Until the repair has ended this run goes by the name of the broken one: a repair commits too.
            self._run, self._holds = self._named(), holds
            try:
                if self._run:
                    repair(self._run)
                self._run = purpose + uuid.uuid4().hex[:16]
                self._storage.put(LOCK, self._run.encode("ascii"))
                yield self._run
                self._storage.put(LOCK, b"")
            finally:
                self._run, self._holds = "", bool

    def check(self) -> None:
        """Raise `DataError` where another run may have begun, because the lock was lost meanwhile."""
        if not self._holds() or self._named() != self._run:
            raise turn_lost(self._storage.location)

    def _named(self) -> str:
        return writing_run(self._storage)


def writing_run(storage: Storage) -> str:
    """The name of the run that writes to a state, empty where none does."""
    try:
        return storage.read(LOCK).decode("ascii").strip()
    except FileNotFoundError:
        return ""


def turn_lost(location: str) -> DataError:
    """The error of a run that finds that another one may have begun."""
    return DataError(
        f"cannot go on writing to {location}: the lock for writing was lost, as the database of the records "
        "was away or restarted. Nothing more was stored or deleted; run it again."
    )


def _say(lock: IO[str], run: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(run)
    lock.flush()
    os.fsync(lock.fileno())

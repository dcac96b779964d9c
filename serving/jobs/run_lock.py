"""The lock of `kizuna run`: one run of a project at a time; it ends with the process that holds it.

With records in PostgreSQL it is an advisory lock there, which machines share; else a lock on a file of the
state, which jobs do not inherit.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.project.settings import Project
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock

FILE = "run.lock"
NAME = "the schedule of this project"
"""Of the advisory lock: a database of records belongs to one project."""
TRIES = 5
"""Who lists runs takes the lock for a moment, to see whether a run goes on: that is no other run."""
PAUSE = 0.2
"""Seconds between two tries."""


@contextmanager
def run_lock(project: Project, database: Database, tries: int = TRIES) -> Iterator[bool]:
    """Take the lock of runs; yields whether it was free, and holds it until the end if so."""
    for number in range(tries):
        if number:
            time.sleep(PAUSE)
        with _lock(project, database) as is_free:
            if is_free:
                yield True
                return
    yield False


@contextmanager
def _lock(project: Project, database: Database) -> Iterator[bool]:
    if database.url.drivername.startswith("postgresql"):
        with AdvisoryLock(database, NAME).tried() as is_free:
            yield is_free
    else:
        with _file_lock(project.state) as is_free:
            yield is_free


@contextmanager
def _file_lock(state: Path) -> Iterator[bool]:
    state.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)

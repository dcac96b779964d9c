"""Whether a job's process lives, as the machines that share a state in an object store see it.

The machine that started it has a lock on a file, which another cannot see: the process holds an advisory lock
in PostgreSQL besides.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from serving.project.settings import Project
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock


def job_lock(project: Project, database: Database, job_id: str) -> AbstractContextManager[object]:
    """Held by the process of a job while it lasts; nothing where the state is a folder."""
    if project.state_url is None:
        return nullcontext()
    return _lock(project.state_url, database, job_id).held(lambda: None)


def is_held(project: Project, database: Database, job_id: str) -> bool:
    """Whether a process holds the lock of a job; never where the state is a folder."""
    return project.state_url is not None and _lock(project.state_url, database, job_id).is_held()


def _lock(url: str, database: Database, job_id: str) -> AdvisoryLock:
    return AdvisoryLock(database, f"{url}/jobs/{job_id}")

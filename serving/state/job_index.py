"""Jobs as rows of the database: waiting, running, then done, failed or interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import JOBS

WAITING, RUNNING, DONE, FAILED, INTERRUPTED = "waiting", "running", "done", "failed", "interrupted"
UNFINISHED = (WAITING, RUNNING)
LONGEST_ERROR = 2_000


@dataclass(frozen=True)
class JobRecord:
    """One row of `jobs`. Instants in microseconds UTC by the clock of the machine, not a simulated one."""

    id: str
    kind: str
    arguments: str
    """What the job is asked to do, as JSON."""
    who: str
    who_kind: str
    """`person`, `key` or `local`."""
    permissions: tuple[str, ...]
    """What who asked might do at that moment."""
    created_at: int
    state: str = WAITING
    started_at: int | None = None
    finished_at: int | None = None
    process: int | None = None
    """The number of its process."""
    step: str = ""
    """What it is doing."""
    share: float = 0.0
    """How much of that step is done, 0 to 1."""
    result: str = ""
    """What came of it, as JSON; empty until it is done."""
    error: str = ""
    """Why it failed."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in UNFINISHED


def add_job(database: Database, job: JobRecord, exclusive: str, now: int) -> bool:
    """Keep a new job, with a line in the audit log; False where an unfinished one has its `exclusive`."""
    values = {**vars(job), "permissions": json.dumps(job.permissions), "exclusive": exclusive}
    try:
        with database.writing() as connection:
            connection.execute(insert(JOBS).values(values))
            record_action(connection, job.who, f"job {job.kind}", now, details=job.arguments)
    except IntegrityError:
        return False
    return True


def find_job(database: Database, job_id: str) -> JobRecord | None:
    """The job of this id, if there is one."""
    row = database.first(select(JOBS).where(JOBS.c.id == job_id))
    return None if row is None else _record(row)


def unfinished_job(database: Database, exclusive: str) -> JobRecord | None:
    """The unfinished job that has this `exclusive`, if there is one."""
    row = database.first(select(JOBS).where(JOBS.c.exclusive == exclusive))
    return None if row is None else _record(row)


def unfinished_jobs(database: Database) -> list[JobRecord]:
    """Every job that waits or runs."""
    with database.reading() as connection:
        rows = connection.execute(select(JOBS).where(JOBS.c.state.in_(UNFINISHED))).mappings()
        return [_record(row) for row in rows]


def newest_jobs(database: Database, limit: int, kind: str | None = None) -> list[JobRecord]:
    """The newest jobs, newest first; of one kind where it is named."""
    query = select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(JOBS.c.kind == kind)
    with database.reading() as connection:
        return [_record(row) for row in connection.execute(query).mappings()]


def save_running(database: Database, job_id: str, process: int, now: int) -> bool:
    """Say that a job's process has begun with it; False where the job does not wait for one."""
    changes = {"state": RUNNING, "process": process, "started_at": now}
    waiting = (JOBS.c.id == job_id) & (JOBS.c.state == WAITING)
    with database.writing() as connection:
        return bool(connection.execute(update(JOBS).where(waiting).values(changes)).rowcount)


def save_progress(database: Database, job_id: str, step: str, share: float) -> None:
    """Say what a job is doing now and how much of it is done."""
    with database.writing() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(step=step[:200], share=share))


def save_outcome(
    database: Database, job_id: str, state: str, now: int, *, result: str = "", error: str = ""
) -> bool:
    """Finish an unfinished job; False where it was finished before."""
    unfinished = (JOBS.c.id == job_id) & JOBS.c.state.in_(UNFINISHED)
    changes = {
        "state": state,
        "finished_at": now,
        "exclusive": None,
        "result": result,
        "error": error[:LONGEST_ERROR],
    }
    with database.writing() as connection:
        return bool(connection.execute(update(JOBS).where(unfinished).values(changes)).rowcount)


def _record(row: RowMapping) -> JobRecord:
    values = {one.name: row[one.name] for one in fields(JobRecord)}
    return JobRecord(**values | {"permissions": tuple(json.loads(values["permissions"]))})

"""Starting long use cases in processes of their own, and telling how far they are.

A job outlives who started it: its process is no child of the service, ends by itself, and writes into the
project's database what came of it. Whoever looks at a job whose process is gone marks it as interrupted.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

from features.errors import DataError, UnknownJob, UsageError
from serving.application.permissions import Actor
from serving.application.workspace import Workspace
from serving.jobs.kinds import KINDS, JobInput
from serving.project.places import PROJECT
from serving.project.settings import Project
from serving.state.job_index import (
    FAILED,
    INTERRUPTED,
    JobRecord,
    add_job,
    find_job,
    newest_jobs,
    save_outcome,
    unfinished_job,
    unfinished_jobs,
)
from serving.state.process_lock import is_locked, locked
from serving.state.remote.job_locks import is_held

FOLDER = "jobs"
"""Where the logs of jobs lie, below the state."""
KEPT = 300
"""Logs of so many newest jobs are kept: those of a month of runs."""
STARTS_WITHIN = 120_000_000
"""Microseconds that a job on another machine has to start in."""
NOTHING: JobInput = {}
NOT_STARTED = "cannot do this: its process did not start."
GONE = "cannot finish this: its process ended before it was done. Start it again."


def start(workspace: Workspace, actor: Actor, kind: str, arguments: JobInput = NOTHING) -> str:
    """Start a job of a kind in a process of its own; says its id.

    Where the same work is under way already, its id. Raises `Forbidden` for who lacks the permission of its
    use case, `UsageError` for an unknown kind, for arguments that do not fit, and while a job runs that has
    to end first.
    """
    known = KINDS.get(kind)
    if known is None:
        raise UsageError(
            f"cannot start the job '{kind}': there is none of that kind. There are {', '.join(KINDS)}.",
            field="kind",
        )
    actor.require(known.permission)
    text, database = known.read(kind, arguments), workspace.database
    folder = workspace.project.state / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        _mark_interrupted(workspace)
        job = JobRecord(
            secrets.token_hex(8),
            kind,
            text,
            actor.name,
            actor.kind,
            tuple(sorted(actor.permissions)),
            workspace.machine_now,
        )
        lock = locked(folder / f"{job.id}.lock")
        try:
            if add_job(database, job, known.exclusive, workspace.clock()):
                _launch(workspace, job, lock)
                _forget_old_logs(workspace)
                return job.id
        finally:
            os.close(lock)
        (folder / f"{job.id}.lock").unlink()
        other = unfinished_job(database, known.exclusive)
        if other is None:  # it has ended meanwhile
            continue
        if (other.kind, other.arguments) == (kind, text):
            return other.id
        raise UsageError(
            f"cannot start the job '{kind}': a job '{other.kind}' of {other.who} has to end first. "
            "Try again when it is done.",
            field="kind",
        )


def job(workspace: Workspace, actor: Actor, job_id: str) -> JobRecord:
    """How far a job is; whoever may start its kind may see it. Raises `UnknownJob` where there is none."""
    _mark_interrupted(workspace)
    found = find_job(workspace.database, job_id)
    if found is None or found.kind not in KINDS:
        raise UnknownJob(job_id)
    actor.require(KINDS[found.kind].permission)
    return found


def jobs(workspace: Workspace, actor: Actor, *, kind: str | None = None, limit: int = 20) -> list[JobRecord]:
    """The newest jobs that the actor might have started, newest first; of one kind where it is named."""
    _mark_interrupted(workspace)
    return [
        one
        for one in newest_jobs(workspace.database, limit, kind)
        if one.kind in KINDS and KINDS[one.kind].permission in actor.permissions
    ]


def log_file(project: Project, job_id: str) -> Path:
    """What a job's process wrote."""
    return project.state / FOLDER / f"{job_id}.log"


def _launch(workspace: Workspace, job: JobRecord, lock: int) -> None:
    """Start the process of a job; it leaves the one that starts it, which ends at once."""
    project = workspace.project
    environment = os.environ | {PROJECT: str(project.folder.resolve())}
    try:
        log = os.open(log_file(project, job.id), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            subprocess.run(
                [sys.executable, "-m", "serving.jobs", job.id],
                env=environment,
                cwd=project.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                check=True,
            )
        finally:
            os.close(log)
    except (OSError, subprocess.CalledProcessError) as error:
        save_outcome(workspace.database, job.id, FAILED, workspace.machine_now, error=NOT_STARTED)
        raise DataError(f"cannot start the job '{job.kind}': its process did not start ({error}).") from None


def _mark_interrupted(workspace: Workspace) -> None:
    """Finish the jobs whose process is gone."""
    for one in unfinished_jobs(workspace.database):
        if not _is_alive(workspace, one):
            save_outcome(workspace.database, one.id, INTERRUPTED, workspace.machine_now, error=GONE)


def _is_alive(workspace: Workspace, job: JobRecord) -> bool:
    """Whether a job's process lives, on this machine or on another that shares the state."""
    project, file = workspace.project, workspace.project.state / FOLDER / f"{job.id}.lock"
    if project.state_url is None or file.exists():
        return is_locked(file)
    return workspace.machine_now - job.created_at < STARTS_WITHIN or is_held(
        project, workspace.database, job.id
    )


def _forget_old_logs(workspace: Workspace) -> None:
    """Delete the files of old jobs; what is locked belongs to one that is being started."""
    kept = {one.id for one in newest_jobs(workspace.database, KEPT)}
    kept |= {one.id for one in unfinished_jobs(workspace.database)}
    for file in (workspace.project.state / FOLDER).iterdir():
        if file.stem not in kept and not is_locked(file):
            file.unlink(missing_ok=True)

"""The process of a job: opens the project, runs the use case as who asked, keeps what came of it."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from features.errors import DataError, KizunaError
from serving.application.cluster import NO_CLUSTER, on_cluster
from serving.application.permissions import Actor, Kind, Permission, person
from serving.application.workspace import UNAVAILABLE, Progress, Workspace, open_workspace
from serving.jobs.kinds import KINDS
from serving.jobs.work import WORK
from serving.project.clock import project_clock, system_clock
from serving.project.settings import read
from serving.state.accounts.people import find_account
from serving.state.audit_log import record_action
from serving.state.job_index import (
    DONE,
    FAILED,
    JobRecord,
    find_job,
    save_outcome,
    save_progress,
    save_running,
)
from serving.state.remote.job_locks import job_lock
from serving.state.remote.state_files import share_everything

EVERY = 500_000
"""Microseconds between two notes of the progress of one step."""
AS_AT_THE_START = "without an account: with the role that the proxy named at the start"
ON_CLUSTER = (
    "ingest",
    "checks",
    "score",
    "plan",
    "train",
    "report",
    "campaign_report",
    "campaign_reviews",
    "learn",
)
"""The kinds of job whose work on the events is done by the cluster of `[cluster]`, where there is one."""
BUG = "cannot finish this: Kizuna met a fault of its own. The log of the job has it."


def run_job(folder: str, job_id: str) -> int:
    """Do a job that waits; 0 when it is done, the error's exit code where it failed."""
    project = read(Path(folder))
    workspace = open_workspace(project, project_clock(project), system_clock)
    with workspace.database as database:
        if not save_running(database, job_id, os.getpid(), workspace.machine_now):
            return 0  # it does not wait any more
        job = find_job(database, job_id)
        if job is None:
            return 0
        outcome, error, result = FAILED, BUG, ""
        try:
            actor = requester(workspace, job)
            actor.require(KINDS[job.kind].permission)
            progress = progress_of(workspace, job, system_clock)
            with (
                job_lock(project, database, job_id),
                on_cluster(workspace, None if job.kind in ON_CLUSTER else NO_CLUSTER) as clustered,
            ):
                answer = WORK[job.kind](clustered, actor, job.arguments, progress)
            share_everything(project)
            outcome, error, result = DONE, "", json.dumps(answer)
        except KizunaError as refusal:
            notes = getattr(refusal, "__notes__", ())  # where on a cluster it was met
            sys.stderr.write("\n".join((refusal.message, *notes)) + "\n")
            error = refusal.message
            return refusal.exit_code
        except UNAVAILABLE as away:
            error = (
                "cannot finish this: the disk, the database or the store does not answer "
                f"({_first_line(away)}). Make room or start it, then try again."
            )
            sys.stderr.write(traceback.format_exc())
            return DataError.exit_code
        finally:  # whatever ended the work, a bug and a signal among them, is on record
            save_outcome(database, job_id, outcome, workspace.machine_now, result=result, error=error)
    return 0


def _first_line(error: Exception) -> str:
    """What an error of the system says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def requester(workspace: Workspace, job: JobRecord) -> Actor:
    """Who asked for a job, with what they may do now.

    Of a person the role of their account counts, so that who was demoted or disabled meanwhile is refused.
    Where a trusted proxy names roles, the account can only take from what the person might do at the start;
    for who has no account that holds, as nobody can be asked without a visit, and the audit says so.
    """
    at_start = Actor(
        job.who, cast(Kind, job.who_kind), cast(frozenset[Permission], frozenset(job.permissions))
    )
    if job.who_kind != "person":
        return at_start
    account = find_account(workspace.database, job.who)
    is_vouched_for = bool(workspace.project.settings.console.role_header)
    if account is None and is_vouched_for:
        with workspace.database.writing() as connection:
            now = workspace.clock()
            record_action(connection, job.who, f"job {job.kind}", now, details=AS_AT_THE_START)
        return at_start
    if account is None or not account.is_enabled:
        return replace(at_start, permissions=frozenset())
    now_allowed = person(job.who, account.role)
    if not is_vouched_for:
        return now_allowed
    return replace(at_start, permissions=at_start.permissions & now_allowed.permissions)


def progress_of(workspace: Workspace, job: JobRecord, clock: Callable[[], int]) -> Progress:
    """Keeps a job's progress: each new step, and now and then how much of it is done."""
    step, noted = "", 0

    def note(now_doing: str, share: float) -> None:
        nonlocal step, noted
        now = clock()
        if now_doing != step or now - noted >= EVERY:
            step, noted = now_doing, now
            save_progress(workspace.database, job.id, now_doing, share)

    return note

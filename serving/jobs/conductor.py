"""One run of the schedule: its steps as jobs, one after another, each written down before and after.

A run that was killed goes on with its unfinished steps, for the day that it began with. Each step is a use
case that changes nothing when it is done twice, so that one whose end was not written down is done again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from features.errors import DataError, KizunaError, RunUnderWay, UnknownJob, UsageError
from serving.application.permissions import Actor
from serving.application.workspace import Progress, Workspace
from serving.jobs import runner
from serving.jobs.due_steps import due_steps, local_day, named_steps
from serving.jobs.kinds import KINDS, JobInput
from serving.jobs.run_lock import run_lock
from serving.project.schedule_settings import BY_NAME, STEPS
from serving.state import job_index
from serving.state.database import DATABASE_ERRORS
from serving.state.job_index import JobRecord, unfinished_job
from serving.state.run_index import (
    BLOCKED,
    DONE,
    FAILED,
    HELD,
    RUNNING,
    WAITING,
    RunRecord,
    begin_run,
    change_run,
    change_step,
    find_run,
    newest_runs,
)

PACE = 0.2
"""Seconds between two looks at a job."""
NOTIFY_SECONDS = 45.0
"""So long the step `notify` tries again what is not taken: longer than a sender that was killed holds it."""


def run_due(
    workspace: Workspace,
    actor: Actor,
    steps: Sequence[str] = (),
    *,
    most_attempts: int | None = None,
    progress: Progress | None = None,
) -> list[RunRecord]:
    """Go on with the run that was broken off, then do what is due, or the named steps; returns the runs.

    Empty where nothing was due. A step that fails stops those that need it and nothing else; `most_attempts`
    bounds how often it is tried on its day. Raises `RunUnderWay` while another run goes on, `UsageError` for
    a step that there is not, `DataError` where the records do not answer: what was done until then stays
    done, and the next run goes on.
    """
    actor.require("run")
    named_steps(steps, 0)
    try:
        with run_lock(workspace.project, workspace.database) as is_free:
            if not is_free:
                raise RunUnderWay(_under_way(workspace))
            return list(_runs(workspace, actor, steps, most_attempts, progress))
    except DATABASE_ERRORS as error:
        raise DataError(
            f"cannot go on with the run: the database of the records does not answer "
            f"({type(error).__name__}). Start it; the next `kizuna run` goes on where this one was."
        ) from error


def _runs(
    workspace: Workspace,
    actor: Actor,
    steps: Sequence[str],
    most_attempts: int | None,
    progress: Progress | None,
) -> Iterator[RunRecord]:
    due = due_steps(workspace, most_attempts=most_attempts)
    if due.resumed is not None:
        yield _carried_out(workspace, actor, _reopened(workspace, due.resumed), progress)
    now = workspace.clock()
    scheduled = named_steps(steps, now) if steps else due.scheduled
    if scheduled:
        day, as_of = local_day(now, workspace.project.timeline)
        run = begin_run(workspace.database, day, as_of, now, actor.name, scheduled)
        yield _carried_out(workspace, actor, run, progress)


def _reopened(workspace: Workspace, run: RunRecord) -> RunRecord:
    """A run that goes on: what failed, and what waited for that, is to be done."""
    for step in run.steps:
        if step.state in (FAILED, BLOCKED):
            change_step(workspace.database, run.id, step.step, state=WAITING, error="")
    change_run(workspace.database, run.id, RUNNING, None)
    return _read(workspace, run.id)


def _carried_out(workspace: Workspace, actor: Actor, run: RunRecord, progress: Progress | None) -> RunRecord:
    for step in STEPS:
        record = run.step(step.name)
        if record is None or record.state not in (WAITING, RUNNING):
            continue
        missing = [
            need for need in step.needs if (other := run.step(need)) is not None and other.state != DONE
        ]
        if missing:
            why = f"waits for the step '{missing[0]}', which is not done"
            change_step(workspace.database, run.id, step.name, state=BLOCKED, error=why)
        else:
            _do(workspace, actor, run, step.name, progress)
        run = _read(workspace, run.id)
    states = {step.state for step in run.steps}
    state = FAILED if FAILED in states else HELD if HELD in states or _has_refused(run) else DONE
    _tell(workspace, actor, run, state)
    change_run(workspace.database, run.id, state, workspace.clock())
    return _read(workspace, run.id)


def _tell(workspace: Workspace, actor: Actor, run: RunRecord, state: str) -> None:
    """Tell the webhooks that ask for it how a run ends, before it is written down that it ended.

    What cannot be sent waits in the outbox for the next `notify`.
    """
    if all(webhook.runs == "never" for webhook in workspace.project.settings.webhooks):
        return
    from serving.application.lists.notify import report_run
    from serving.integrations.webhooks import ReportedStep, RunReport

    steps = [
        ReportedStep(step.step, step.state, [*([step.error] if step.error else []), *step.warnings])
        for step in run.steps
        if step.state != DONE or step.warnings
    ]
    with suppress(KizunaError):  # a webhook or a model that cannot be used: the run is on record all the same
        report_run(workspace, actor, RunReport(run.id, run.day, state, steps))


def _do(workspace: Workspace, actor: Actor, run: RunRecord, name: str, progress: Progress | None) -> None:
    """Have a step done by a job, and write down what came of it."""
    database, record = workspace.database, run.step(name)
    before = None if record is None or not record.job else _job_before(workspace, actor, record.job)
    attempts, began = 0 if record is None else record.attempts, time.monotonic()
    try:
        if before is None or before.state in (job_index.FAILED, job_index.INTERRUPTED):
            attempts += 1
            change_step(database, run.id, name, state=RUNNING, attempts=attempts, job="")
            job_id = _started(workspace, actor, BY_NAME[name].kind, _arguments(workspace, run, name))
            change_step(database, run.id, name, job=job_id)
        else:  # it goes on, or ended, while nobody looked
            job_id = before.id
        job = _ended(workspace, actor, job_id, progress)
    except KizunaError as error:
        change_step(database, run.id, name, state=FAILED, error=error.message)
        return
    seconds = round(time.monotonic() - began, 1)
    if job.state != job_index.DONE:
        change_step(database, run.id, name, state=FAILED, seconds=seconds, error=job.error)
        return
    held = json.loads(job.result).get("held") or ""
    state = HELD if held else DONE
    change_step(database, run.id, name, state=state, seconds=seconds, result=job.result, error=held)


def _job_before(workspace: Workspace, actor: Actor, job_id: str) -> JobRecord | None:
    """The job that a killed run waited for, marked as interrupted where its process is gone."""
    try:
        return runner.job(workspace, actor, job_id)
    except UnknownJob:
        return None


def _started(workspace: Workspace, actor: Actor, kind: str, arguments: JobInput) -> str:
    """The id of the job; other work of its sort, such as an ingest of somebody else, ends first."""
    while True:
        try:
            return runner.start(workspace, actor, kind, arguments)
        except UsageError:
            if unfinished_job(workspace.database, KINDS[kind].exclusive) is None:
                raise
        time.sleep(PACE)


def _ended(workspace: Workspace, actor: Actor, job_id: str, progress: Progress | None) -> JobRecord:
    """The job when it has ended."""
    while not (job := runner.job(workspace, actor, job_id)).is_finished:
        if progress and job.step:
            progress(job.step, job.share)
        time.sleep(PACE)
    return job


def _arguments(workspace: Workspace, run: RunRecord, name: str) -> JobInput:
    """What the job of a step is asked."""
    checks = run.step("checks")
    whole_until = None if checks is None else checks.outcome.get("whole_until")
    arguments: Mapping[str, JobInput] = {
        "checks": {"day": run.day},
        "score": {"not_after": str(whole_until or run.day), "once": True},
        # A simulated time stands still while a run goes on: waiting would not make anything due.
        "notify": {"wait": 0.0 if workspace.project.simulated else NOTIFY_SECONDS},
    }
    return arguments.get(name, {})


def _has_refused(run: RunRecord) -> bool:
    """Whether the ingest left a source out."""
    ingest = run.step("ingest")
    return ingest is not None and bool(ingest.outcome.get("refused"))


def _read(workspace: Workspace, number: int) -> RunRecord:
    found = find_run(workspace.database, number)
    if found is None:
        raise DataError(f"cannot go on with run {number}: the records do not have it any more. Run it again.")
    return found


def _under_way(workspace: Workspace) -> str:
    """Which run has the lock, and which step it is at."""
    run = next(iter(newest_runs(workspace.database, 1)), None)
    if run is None:
        return "it begins"
    step = next((one.step for one in run.steps if one.state == RUNNING), "")
    return f"run {run.id} of {run.day}" + (f", step '{step}'" if step else "")

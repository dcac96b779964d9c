"""The runs of the schedule as somebody looks at them: the newest ones, or one, with each of its steps."""

from __future__ import annotations

from dataclasses import replace

from features.errors import UsageError
from serving.application.permissions import Actor
from serving.application.workspace import Workspace
from serving.jobs.run_lock import run_lock
from serving.state.run_index import RUNNING, RunRecord, find_run, newest_runs

BROKEN_OFF = "broken off"
"""The state of a run whose process ended before it did: the next `kizuna run` goes on with it."""


def recent_runs(workspace: Workspace, actor: Actor, limit: int = 20) -> tuple[RunRecord, ...]:
    """The newest runs, newest first."""
    actor.require("read_report")
    return tuple(_as_seen(workspace, one) for one in newest_runs(workspace.database, limit))


def one_run(workspace: Workspace, actor: Actor, number: int) -> RunRecord:
    """The run of this number; raises `UsageError` where there is none."""
    actor.require("read_report")
    found = find_run(workspace.database, number)
    if found is None:
        raise UsageError(
            f"cannot show run {number}: there is none of that number. `kizuna runs` lists those there are.",
            field="number",
        )
    return _as_seen(workspace, found)


def _as_seen(workspace: Workspace, run: RunRecord) -> RunRecord:
    if run.state != RUNNING:
        return run
    with run_lock(workspace.project, workspace.database, tries=1) as is_free:
        return replace(run, state=BROKEN_OFF) if is_free else run

"""Training a model on the past of a project."""

from __future__ import annotations

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.integrations.training import tracking, training_config
from serving.project.run_source import run_source
from serving.state.audit_log import record_action
from training.train import TrainingResult
from training.train import train as fit_and_judge
from training.tuning import Tuning


@use_case("run")
def train(
    workspace: Workspace,
    actor: Actor,
    *,
    until: str | None = None,
    trials: int | None = None,
    accept_leak: str | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Learn from the events before a day; the result becomes the champion if it passes the gates.

    With `trials` that many settings of the trees are searched first; a search that was stopped goes on.
    `accept_leak` is the reason for which a suspected leak is taken for none: the audit log, the promotion log
    and the model card keep it.
    """
    if accept_leak is not None and not accept_leak.strip():
        raise UsageError(
            "cannot accept a leak without a reason: say why the column was known in time, as in "
            '`kizuna train --accept-leak "the notice period begins with the request"`.',
            field="accept_leak",
        )
    workspace = workspace.pinned()
    project = workspace.project
    result = fit_and_judge(
        workspace.store,
        training_config(project, workspace.database, workspace.store.customers.aliases),
        tracking(project),
        now=workspace.clock(),
        until=None if until is None else workspace.instant(until),
        tuning=None if trials is None else Tuning(trials, project.state / "tuning.db"),
        accept_leak=accept_leak or "",
        source=run_source(project),
        progress=progress,
        engine=workspace.engine,
    )
    if accept_leak is not None:
        details = f"version {result.version}: {accept_leak}"
        with workspace.database.writing() as connection:
            record_action(connection, actor.name, "train accept-leak", workspace.clock(), details=details)
    return result

"""Training a model on the past of a project."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.integrations.training import tracking, training_config
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
    progress: Progress | None = None,
) -> TrainingResult:
    """Learn from the events before a day; the result becomes the champion if it passes the gates.

    With `trials` that many settings of the trees are searched first; a search that was stopped goes on.
    """
    workspace = workspace.pinned()
    project = workspace.project
    return fit_and_judge(
        workspace.store,
        training_config(project),
        tracking(project),
        now=workspace.clock(),
        until=None if until is None else workspace.instant(until),
        tuning=None if trials is None else Tuning(trials, project.state / "tuning.db"),
        progress=progress,
    )

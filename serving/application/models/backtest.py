"""What would have been predicted on a past day, by a model that knew only what was known then."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.integrations.training import training_config
from training.backtest import JudgedBacktest, judged_backtest


@dataclass(frozen=True, eq=False)
class BacktestTable:
    """One row for each customer of the cohort on that day, by customer id, and how right the scores were."""

    judged: JudgedBacktest
    decided: str
    """The day until which the outcome of that day is decided."""
    covered_until: str
    """The day until which the events tell who left."""
    lifetime_decided: tuple[str, ...]
    """The day on which the months of each lifetime value end."""


@use_case("analyse")
def backtest(
    workspace: Workspace, actor: Actor, as_of: str, progress: Progress | None = None
) -> BacktestTable:
    """Train on what was known before a day, predict on it, and judge the scores by what happened since.

    Nothing is registered.
    """
    store = workspace.store.pinned()
    config = training_config(workspace.project, workspace.database, store.customers.aliases)
    found = judged_backtest(store, config, workspace.instant(as_of), progress, now=workspace.clock())
    timeline = workspace.project.timeline
    return BacktestTable(
        found,
        timeline.local(found.decided).date().isoformat(),
        timeline.local(found.covered_until).date().isoformat(),
        tuple(timeline.local(one.decided).date().isoformat() for one in found.lifetime),
    )

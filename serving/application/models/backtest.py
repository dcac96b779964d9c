"""What would have been predicted on a past day, by a model that knew only what was known then."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.integrations.training import training_config
from training.backtest import backtest as look_back


@dataclass(frozen=True, eq=False)
class BacktestTable:
    """One row for each customer of the cohort on that day, by customer id."""

    table: pa.Table


@use_case("analyse")
def backtest(
    workspace: Workspace, actor: Actor, as_of: str, progress: Progress | None = None
) -> BacktestTable:
    """Train on what was known before a day and predict on it; nothing is registered."""
    store = workspace.store.pinned()
    config = training_config(workspace.project, workspace.database, store.customers.aliases)
    return BacktestTable(look_back(store, config, workspace.instant(as_of), progress))

"""The champion as a bento, which answers live calls on its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.integrations.bento import build_bento
from serving.state.accounts.copying import accounts_to_copy
from serving.state.api_keys import list_keys
from serving.state.campaigns.uplift_index import uplift_in_use


@dataclass(frozen=True)
class Package:
    """A bento that was written."""

    folder: Path
    model_version: str


@use_case("operate")
def package(workspace: Workspace, actor: Actor, output: Path) -> Package:
    """Write the champion as a bento into a new folder; it accepts the project's keys and people.

    Accounts that are disabled or have no password yet stay behind.
    """
    now, model = workspace.clock(), workspace.scores.active_model()
    keys = [key for key in list_keys(workspace.database) if key.opens(now)]
    people = accounts_to_copy(workspace.database)
    build_bento(workspace.project, model, keys, people, now, output, uplift_in_use(workspace.database))
    return Package(output, model.version)

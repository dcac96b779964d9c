"""The list of erased customers beside every archive of a project, brought up to date."""

from __future__ import annotations

from serving.application.workspace import Workspace
from serving.state.archive import update_lists_beside
from serving.state.backups import known_backups


def update_lists(workspace: Workspace) -> None:
    """Put the suppression list, as hashes, beside every archive that is where it was written."""
    state = workspace.project.state
    if workspace.project.state_url is not None:  # the list lies in the store, with the events
        state.mkdir(parents=True, exist_ok=True)
        workspace.store.erased.copy_to(state)
    update_lists_beside(state, known_backups(workspace.database))

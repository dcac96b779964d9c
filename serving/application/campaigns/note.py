"""Saying what a campaign is for."""

from __future__ import annotations

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.campaign_index import campaign
from serving.state.campaign_notes import LONGEST_NOTE, save_campaign_note


@use_case("draft_campaign")
def note_campaign(workspace: Workspace, actor: Actor, name: str, note: str) -> None:
    """Keep what a campaign is for and over which channel; raises `UsageError` for no campaign."""
    campaign(workspace.database, name)
    if len(note) > LONGEST_NOTE:
        raise UsageError(
            f"cannot keep this note: it has {len(note):,} characters, more than {LONGEST_NOTE}. Shorten it.",
            field="note",
        )
    save_campaign_note(workspace.database, name, note.strip(), actor.name, workspace.clock())

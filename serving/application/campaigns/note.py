"""Saying what a campaign is for."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.campaigns.campaign_index import campaign
from serving.state.campaigns.campaign_notes import checked_campaign_note, save_campaign_note


@use_case("draft_campaign")
def note_campaign(workspace: Workspace, actor: Actor, name: str, note: str) -> None:
    """Keep what a campaign is for and over which channel; raises `UsageError` for no campaign."""
    campaign(workspace.database, name)
    plain = checked_campaign_note(note)
    save_campaign_note(workspace.database, name, plain, actor.name, workspace.clock())

"""Drafting a campaign: its filters and sizes are kept, nobody is assigned and nobody is held back."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.campaign_preview import CampaignDrawing, CampaignPreview
from serving.state.campaigns.campaign_index import new_seed, save_draft
from serving.state.campaigns.campaign_notes import checked_campaign_note, save_campaign_note


@use_case("draft_campaign")
def draft_campaign(
    workspace: Workspace,
    actor: Actor,
    name: str,
    declaration: CampaignDeclaration,
    *,
    dry_run: bool = False,
    note: str = "",
) -> CampaignPreview:
    """What a campaign of this declaration would be; kept under its name, in the place of an earlier draft.

    `note` says what it is for. Raises `UsageError` for a name that was started and a note that is too long,
    and what a start raises; then nothing is kept.
    """
    note = checked_campaign_note(note)
    workspace = workspace.pinned()
    drawing = CampaignDrawing(
        workspace.project, workspace.store, workspace.database, workspace.scores.current(), workspace.clock()
    )
    preview = drawing.preview(name, declaration, actor.name, new_seed())
    if not dry_run:
        save_draft(workspace.database, preview.record)
        if note:
            save_campaign_note(workspace.database, name, note, actor.name, workspace.clock())
    return preview

"""Drafting a campaign: its filters and sizes are kept, nobody is assigned and nobody is held back."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.campaign_preview import CampaignDrawing, CampaignPreview
from serving.state.campaign_index import new_seed, save_draft


@use_case("draft_campaign")
def draft_campaign(
    workspace: Workspace, actor: Actor, name: str, declaration: CampaignDeclaration, *, dry_run: bool = False
) -> CampaignPreview:
    """What a campaign of this declaration would be; kept under its name, in the place of an earlier draft.

    Raises `UsageError` for a name that was started, and what a start raises.
    """
    workspace = workspace.pinned()
    drawing = CampaignDrawing(
        workspace.project, workspace.store, workspace.database, workspace.scores.current(), workspace.clock()
    )
    preview = drawing.preview(name, declaration, actor.name, new_seed())
    if not dry_run:
        save_draft(workspace.database, preview.record)
    return preview

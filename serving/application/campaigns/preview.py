"""A campaign as it would be drawn now, fast enough to be shown while somebody types."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.campaign_preview import CampaignDrawing, CampaignPreview, declared
from serving.lists.drawing_memory import DrawingMemory
from serving.state.campaigns.campaign_index import DRAFT, campaign, new_seed

UNNAMED = "campaign"
"""What a preview is called that has no name yet."""


@use_case("draft_campaign")
def preview_campaign(
    workspace: Workspace, actor: Actor, declaration: CampaignDeclaration, name: str = ""
) -> CampaignPreview:
    """What a campaign of this declaration would be; nothing is kept. A name is not needed yet.

    The first preview of a process reads the store, later ones what has changed in it. Raises `UsageError` and
    `DataError` for what cannot be drawn.
    """
    return _preview(workspace, actor, declaration, name or UNNAMED)


@use_case("draft_campaign")
def preview_draft(workspace: Workspace, actor: Actor, name: str) -> CampaignPreview:
    """What a draft would be if it were started now; raises `UsageError` for what is no draft."""
    record = campaign(workspace.database, name)
    if record.state != DRAFT:
        raise UsageError(
            f"cannot start the campaign '{name}': it is no draft any more. Look at what became of it.",
            field="name",
        )
    return _preview(workspace, actor, declared(record), name)


def _preview(
    workspace: Workspace, actor: Actor, declaration: CampaignDeclaration, name: str
) -> CampaignPreview:
    workspace = workspace.pinned()
    drawing = CampaignDrawing(
        workspace.project,
        workspace.store,
        workspace.database,
        workspace.scores.current(),
        workspace.clock(),
        _memory(workspace.project.state),
    )
    return drawing.preview(name, declaration, actor.name, new_seed())


@cache
def _memory(_: Path) -> DrawingMemory:
    """What this process knows of a project."""
    return DrawingMemory()

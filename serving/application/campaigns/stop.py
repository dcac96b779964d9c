"""Stopping a campaign: its control group is held back no longer."""

from __future__ import annotations

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.campaigns.campaign_index import CampaignRecord, save_stop


@use_case("start_campaign")
def stop_campaign(workspace: Workspace, actor: Actor, name: str) -> CampaignRecord:
    """End the hold of a campaign. Its assignment and its review dates stay.

    Raises `UsageError` for a campaign that does not run.
    """
    return save_stop(workspace.database, name, actor.name, workspace.clock())

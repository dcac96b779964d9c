"""The shop with a campaign that was started four months before its record ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from serving.application.campaigns.start import start_campaign
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from tests.serving import shop

START, NOW = "2024-10-01", "2025-02-04"
"""The start of the campaign, and the end of the shop's record."""


def at(place: Workspace, day: str) -> Workspace:
    """The same project at another moment."""
    instant = place.project.timeline.instant(day)
    return replace(place, clock=lambda: instant)


def start_spring(folder: Path) -> None:
    """Score as of the start and draw half of everybody as the control group."""
    shop.score_all(folder, folder / "bundle", dates=(START,))
    project = CliContext(folder).project
    place = at(open_workspace(project, lambda: 0), START)
    declaration = CampaignDeclaration(
        ListFilter(limit=1_000), control_share=0.5, segments=("plan",), hold_days=60
    )
    with place.database:
        start_campaign(place, COMMAND_LINE, "spring", declaration, accept_few=True, seed=7)

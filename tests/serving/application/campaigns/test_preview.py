"""Tests of what is told of a campaign before it is started: its planned channels and one of them alone."""

from __future__ import annotations

from pathlib import Path

from serving.application.campaigns.preview import preview_campaign
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter


def test_the_planned_channels_are_counted_and_one_can_be_taken_alone(planned_shop: Path) -> None:
    declared = CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5, hold_days=30)
    with CliContext(planned_shop).workspace() as place:
        preview = preview_campaign(place, COMMAND_LINE, declared)
        assert preview.channels
        assert sum(preview.channels.values()) <= preview.record.treatment + preview.record.control
        name, count = max(preview.channels.items(), key=lambda one: one[1])
        one_channel = ListFilter(channels=(name,), limit=1_000)
        alone = preview_campaign(place, COMMAND_LINE, CampaignDeclaration(one_channel, control_share=0.5))
    assert alone.channels == {name: count}


def test_without_a_plan_no_channel_is_named(scored_shop: Path) -> None:
    declared = CampaignDeclaration(ListFilter(limit=100), control_share=0.5)
    with CliContext(scored_shop).workspace() as place:
        assert preview_campaign(place, COMMAND_LINE, declared).channels == {}

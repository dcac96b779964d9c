"""Tests of what is told of a campaign before it is started: its planned channels and one of them alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from serving.application.campaigns.preview import preview_campaign
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.presentation.messages.catalog import translated


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


def test_scores_of_old_data_are_said_before_a_campaign_is_drawn_from_them(scored_shop: Path) -> None:
    declared = CampaignDeclaration(ListFilter(limit=100), control_share=0.5)
    with CliContext(scored_shop).workspace() as place:
        for day, ended in (("2025-02-08", ""), ("2026-02-01", "2025-01-31, 365 days ago")):
            instant = place.project.timeline.instant(day)
            preview = preview_campaign(replace(place, clock=partial(int, instant)), COMMAND_LINE, declared)
            assert len(preview.warnings) == bool(ended)
            for warning in preview.warnings:
                assert f"The data behind the scores end on {ended}" in warning
                assert "スコアのもとになるデータは" in translated(warning, "ja")


def test_without_a_plan_no_channel_is_named(scored_shop: Path) -> None:
    declared = CampaignDeclaration(ListFilter(limit=100), control_share=0.5)
    with CliContext(scored_shop).workspace() as place:
        assert preview_campaign(place, COMMAND_LINE, declared).channels == {}

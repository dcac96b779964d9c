"""The campaigns as they are recorded, each with its last computed report; nothing is computed."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.schemas.campaign_responses import (
    CampaignReport,
    CampaignResultReply,
    CampaignsReply,
    StoredCampaignReply,
)
from serving.state.campaign_index import CampaignRecord, campaign, campaigns, newest_result


@use_case("read_report")
def stored_campaigns(workspace: Workspace, actor: Actor) -> CampaignsReply:
    """Every campaign, the newest first."""
    workspace.record_access(actor.name, "campaigns", NOBODY)
    return CampaignsReply([_reply(workspace, record) for record in campaigns(workspace.database)])


@use_case("read_report")
def stored_campaign(workspace: Workspace, actor: Actor, name: str) -> CampaignResultReply:
    """A campaign with its last computed report, which says of which day it is; None before the first.

    Raises `UnknownCampaign` where there is none of this name.
    """
    workspace.record_access(actor.name, "campaign", NOBODY)
    record = campaign(workspace.database, name)
    result = newest_result(workspace.database, name)
    report = None if result is None or record.source == "table" else _shape().validate_json(result.report)
    return CampaignResultReply(_reply(workspace, record), report)


@cache
def _shape() -> TypeAdapter[CampaignReport]:
    return TypeAdapter(CampaignReport)


def _reply(workspace: Workspace, record: CampaignRecord) -> StoredCampaignReply:
    timeline = workspace.project.timeline
    result = newest_result(workspace.database, record.name)

    def moment(instant: int | None) -> str | None:
        return None if instant is None else timeline.local(instant).isoformat(timespec="seconds")

    return StoredCampaignReply(
        name=record.name,
        state=record.state,
        source=record.source,
        created_at=moment(record.created_at) or "",
        started_at=moment(record.started_at),
        hold_until=moment(record.hold_until),
        stopped_at=moment(record.stopped_at),
        control_share=record.control_share,
        hold_days=record.hold_days,
        review_months=list(record.review_months),
        touch_models=list(record.touch_models),
        segments=list(record.segments),
        treatment=record.treatment,
        control=record.control,
        who=record.who,
        computed_at=None if result is None else moment(result.computed_at),
    )

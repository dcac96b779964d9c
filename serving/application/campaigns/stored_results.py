"""The campaigns as they are recorded, each with its last computed report; nothing is computed."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.schemas.campaign_responses import (
    CampaignReport,
    CampaignsReply,
    StoredCampaignReply,
)
from serving.schemas.campaign_results import CampaignResultReply, GlobalResultReply, LoadedCampaignReply
from serving.state.campaigns.campaign_index import (
    EVERYTHING,
    LOADED,
    CampaignRecord,
    campaign,
    campaigns,
    newest_result,
)


@use_case("read_report")
def stored_campaigns(workspace: Workspace, actor: Actor) -> CampaignsReply:
    """Every campaign, the newest first."""
    workspace.record_access(actor.name, "campaigns", NOBODY)
    return CampaignsReply([_reply(workspace, record) for record in campaigns(workspace.database)])


@use_case("read_report")
def stored_campaign(workspace: Workspace, actor: Actor, name: str) -> CampaignResultReply:
    """A campaign with its last computed report, which says of which day it is; None before the first.

    One that was run elsewhere has the result of its table (`loaded`) in the place of a report.

    Raises `UnknownCampaign` where there is none of this name.
    """
    workspace.record_access(actor.name, "campaign", NOBODY)
    record = campaign(workspace.database, name)
    result = newest_result(workspace.database, name)
    reply = _reply(workspace, record)
    if result is None:
        return CampaignResultReply(reply)
    if record.state == LOADED:
        return CampaignResultReply(reply, loaded=_loaded_shape().validate_json(result.report))
    return CampaignResultReply(reply, _shape().validate_json(result.report))


@use_case("read_report")
def loaded_result(workspace: Workspace, actor: Actor, name: str) -> LoadedCampaignReply | None:
    """The result of a campaign that was run elsewhere; None for one of this project.

    Raises `UnknownCampaign` where there is none of this name.
    """
    return stored_campaign(workspace, actor, name).loaded


@use_case("read_report")
def stored_global_result(workspace: Workspace, actor: Actor) -> GlobalResultReply:
    """The last computed report on the standing control group, which says of which day it is."""
    workspace.record_access(actor.name, "campaign", NOBODY)
    result = newest_result(workspace.database, EVERYTHING)
    return GlobalResultReply(None if result is None else _shape().validate_json(result.report))


@cache
def _shape() -> TypeAdapter[CampaignReport]:
    return TypeAdapter(CampaignReport)


@cache
def _loaded_shape() -> TypeAdapter[LoadedCampaignReply]:
    return TypeAdapter(LoadedCampaignReply)


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

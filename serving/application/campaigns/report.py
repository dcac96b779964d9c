"""What a campaign did: effects by intention to treat at every review date that the data reach."""

from __future__ import annotations

from collections.abc import Sequence

from serving.application.campaigns.evaluation import CampaignEvaluation
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Progress, Workspace
from serving.schemas.campaign_responses import CampaignReport
from serving.schemas.json_text import to_json
from serving.state.campaigns.campaign_index import DRAFT, STOPPED, campaign, missing_assignment, save_result


@use_case("read_report")
def campaign_report(
    workspace: Workspace,
    actor: Actor,
    name: str,
    *,
    by: Sequence[str] = (),
    progress: Progress | None = None,
) -> CampaignReport:
    """Compute the report of a started campaign and keep it as its newest result.

    `by` names attributes by which the effect is told besides, as exploratory ones. Raises `UsageError` for no
    such campaign or attribute, `DataError` for a draft, and where the assignment cannot be read.
    """
    workspace.record_access(actor.name, "campaign report", NOBODY)
    workspace = workspace.pinned()
    record = campaign(workspace.database, name)
    if record.state == DRAFT or record.started_at is None or record.hold_until is None:
        raise missing_assignment(name, record.state)
    found = CampaignEvaluation.open(workspace, record, record.started_at)
    hold_ends = record.hold_until if record.state != STOPPED else record.stopped_at or 0
    report = found.report(by, min(hold_ends, record.hold_until), progress)
    if not by:
        save_result(workspace.database, name, to_json(report), workspace.clock())
    return report

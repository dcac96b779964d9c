"""Computing the effect of every campaign that reached a review date, once for each date."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.campaigns.report import campaign_report
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.experiments.review_dates import campaign_review_due
from serving.state.campaigns.campaign_index import campaigns


@dataclass(frozen=True)
class ReviewedCampaigns:
    """The campaigns whose effect was computed now, and why that of others could not be."""

    reviewed: tuple[str, ...]
    ahead: tuple[str, ...]
    """One sentence for each campaign whose review date came while the data do not reach it yet."""


@use_case("run")
def review_campaigns(
    workspace: Workspace, actor: Actor, progress: Progress | None = None
) -> ReviewedCampaigns:
    """Compute the report of each campaign with a review date of which none was computed since.

    Twice computes nothing twice. A date that the data do not reach yet waits for them.
    """
    now, timeline, database = workspace.clock(), workspace.project.timeline, workspace.database
    due = {
        one.name: at
        for one in campaigns(database)
        if (at := campaign_review_due(database, one, timeline, now)) is not None
    }
    if not due:
        return ReviewedCampaigns((), ())
    coverage = workspace.coverage(now)
    reached = now if coverage is None else min(coverage.rest_day_after, now)
    reviewed, ahead = [], []
    for name, at in due.items():
        if at > reached:
            day = timeline.local(at).date()
            ahead.append(f"campaign '{name}' has its review on {day}, which the events do not reach yet")
            continue
        campaign_report(workspace, actor, name, progress=progress)
        reviewed.append(name)
    return ReviewedCampaigns(tuple(reviewed), tuple(ahead))

"""All campaigns at a glance: state, arms, dates, and what the last computed report says of retention."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.experiments.campaign_file import load
from serving.experiments.held_back import assignment_file
from serving.experiments.review_dates import due_review, review_dates
from serving.experiments.visible_effects import VisibleEffect, visible_effects
from serving.schemas.campaign_responses import CampaignReport, OutcomeEffect, ReviewResult
from serving.state.campaigns.campaign_index import LOADED, CampaignRecord, campaign, campaigns, newest_result
from serving.state.campaigns.campaign_notes import campaign_notes
from training.labels.settings import Churn

RETAINED = "retained"


@dataclass(frozen=True)
class ReviewDate:
    """A declared review date. Microseconds UTC."""

    months: int
    date: int
    is_past: bool
    """Whether the day has come; whether the data reach it the report says."""


@dataclass(frozen=True)
class CampaignOverview:
    """A campaign and its last computed report, if there is one."""

    record: CampaignRecord
    note: str
    holds_back: bool
    """Whether its control group is held back now."""
    hold_ends: int | None
    """When the hold ends or ended; None for one that never held."""
    dates: tuple[ReviewDate, ...]
    effects: tuple[VisibleEffect, ...]
    """What its arms can show at every review date; empty in a list of campaigns, and before the start."""
    computed_at: int | None
    report: CampaignReport | None
    """None before the first, and for one that was run elsewhere."""

    @property
    def next_review(self) -> ReviewDate | None:
        """The first review date that has not come yet."""
        return next((one for one in self.dates if not one.is_past), None)

    @property
    def newest_review(self) -> ReviewResult | None:
        """The last review date that the report reached."""
        return self.report.reviews[-1] if self.report is not None and self.report.reviews else None

    @property
    def retained(self) -> OutcomeEffect | None:
        """The effect on retention at that date."""
        effects = [] if self.newest_review is None else self.newest_review.effects
        return next((one for one in effects if one.outcome == RETAINED), None)

    @property
    def cost(self) -> float | None:
        """What its contacts cost by that date, as far as is known."""
        gain = None if self.newest_review is None else self.newest_review.gain
        return None if gain is None else gain.cost

    @property
    def due(self) -> ReviewDate | None:
        """The newest review date that has come since the report was computed."""
        due = due_review([one.date for one in self.dates if one.is_past], self.computed_at)
        return next((one for one in self.dates if one.date == due), None)


@use_case("read_report")
def campaign_overviews(workspace: Workspace, actor: Actor) -> tuple[CampaignOverview, ...]:
    """Every campaign, the newest first."""
    workspace.record_access(actor.name, "campaigns", NOBODY)
    notes = campaign_notes(workspace.database)
    return tuple(_overview(workspace, record, notes) for record in campaigns(workspace.database))


@use_case("read_report")
def campaign_overview(workspace: Workspace, actor: Actor, name: str) -> CampaignOverview:
    """One campaign; raises `UnknownCampaign` where there is none of this name."""
    workspace.record_access(actor.name, "campaign", NOBODY)
    record = campaign(workspace.database, name)
    seen = _overview(workspace, record, campaign_notes(workspace.database))
    return replace(seen, effects=_effects(workspace, seen))


def _effects(workspace: Workspace, seen: CampaignOverview) -> tuple[VisibleEffect, ...]:
    """The smallest effects that the arms show, from what was known of them on the day of the start."""
    record, started_at = seen.record, seen.record.started_at
    if started_at is None or not record.file or not seen.dates:
        return ()
    file = assignment_file(workspace.project, record)
    try:
        state = file.stat()
        changed = state.st_mtime_ns, state.st_size
    except OSError:
        changed = 0, 0  # `load` says what is wrong with it
    dates = tuple((one.months, one.date) for one in seen.dates)
    return _effects_of_file(file, changed, workspace.project.churn, started_at, dates, seen.hold_ends)


@lru_cache(maxsize=64)
def _effects_of_file(
    file: Path,
    _changed: tuple[int, int],
    churn: Churn,
    started_at: int,
    dates: tuple[tuple[int, int], ...],
    hold_ends: int | None,
) -> tuple[VisibleEffect, ...]:
    """The same for every visitor: an assignment file changes only when customers are erased."""
    assignment = load(file)
    spend = assignment.floats("past_spend")
    return visible_effects(
        (len(assignment.treated), len(assignment.control)),
        assignment.floats("churn_probability"),
        spend if np.nan_to_num(spend).any() else None,
        churn,
        started_at,
        dict(dates),
        hold_ends,
    )


def _overview(workspace: Workspace, record: CampaignRecord, notes: dict[str, str]) -> CampaignOverview:
    now = workspace.clock()
    dates: tuple[ReviewDate, ...] = ()
    if record.started_at is not None and record.state != LOADED:
        found = review_dates(record.started_at, record.review_months, workspace.project.timeline)
        dates = tuple(ReviewDate(months, date, date <= now) for months, date in found.items())
    result = newest_result(workspace.database, record.name)
    return CampaignOverview(
        record,
        notes.get(record.name, ""),
        record.holds_back(now),
        record.hold_until if record.stopped_at is None else record.stopped_at,
        dates,
        (),
        None if result is None else result.computed_at,
        None if result is None or record.state == LOADED else _report(result.report),
    )


@lru_cache(maxsize=64)
def _report(text: str) -> CampaignReport:
    """A stored report; its JSON is large, and the same for every visitor."""
    return TypeAdapter(CampaignReport).validate_json(text)

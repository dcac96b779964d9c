"""The campaigns of a project, and the check that one's assignment can be drawn again from its record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.errors import DataError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.assignment import assign_arms, risk_deciles, strata
from serving.experiments.campaign_file import Assignment, load
from serving.experiments.held_back import assignment_file
from serving.state.campaigns.campaign_index import (
    CampaignRecord,
    campaign,
    campaigns,
    missing_assignment,
)
from serving.state.scores import score_file


@dataclass(frozen=True, eq=False)
class StoredCampaign:
    """A campaign as it is kept."""

    record: CampaignRecord
    assignment: Assignment | None
    """None for a draft, and for one that was run elsewhere."""


@dataclass(frozen=True)
class AssignmentReplay:
    """An assignment drawn again from its record, compared with the file."""

    customers: int
    different: int
    """Customers whose arm the record does not give; 0 unless the file was tampered with."""
    erased: int
    """Customers who were erased since: without them the rounding of their strata can move."""


@use_case("read_report")
def list_campaigns(workspace: Workspace, actor: Actor) -> list[CampaignRecord]:
    """Every campaign, the newest first."""
    return campaigns(workspace.database)


@use_case("read_report")
def read_campaign(workspace: Workspace, actor: Actor, name: str) -> StoredCampaign:
    """One campaign with its assignment, which names customers by key; raises `UsageError` for no campaign."""
    record = campaign(workspace.database, name)
    return StoredCampaign(record, load(assignment_file(workspace.project, record)) if record.file else None)


@use_case("analyse")
def replay_assignment(workspace: Workspace, actor: Actor, name: str) -> AssignmentReplay:
    """Draw a campaign's arms again from its record (seed, share, scores) and compare them with its file.

    Raises `DataError` where the scores of its start are not kept any more.
    """
    record = campaign(workspace.database, name)
    if not record.file:
        raise missing_assignment(name, record.state)
    assignment = load(assignment_file(workspace.project, record))
    file = workspace.project.scores / record.score_file
    if not file.is_file():
        raise DataError(
            f"cannot replay the campaign '{name}': the scores that it was drawn from are not kept any more."
        )
    scores = score_file.load(file)
    rows = scores.rows(assignment.keys)
    known = rows[rows >= 0]
    answers = scores.answers
    decile = risk_deciles(answers.churn_probability[known])
    stratum = strata(decile, answers.tier[known], len(scores.facts.tiers))
    arm = assign_arms(answers.key[known], stratum, record.control_share, int(record.seed, 16))
    different = int((arm != assignment.arm[rows >= 0]).sum()) + int((rows < 0).sum())
    return AssignmentReplay(len(assignment), different, int(np.sum(list(assignment.facts.erased.values()))))

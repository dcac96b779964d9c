"""The scores in use in a few numbers, and customers by behaviour and attitude."""

from __future__ import annotations

from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.score_summary import AttitudeCell, ScoreSummary, attitude_cells, score_summary
from serving.schemas.responses import Provenance


@dataclass(frozen=True)
class ScoreOverview:
    """Where the scores came from, and what they say of everybody together."""

    provenance: Provenance
    scored_at: int
    """Microseconds UTC."""
    summary: ScoreSummary


@use_case("read_report")
def score_overview(workspace: Workspace, actor: Actor) -> ScoreOverview:
    """Tiers, moves between them and value at risk; raises `ModelError` before anything was scored."""
    reader = workspace.scores.current()
    capacity = workspace.project.settings.capacity.contacts
    return ScoreOverview(reader.provenance, reader.scores.facts.scored_at, score_summary(reader, capacity))


@use_case("read_report")
def behaviour_by_attitude(workspace: Workspace, actor: Actor) -> tuple[AttitudeCell, ...]:
    """How many customers of the list each tier and attitude has, as the filters `tiers` and `attitudes` give.

    Empty where `kizuna plan` has not been run for the scores; raises `ModelError` before anything was scored.
    """
    return attitude_cells(workspace.scores.current())

"""Who is drawn for a campaign: the list or the plan, without those who may not be in it, with their arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.actions.contact_state import ContactState
from serving.actions.plan_file import StoredPlan
from serving.experiments.assignment import assign_arms, risk_deciles, strata
from serving.experiments.baseline import BaselineCovariates
from serving.experiments.campaign_file import Assignment, AssignmentFacts
from serving.lists.filters import ListFilter, Rows
from serving.lists.ranking import at_risk, plan_rows
from serving.lists.score_reader import ScoreReader
from serving.schemas.terms import NO_RULE, PLANNED

CampaignSource = Literal["list", "plan"]


@dataclass(frozen=True)
class CampaignDeclaration:
    """What is laid down before anybody is drawn; None stands for the project's setting."""

    choice: ListFilter
    source: CampaignSource = "list"
    control_share: float | None = None
    hold_days: int | None = None
    review_months: tuple[int, ...] | None = None
    segments: tuple[str, ...] = ()
    """Attributes by which the effect will be reported."""
    overlap: bool = False
    """Whether the treated of another running campaign are taken too."""
    channel: str = ""
    """The channel that its customers are contacted over: who refuses it is not drawn. Empty where
    the filter's counts if it names one, else where none is known."""


@dataclass(frozen=True, eq=False)
class Exclusions:
    """Who may not be drawn, as of now: functions of customer keys."""

    contacts: ContactState
    global_control: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
    controls: NDArray[np.int64]
    """The control customers of other running campaigns."""
    treated: NDArray[np.int64]
    """The treated of other running campaigns."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The customers to be drawn, as rows of the scores in the order of the list."""

    rows: Rows
    left_out: Mapping[str, int]
    """Customers of the list who may not be drawn, by reason."""


def candidates(
    reader: ScoreReader, declaration: CampaignDeclaration, exclusions: Exclusions, limit: int
) -> Candidates:
    """The first customers of the list or the plan who may be contacted now and are in no other campaign."""
    rows = _listed(reader, declaration)
    keys = reader.scores.answers.key[rows]
    free = np.ones(len(rows), np.bool_)
    left_out = {}
    reasons = {
        "erased": reader.customers.names(keys).is_null().to_numpy(zero_copy_only=False),
        "do_not_contact": exclusions.contacts.refuse(keys, declaration.channel),
        "global_control": exclusions.global_control(keys),
        "control_elsewhere": np.isin(keys, exclusions.controls),
        "in_another_campaign": np.isin(keys, exclusions.treated) & (not declaration.overlap),
    }
    for reason, found in reasons.items():
        left_out[reason] = int((free & found).sum())
        free &= ~found
    return Candidates(rows[free][:limit], left_out)


def draw(
    reader: ScoreReader,
    rows: Rows,
    baseline: BaselineCovariates,
    declaration: CampaignDeclaration,
    name: str,
    control_share: float,
    seed: int,
) -> Assignment:
    """Assign the customers of these rows to the arms, with what is known of each now."""
    answers, facts = reader.scores.answers, reader.scores.facts
    key, probability, tier = answers.key[rows], answers.churn_probability[rows], answers.tier[rows]
    decile = risk_deciles(probability)
    stratum = strata(decile, tier, len(facts.tiers))
    columns: dict[str, NDArray[np.generic]] = {
        "key": key,
        "arm": assign_arms(key, stratum, control_share, seed),
        "stratum": stratum,
        "risk_decile": decile,
        "churn_probability": probability,
        "expected_value": answers.expected_value[rows],
        "value_at_risk": answers.value_at_risk[rows],
        "tier": tier,
        "tenure_days": baseline.tenure_days,
        "past_spend": baseline.past_spend,
    }
    segments = {name: reader.scores.attribute(name, rows) for name in declaration.segments}
    return Assignment.of(
        columns,
        AssignmentFacts(name, facts.tiers, declaration.segments),
        _touch_models(reader.plan, key),
        segments,
    )


def require_segments(reader: ScoreReader, segments: tuple[str, ...]) -> None:
    """Refuse a declared attribute that the scores do not have."""
    known = reader.scores.facts.attributes
    for name in segments:
        if name not in known:
            there = f"There are {', '.join(sorted(known)[:20])}" if known else "The scores have none"
            raise UsageError(
                f"cannot report by the attribute '{name}': the scores do not have it. {there}.", field="by"
            )


def _listed(reader: ScoreReader, declaration: CampaignDeclaration) -> Rows:
    everyone = declaration.choice.model_copy(update={"limit": None})
    if declaration.source == "list":
        return at_risk(reader.scores, everyone, reader.subjects, reader.plan)
    if reader.plan is None:
        raise UsageError(
            "cannot draw from the plan: no plan was made for these scores. Run `kizuna plan` first, or "
            "leave --plan out.",
            field="plan",
        )
    rows = plan_rows(reader.scores, everyone, reader.subjects, reader.plan)
    planned = rows[reader.plan.table.column("outcome").to_numpy()[rows] == PLANNED]
    return reader.scores.rows(reader.plan.keys[planned])


def _touch_models(plan: StoredPlan | None, keys: NDArray[np.int64]) -> list[str | None]:
    """The touch model that the plan has in mind for each customer."""
    if plan is None:
        return [None] * len(keys)
    of_rule = [*(rule.touch for rule in plan.playbook.rules), None]
    rows = plan.rows(keys)
    rule = np.append(plan.table.column("rule").to_numpy(), NO_RULE)[rows]
    outcome = np.append(plan.table.column("outcome").to_numpy(), PLANNED)[rows]
    return [of_rule[number] for number in np.where(outcome == PLANNED, rule, -1).tolist()]

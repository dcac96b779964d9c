"""The effect of everything together: all customers against the standing control group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import DataError, UsageError
from serving.application.campaigns.evaluation import CampaignEvaluation
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Progress, Workspace
from serving.experiments.assignment import CONTROL, TREATMENT, risk_deciles, strata
from serving.experiments.baseline import baseline_covariates
from serving.experiments.campaign_file import Assignment, AssignmentFacts
from serving.experiments.held_back import HeldBackCustomers, global_control_group
from serving.schemas.campaign_responses import CampaignReport
from serving.schemas.json_text import to_json
from serving.state.campaigns.campaign_index import EVERYTHING, CampaignRecord, save_result
from serving.state.remote.state_files import fetch
from serving.state.scores.score_file import Scores
from serving.state.scores.score_file import load as load_scores
from serving.state.scores.score_index import scores_before

NAME = "standing control group"
"""What its report is called; no campaign is, as the name is no detail of a contact."""


@use_case("read_report")
def global_report(
    workspace: Workspace,
    actor: Actor,
    since: str,
    *,
    by: Sequence[str] = (),
    progress: Progress | None = None,
) -> CampaignReport:
    """Compare whoever could leave at a date with those of them in the standing control group.

    The date is that of the newest scores at or before `since`; the control group must have been kept since
    then. The report is kept as the newest result, unless groups were asked for with `by`. Raises
    `UsageError` without a standing control group, `DataError` without scores that are as old.
    """
    workspace.record_access(actor.name, "campaign report", NOBODY)
    workspace = workspace.pinned()
    project, database = workspace.project, workspace.database
    standing = global_control_group(database, project)
    if not standing.anybody:
        raise UsageError(
            "cannot report on the standing control group: there is none. Set `[campaigns] global_control` in "
            'kizuna.toml, such as "2%".',
            field="global",
        )
    row = scores_before(database, workspace.instant(since) + 1)
    if row is None or not fetch(project.scores / row.file).is_file():
        raise DataError(
            f"cannot report since {since}: there are no scores of that day or before. Score that day with "
            f"`kizuna score --as-of {since}`, or give a later one."
        )
    scores = load_scores(project.scores / row.file)
    assignment = _assignment(workspace, scores, standing)
    settings = project.settings.campaigns
    record = CampaignRecord(
        name=NAME,
        state="running",
        source="list",
        filters="{}",
        control_share=standing.global_control,
        hold_days=0,
        review_months=settings.review_months,
        touch_models=(),
        segments=(),
        overlap=True,
        who=actor.name,
        created_at=row.as_of,
        score_file=row.file,
        model_version=row.model_version,
        as_of=row.as_of,
    )
    found = CampaignEvaluation.of(workspace, record, row.as_of, assignment, every_contact=True)
    report = found.report(by, max(found.until, row.as_of), progress)
    if not by:
        save_result(database, EVERYTHING, to_json(report), workspace.clock())
    return report


def _assignment(workspace: Workspace, scores: Scores, standing: HeldBackCustomers) -> Assignment:
    """The cohort of some scores, with the arm that each customer's hash says."""
    answers, facts = scores.answers, scores.facts
    rows = scores.cohort[
        ~np.isin(answers.key[scores.cohort], workspace.store.customers.aliases.keys_out_of_use)
    ]
    keys = answers.key[rows]
    decile = risk_deciles(answers.churn_probability[rows])
    churn, engine = workspace.project.churn, workspace.engine
    baseline = baseline_covariates(workspace.store, churn, keys, facts.as_of, engine=engine)
    columns: dict[str, NDArray[np.generic]] = {
        "key": keys,
        "arm": np.where(standing.globally(keys), CONTROL, TREATMENT).astype(np.int8),
        "stratum": strata(decile, answers.tier[rows], len(facts.tiers)),
        "risk_decile": decile,
        "churn_probability": answers.churn_probability[rows],
        "expected_value": answers.expected_value[rows],
        "value_at_risk": answers.value_at_risk[rows],
        "tier": answers.tier[rows],
        "tenure_days": baseline.tenure_days,
        "past_spend": baseline.past_spend,
    }
    nobody: dict[str, pa.Array] = {}
    return Assignment.of(columns, AssignmentFacts(NAME, facts.tiers), [None] * len(keys), nobody)

"""Learning from campaigns whom contact helps: uplift models, judged and logged in MLflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from features.errors import DataError, UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.experiments.held_back import assignment_today
from serving.experiments.outcomes import OUTCOMES, OutcomeRules, campaign_outcomes
from serving.experiments.review_dates import review_dates
from serving.experiments.uplift_rows import (
    CampaignCustomers,
    LearnedUplift,
    ModelInUse,
    UpliftRows,
    uplift_rows,
)
from serving.integrations.training import tracking
from serving.schemas.json_text import to_json
from serving.schemas.terms import months_words
from serving.state.campaigns.campaign_index import CampaignRecord, campaign, campaigns, missing_assignment
from serving.state.campaigns.uplift_index import (
    UpliftFacts,
    UpliftRecord,
    save_texts,
    take_out_of_use,
    uplift_in_use,
    use_uplift,
)
from training.causal.uplift_evidence import UpliftAssessment, assess_uplift
from training.causal.uplift_metrics import UpliftDecile, qini_curve, uplift_by_decile
from training.causal.uplift_models import UpliftParameters, fit_uplift
from training.causal.uplift_text import StoredUplift, to_texts
from training.registry.mlflow_tracking import Run
from training.registry.uplift_plots import decile_figure, qini_figure

LEARNABLE = tuple(name for name in OUTCOMES if name != "tier")
"""The tier at a date needs the model of that time, and is no whole number of anything."""


@use_case("run")
def learn_uplift(
    workspace: Workspace,
    actor: Actor,
    names: Sequence[str] = (),
    *,
    outcome: str = "retained",
    months: int | None = None,
    progress: Progress | None = None,
) -> LearnedUplift:
    """Fit the uplift models to campaigns, judge them, and log figures, curves and model in MLflow.

    With evidence the model comes into use: the scores of later as-of dates have an uplift. Without evidence a
    model of the same outcome that was in use is taken out of use.

    Without names, all campaigns count that reached the review date: `months` after the start, by default the
    last that every one of them has reached. Raises `UsageError` for unknown campaigns and outcomes,
    `DataError` where no campaign has reached a date.
    """
    if outcome not in LEARNABLE:
        raise UsageError(
            f"cannot learn whom contact helps on '{outcome}': there is no such outcome. "
            f"Use one of {', '.join(LEARNABLE)}.",
            field="outcome",
        )
    workspace = workspace.pinned()
    chosen, until = _reached(workspace, names, months)
    month = min(max(reached) for _, reached in chosen) if months is None else months
    groups = []
    for place, (record, reached) in enumerate(chosen):
        if progress is not None:
            progress("outcomes", place / len(chosen))
        groups.append(_customers(workspace, record, outcome, reached[month]))
    rows = uplift_rows(groups)
    if progress is not None:
        progress("uplift models", 0.0)
    found = assess_uplift(rows.features, rows.treated, rows.outcome, rows.probability)
    deciles = uplift_by_decile(found.scores.uplift, found.treated, found.outcome) if found.scores else ()
    learned = tuple(record.name for record, _ in chosen)
    with tracking(workspace.project).run(f"uplift of {outcome} at {months_words(month, 'en')}") as run:
        model = _log(run, learned, outcome, month, rows, found, deciles)
    effect: ModelInUse
    if found.used and model is not None and found.intervals is not None:
        qini, book = found.intervals, model.book
        facts = UpliftFacts(
            outcome=outcome,
            months=month,
            campaigns=learned,
            known_from=until,
            features=(*book.numbers, *(text.name for text in book.texts)),
            tiers=groups[-1].assignment.facts.tiers,
            churn=json.dumps(workspace.project.churn.to_json()),
            qini=qini.qini,
            low=qini.low,
            high=qini.high,
            run=run.id,
        )
        fingerprint = save_texts(workspace.project.state, to_texts(model))
        use_uplift(workspace.database, UpliftRecord(fingerprint, facts, workspace.clock(), actor.name))
        effect = "used"
    else:
        effect = _without_evidence(workspace, actor, outcome)
    return LearnedUplift(learned, outcome, month, found, deciles, run.id, effect)


@use_case("run")
def stop_using_uplift(workspace: Workspace, actor: Actor) -> UpliftRecord:
    """Take the uplift model out of use and say which it was: later scores have no uplift.

    Raises `UsageError` where none is in use.
    """
    record = uplift_in_use(workspace.database)
    if record is None:
        raise UsageError(
            "cannot take the uplift model out of use: none is in use. `kizuna campaign learn` puts one "
            "in use where there is evidence."
        )
    take_out_of_use(workspace.database, actor.name, workspace.clock())
    return record


def _without_evidence(workspace: Workspace, actor: Actor, outcome: str) -> ModelInUse:
    """Take a model of this outcome out of use; one of another outcome was not judged, and stays."""
    record = uplift_in_use(workspace.database)
    if record is None:
        return "none"
    if record.facts.outcome != outcome:
        return "other_outcome"
    take_out_of_use(workspace.database, actor.name, workspace.clock())
    return "taken_out"


def _reached(
    workspace: Workspace, names: Sequence[str], months: int | None
) -> tuple[list[tuple[CampaignRecord, dict[int, int]]], int]:
    """The campaigns to learn from, the earliest first, with the review dates that each has reached; and the
    as-of date of the data.
    """
    project, now = workspace.project, workspace.clock()
    coverage = workspace.coverage(now)
    until = now if coverage is None else coverage.as_of(now)
    known = [campaign(workspace.database, name) for name in dict.fromkeys(names)]
    chosen = []
    for record in known or campaigns(workspace.database)[::-1]:
        if record.started_at is None or not record.file:
            if names:
                raise missing_assignment(record.name, record.state)
            continue
        wanted = record.review_months if months is None else (months,)
        dates = review_dates(record.started_at, wanted, project.timeline)
        reached = {month: date for month, date in dates.items() if date <= until}
        if reached:
            chosen.append((record, reached))
        elif names:
            when = project.timeline.name(min(dates.values()))
            raise DataError(
                f"cannot learn from the campaign '{record.name}': its review date {when} is not reached. "
                "Learn from it after that, or ingest the events until then."
            )
    if months is None and chosen:  # a month that every one of them has reached
        common = set.intersection(*(set(reached) for _, reached in chosen))
        if not common:
            raise DataError(
                "cannot learn from these campaigns together: no review date was reached by all. "
                "Name fewer of them, or a date with --months."
            )
        chosen = [(record, {month: reached[month] for month in common}) for record, reached in chosen]
    if not chosen:
        raise DataError(
            "cannot learn whom contact helps: no campaign has reached a review date. "
            "See `kizuna campaign list`."
        )
    return chosen, until


def _customers(workspace: Workspace, record: CampaignRecord, outcome: str, date: int) -> CampaignCustomers:
    project, store = workspace.project, workspace.store
    assignment = assignment_today(project, record, store.customers.aliases).assignment
    rules = OutcomeRules(
        record.name, record.started_at or 0, project.churn, project.indicators, project.timeline
    )
    values = campaign_outcomes(store, rules, assignment, [date], engine=workspace.engine).values
    if outcome not in values:
        raise DataError(
            f"cannot learn whom contact helps on '{outcome}': the data of the campaign '{record.name}' "
            f"do not tell it. They tell {', '.join(name for name in LEARNABLE if name in values)}."
        )
    return CampaignCustomers(record.name, record.control_share, assignment, values[outcome][:, 0])


def _log(
    run: Run,
    names: Sequence[str],
    outcome: str,
    months: int,
    rows: UpliftRows,
    found: UpliftAssessment,
    deciles: Sequence[UpliftDecile],
) -> StoredUplift | None:
    """Log parameters, figures, curves and the model as text; the model, None where nothing was fitted."""
    parameters = UpliftParameters()
    run.log_parameters(
        {
            "campaigns": ", ".join(names),
            "outcome": outcome,
            "months": months,
            "uplift": {name: value for name, value in asdict(parameters).items() if name != "threads"},
        }
    )
    run.tag({"uplift.used": str(found.used).lower(), "uplift.reason": found.reason})
    run.log_metrics(
        {"customers": len(found.outcome), "treated": int(found.treated.sum()), "used": float(found.used)}
    )
    if found.intervals is None or found.scores is None or found.book is None:
        return None
    qini = asdict(found.intervals)
    named = {"response_qini" if name == "other" else name: value for name, value in qini.items()}
    run.log_metrics({name: value for name, value in named.items() if not np.isnan(value)})
    curves = [
        qini_curve(score, found.treated, found.outcome)
        for score in (found.scores.uplift, found.scores.response)
    ]
    run.log_figures({"qini_curve": qini_figure(*curves), "uplift_by_decile": decile_figure(deciles)})
    known = ~np.isnan(rows.outcome)
    matrix = found.book.encode(rows.features)[known]
    model = fit_uplift(matrix, found.treated, found.outcome, rows.probability[known], parameters)
    stored = StoredUplift(outcome, found.book, model)
    run.log_texts({"uplift_by_decile.json": to_json(list(deciles)), **to_texts(stored)})
    return stored

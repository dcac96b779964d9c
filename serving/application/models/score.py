"""Scoring every customer with the champion."""

from __future__ import annotations

from dataclasses import dataclass

from serving.actions.contact_rules import consent_rules
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.integrations.training import tracking
from serving.integrations.uplift_scores import with_uplift
from serving.scoring.batch import score as score_customers
from serving.scoring.coverage import coverage_warnings
from serving.state.active_model import import_bundle, no_champion
from serving.state.campaigns.uplift_index import uplift_in_use
from serving.state.scores.score_file import Scores, save
from serving.state.scores.score_index import ScoreFile, use_scores
from training.data.coverage import data_coverage
from training.labels.cohort import IN_COHORT


@dataclass(frozen=True)
class ScoringResult:
    """The scores that are in use now."""

    as_of: int
    """Microseconds UTC."""
    model_version: str
    data_version: str
    customers: int
    """Everyone who was known."""
    cohort: int
    """Of those, the ones who can still leave."""
    file: str
    silence_until: int
    """The instant until which the data can tell silence: what labels hang on is covered until then."""
    warnings: tuple[str, ...]
    """Where the as-of date is far later than the data's end, what silence hangs on ended early, or the uplift
    model in use does not fit."""
    uplift: str | None
    """The outcome that the customers' uplift is about; None where they have none."""


@use_case("run")
def score(
    workspace: Workspace, actor: Actor, *, as_of: str | None = None, progress: Progress | None = None
) -> ScoringResult:
    """Score everyone on a day, or on the first midnight after the newest event that silence hangs on.

    The scores and the champion that made them come into use together, once all of it worked. Raises
    `ModelError` before a model was promoted and where the uplift model in use is damaged, `DataError` where
    nobody could leave on that day.
    """
    workspace = workspace.pinned()
    project, database, store, now = (
        workspace.project,
        workspace.database,
        workspace.store,
        workspace.clock(),
    )
    instant = None if as_of is None else workspace.instant(as_of)
    timeline = project.timeline
    if progress:
        progress("loading the champion", 0.0)
    champion = tracking(project).champion()
    if champion is None:
        raise no_champion()
    model = import_bundle(project.state, *champion)
    churn = model.bundle.churn
    coverage = data_coverage(
        store,
        churn,
        project.indicators,
        timeline,
        instant,
        closed=project.closed_sources,
        now=now,
        engine=workspace.engine,
    )
    if instant is None:
        instant = now if coverage is None else coverage.as_of(now)
    scores, metadata = score_customers(
        store,
        model,
        instant,
        now,
        progress,
        covered_until=None if coverage is None else coverage.covered_until,
        consent=consent_rules(project).names,
        engine=workspace.engine,
    )
    found, why_not = Scores(scores, metadata), None
    uplift = uplift_in_use(database)
    if uplift is not None:
        if progress:
            progress("computing whom contact helps", 0.0)
        uplifted = with_uplift(store, project.state, uplift, found, churn, timeline, engine=workspace.engine)
        found, why_not = uplifted.scores, uplifted.why_not
    file = save(project.scores, found.answers, found.facts)
    use_scores(
        database,
        ScoreFile(file, instant, model.version, metadata.data_version, len(scores), now),
        model.pointer,
    )
    return ScoringResult(
        instant,
        model.version,
        metadata.data_version,
        len(scores),
        int((scores.status == IN_COHORT).sum()),
        file,
        instant if metadata.covered_until is None else metadata.covered_until,
        (*coverage_warnings(metadata, coverage, churn, timeline), *([] if why_not is None else [why_not])),
        None if found.facts.uplift is None else found.facts.uplift.outcome,
    )

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
from serving.state.campaigns.uplift_index import UpliftRecord, uplift_in_use
from serving.state.scores.score_file import Scores, load, save
from serving.state.scores.score_index import ScoreFile, current_scores, use_scores
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
    workspace: Workspace,
    actor: Actor,
    *,
    as_of: str | None = None,
    not_after: str | None = None,
    once: bool = False,
    progress: Progress | None = None,
) -> ScoringResult:
    """Score everyone on a day, or on the first midnight after the newest event that silence hangs on.

    That midnight is no later than the day `not_after`. With `once` nothing is computed where the scores in
    use are of the same day, data and models already. The scores and the champion that made them come into
    use together, once all of it worked. Raises `ModelError` before a model was promoted and where the uplift
    model in use is damaged, `DataError` where nobody could leave on that day.
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
        instant = instant if not_after is None else min(instant, workspace.instant(not_after))
    uplift = uplift_in_use(database)
    in_use = _scored_before(workspace, instant, model.pointer, uplift) if once else None
    if in_use is not None:
        file, found = in_use
        return _result(file, found, coverage_warnings(found.facts, coverage, churn, timeline))
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
    warnings = coverage_warnings(metadata, coverage, churn, timeline)
    return _result(file, found, (*warnings, *([] if why_not is None else [why_not])))


def _scored_before(
    workspace: Workspace, as_of: int, champion: tuple[str, str], uplift: UpliftRecord | None
) -> tuple[str, Scores] | None:
    """The file and the scores in use, where they are of this date, of the data of now and of these models."""
    current = current_scores(workspace.database)
    if current is None or (current.as_of, current.data_version) != (as_of, workspace.store.version):
        return None
    found = load(workspace.project.scores / current.file)
    learned = None if found.facts.uplift is None else found.facts.uplift.fingerprint
    if (found.facts.model_version, found.facts.fingerprint) != champion:
        return None
    return (current.file, found) if learned == (None if uplift is None else uplift.fingerprint) else None


def _result(file: str, found: Scores, warnings: tuple[str, ...]) -> ScoringResult:
    facts, status = found.facts, found.answers.status
    return ScoringResult(
        facts.as_of,
        facts.model_version,
        facts.data_version,
        len(found.answers),
        int((status == IN_COHORT).sum()),
        file,
        facts.as_of if facts.covered_until is None else facts.covered_until,
        warnings,
        None if facts.uplift is None else facts.uplift.outcome,
    )

"""Monitoring: earlier scores compared with what happened since, computed and kept for pages and the API."""

from __future__ import annotations

from features.errors import ModelError
from features.timeline import DAY, Timeline
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Progress, Workspace
from serving.integrations.matured_log import log_matured_dates
from serving.integrations.scored_cohorts import ScoredCohort, judged_rows, read_cohorts, unjudged_date
from serving.schemas.monitor_responses import MonitorReply
from serving.state import monitor_file
from serving.state.campaigns.campaign_index import campaigns
from serving.state.scores.score_index import scores_by_date
from training.data.coverage import data_coverage
from training.labels.settings import Churn
from training.monitoring.alarms import CalibrationGaps, calibration_alarms, calibration_gaps, model_runs
from training.monitoring.drift import drift
from training.monitoring.matured_outcomes import MaturedOutcomes, matured_outcomes
from training.monitoring.outcome_performance import JudgedRows, performance
from training.monitoring.records import DatePerformance, ListSource

DATES = 400
"""As-of dates that are looked at, the newest: a year of daily scores and a month."""
AT_ONCE = 16
"""Dates whose outcomes are in memory together; the store is read once for them."""


@use_case("analyse")
def monitor(workspace: Workspace, actor: Actor, progress: Progress | None = None) -> MonitorReply:
    """Compare every stored score file whose horizon has passed with what happened, and keep the result.

    Labels are those of the definition of churn that the model of each file was trained with. Raises
    `ModelError` before anything was scored.
    """
    workspace.record_access(actor.name, "monitor", NOBODY)
    workspace = workspace.pinned()
    project, store, now = workspace.project, workspace.store, workspace.clock()
    timeline, aliases = project.timeline, store.customers.aliases
    records = scores_by_date(workspace.database)
    if not records:
        raise ModelError(
            "cannot monitor: nothing has been scored yet. Run `kizuna score` first "
            "(after `kizuna train`, where no model was trained either)."
        )
    if progress:
        progress("reading earlier scores", 0.0)
    cohorts, unjudged = read_cohorts(project, records[:DATES], aliases)
    definitions: list[tuple[Churn, int]] = []
    for one in cohorts:
        if all(one.bundle.churn != churn for churn, _ in definitions):
            definitions.append((one.bundle.churn, _covered_until(workspace, one.bundle.churn, now)))
    started = campaigns(workspace.database)
    dates: list[DatePerformance] = []
    gaps: list[CalibrationGaps] = []
    for churn, covered in definitions:
        mine = [one for one in cohorts if one.bundle.churn == churn]
        matured = [one for one in mine if one.decided <= covered]
        unjudged += [unjudged_date(one, timeline, "not_matured") for one in mine if one.decided > covered]
        for first in range(0, len(matured), AT_ONCE):
            batch = matured[first : first + AT_ONCE]
            pairs = [(one.as_of, one.keys) for one in batch]
            outcomes = matured_outcomes(
                store, churn, timeline, pairs, covered, progress, engine=workspace.engine
            )
            for cohort, outcome in zip(batch, outcomes, strict=True):
                rows, source = judged_rows(project, cohort, outcome, started, aliases)
                if rows.counted.any():
                    dates.append(_date_performance(cohort, rows, outcome, source, timeline))
                    gaps.append(_gaps(cohort, rows))
                else:
                    unjudged.append(unjudged_date(cohort, timeline, "nobody"))
    runs = model_runs([(one.as_of, one.model_version) for one in reversed(records)])
    alarms = calibration_alarms(sorted(gaps, key=lambda one: one.as_of), runs, timeline.name)
    if progress:
        progress("comparing features with earlier dates", 0.0)
    moved = drift(store, cohorts[0].bundle, timeline, cohorts[0].as_of) if cohorts else None
    reply = MonitorReply(
        timeline.name(now),
        store.version,
        None if not definitions else timeline.name(max(covered for _, covered in definitions)),
        list(alarms),
        moved,
        sorted(dates, key=lambda one: one.as_of, reverse=True),
        sorted(unjudged, key=lambda one: one.as_of, reverse=True),
    )
    _log_new_dates(workspace, reply)
    monitor_file.save(project.state, reply)
    return reply


def _log_new_dates(workspace: Workspace, reply: MonitorReply) -> None:
    """Log in MLflow the dates that the result before this one did not have, the oldest first."""
    before = monitor_file.load(workspace.project.state)
    known = set() if before is None else {one.file for one in before.dates}
    new = [one for one in reversed(reply.dates) if one.file not in known]
    if new:
        from serving.integrations.training import tracking  # takes seconds, which other days do not wait for

        log_matured_dates(tracking(workspace.project), new)


def _covered_until(workspace: Workspace, churn: Churn, now: int) -> int:
    """Until when the data tells who left by this definition; 0 without events."""
    project = workspace.project
    coverage = data_coverage(
        workspace.store,
        churn,
        project.indicators,
        project.timeline,
        closed=project.closed_sources,
        now=now,
        engine=workspace.engine,
    )
    return 0 if coverage is None else coverage.covered_until


def _date_performance(
    cohort: ScoredCohort, rows: JudgedRows, outcome: MaturedOutcomes, source: ListSource, timeline: Timeline
) -> DatePerformance:
    return DatePerformance(
        as_of=timeline.name(cohort.as_of),
        matured=timeline.name(cohort.decided),
        model_version=cohort.record.model_version,
        file=cohort.record.file,
        treated=int(rows.treated.sum()),
        missing=int((~outcome.known).sum()),
        performance=performance(rows, source),
    )


def _gaps(cohort: ScoredCohort, rows: JudgedRows) -> CalibrationGaps:
    bundle = cohort.bundle
    days = (cohort.decided - int(bundle.churn.horizon.start(cohort.as_of))) / DAY
    return calibration_gaps(rows, cohort.as_of, cohort.record.model_version, bundle.level, days)

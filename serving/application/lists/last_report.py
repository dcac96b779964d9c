"""The engagement report that was computed last, and whether data, model or scores are others since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.reports import stored_report
from serving.reports.silent_sources import silent_sources
from serving.reports.stored_report import StoredReport
from serving.schemas.report_responses import ReportReply
from serving.state.scores.score_index import current_champion, current_scores


@dataclass(frozen=True)
class LastReport:
    """A stored report in one language."""

    reply: ReportReply
    stored: StoredReport
    is_current: bool
    """Whether it is of the store, the champion and the scores as they are now."""
    silent: Mapping[str, str]
    """The sources that sent nothing until now for longer than usual, and have not ended for good: each with
    the local day of its last events."""
    all_silent: bool
    """Whether every source that has not ended for good is silent: then the data are old as a whole."""


@use_case("read_report")
def last_report(
    workspace: Workspace, actor: Actor, months: int | None = None, language: str | None = None
) -> LastReport | None:
    """The stored report over so many whole months; None where none was computed yet.

    Without a number of months it is the longest that is current, or the longest where none is. `kizuna
    report` and the job `report` compute it; nothing is computed here.
    """
    workspace.record_access(actor.name, "report", NOBODY)
    periods = stored_report.PERIODS if months is None else (months,)
    project, version = workspace.project, workspace.store.version
    champion = current_champion(workspace.database)
    scores = current_scores(workspace.database)
    versions = (
        version,
        None if champion is None else champion[0],
        "" if scores is None else scores.file,
    )
    found: tuple[StoredReport, ReportReply, bool] | None = None
    for count in periods:
        stored = stored_report.newest(project.state, count)
        if stored is None:
            continue
        reply = stored.replies[workspace.language(language)]
        is_current = (stored.data_version, reply.model_version, stored.scores) == versions
        if is_current or found is None:
            found = stored, reply, is_current
        if is_current:
            break
    if found is None:
        return None
    report, reply, is_current = found
    silent = silent_sources(report, workspace.database, version, workspace.clock(), project.timeline)
    open_ones = [one.source for one in report.sources if one.source not in project.closed_sources]
    return LastReport(
        reply,
        report,
        is_current,
        {source: silent[source] for source in open_ones if source in silent},
        all_silent=bool(open_ones) and all(source in silent for source in open_ones),
    )


@use_case("read_report")
def last_report_csv(workspace: Workspace, actor: Actor, months: int, language: str | None = None) -> str:
    """The stored report as CSV; raises `UsageError` where none was computed yet."""
    workspace.record_access(actor.name, "report.csv", NOBODY)
    state = workspace.project.state
    stored = stored_report.newest(state, months)
    text = None if stored is None else stored_report.table(state, stored, workspace.language(language))
    if text is None:
        raise UsageError(
            f"cannot hand out the report of {months} months: none was computed yet. "
            f"Run `kizuna report --months {months}`, or refresh it in the console.",
            field="months",
        )
    return text

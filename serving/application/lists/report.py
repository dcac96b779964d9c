"""The engagement report: how customers are engaged, against the period before and the year before."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from serving.actions.contact_rules import consent_rules
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Progress, Workspace
from serving.project.language import LANGUAGES
from serving.reports import stored_report
from serving.reports.compute import ReportData, compute_report, report_inputs
from serving.reports.rendering.csv import as_csv
from serving.reports.report import reply
from serving.reports.stored_report import StoredReport
from serving.state.scores.score_index import current_champion, current_scores


class ReportCache:
    """The last report of each period, for a service: counted again when the data, the model or the
    scores are others.

    One report is counted at a time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._reports: dict[int, tuple[Hashable, ReportData]] = {}

    def get(self, months: int, version: Hashable) -> ReportData | None:
        """The report of these months if it is of this version."""
        cached = self._reports.get(months)
        return None if cached is None or cached[0] != version else cached[1]

    def put(self, months: int, version: Hashable, report: ReportData) -> None:
        self._reports[months] = version, report


@use_case("read_report")
def engagement_report(
    workspace: Workspace,
    actor: Actor,
    months: int,
    progress: Progress | None = None,
    cache: ReportCache | None = None,
) -> ReportData:
    """The report over the last 3, 6 or 12 whole months.

    Raises `DataError` where there are no events yet.
    """
    workspace.record_access(actor.name, "report", NOBODY)
    if cache is None:
        return _count(workspace.pinned(), months, progress)
    with cache.lock:
        workspace = workspace.pinned()
        scores = current_scores(workspace.database)  # how many are expected to leave is theirs
        version = (
            workspace.store.version,
            current_champion(workspace.database),
            None if scores is None else scores.file,
        )
        report = cache.get(months, version)
        if report is None:
            report = _count(workspace, months, progress)
            cache.put(months, version, report)
        return report


@use_case("read_report")
def refresh_report(
    workspace: Workspace, actor: Actor, months: int, progress: Progress | None = None
) -> ReportData:
    """Compute the report and keep it for pages, which show the last one (`last_report`).

    Raises `DataError` where there are no events yet.
    """
    data = engagement_report(workspace, actor, months, progress)
    replies = {language: reply(data, language) for language in LANGUAGES}
    report = StoredReport(
        workspace.clock(), data.data_version, data.request.scores, months, replies, data.request.sources
    )
    tables = {language: as_csv(one, language) for language, one in replies.items()}
    stored_report.save(workspace.project.state, report, tables)
    return data


def _count(workspace: Workspace, months: int, progress: Progress | None) -> ReportData:
    project = workspace.project
    consent = consent_rules(project).names
    store, engine = workspace.store, workspace.engine
    inputs = report_inputs(
        project, store, workspace.database, months, workspace.clock(), consent, engine=engine
    )
    return compute_report(store, inputs, progress, engine=engine)

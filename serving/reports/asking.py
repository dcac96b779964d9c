"""What a project's report is asked for: its churn, its calendar, and the tiers of its champion."""

from __future__ import annotations

from features.errors import DataError
from features.event_store import EventStore
from serving.project.settings import Project
from serving.reports.compute import ReportRequestData
from serving.state.active_model import in_use
from serving.state.database import Database
from serving.state.score_index import current_champion


def report_inputs(
    project: Project, store: EventStore, records: Database, months: int, now: int
) -> ReportRequestData:
    """A question about the last whole months before the first midnight after the newest event."""
    newest = store.newest()
    if newest is None:
        raise DataError("cannot report: there are no events yet. Ingest them with `kizuna ingest`.")
    champion = in_use(records, project.state) if current_champion(records) is not None else None
    return ReportRequestData(
        project.indicators,
        project.churn,
        project.timeline,
        months,
        project.timeline.as_of_after(newest, now),
        None if champion is None else champion.bundle,
        None if champion is None else champion.version,
        newest,
    )

"""Which sources sent nothing for longer than usual, by the report that was computed last."""

from __future__ import annotations

from features.timeline import Timeline
from serving.reports.stored_report import StoredReport
from serving.state.database import Database
from serving.state.scores.score_index import only_noted_since


def silent_sources(
    report: StoredReport, database: Database, version: str, now: int, timeline: Timeline
) -> dict[str, str]:
    """Each silent or ended source with the local day of its last events, `YYYY-MM-DD`.

    `version` is that of the data now. What a source brought after an older report is not in it: sources are
    then judged at the report's own time. What people noted since comes from no source.
    """
    at = now if only_noted_since(database, report.data_version, version) else report.computed_at
    days = {one.source: one.silent_since(at, timeline) for one in report.sources}
    return {source: day for source, day in days.items() if day is not None}

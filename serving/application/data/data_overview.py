"""The state of the data: sources with their last ingest and rhythm, quarantine, the last examination."""

from __future__ import annotations

from dataclasses import dataclass

from features.profiling.source_rhythm import SourceRhythm
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.reports import stored_report
from serving.reports.silent_sources import silent_sources
from serving.state import examination_file
from serving.state.examination_file import StoredExamination
from serving.state.ingest_log import IngestRecord, StoredReceipt, ingests

LAST_INGESTS = 10


@dataclass(frozen=True)
class SourceState:
    """One source or attribute of kizuna.toml, or one whose events are there although it is not in it."""

    name: str
    kind: str
    """`source`, `attribute`, or `stored` for one that kizuna.toml does not have."""
    is_closed: bool
    """Whether it has ended for good."""
    receipt: StoredReceipt | None
    """What became of its rows at the last ingest."""
    rhythm: SourceRhythm | None
    """Its newest event and usual pause, as of the last report; attributes have none."""
    silent_since: str | None
    """The local day of its last events where it ended, or is silent now for longer than usual."""


@dataclass(frozen=True)
class DataOverview:
    """What is stored of the last ingests, reports and examinations; nothing is computed for it."""

    data_version: str
    sources: tuple[SourceState, ...]
    ingests: tuple[IngestRecord, ...]
    """The newest ingests, the last one first."""
    rhythm_at: int | None
    """When the rhythm of the sources was computed, microseconds UTC."""
    examination: StoredExamination | None


@use_case("analyse")
def data_overview(workspace: Workspace, actor: Actor) -> DataOverview:
    """Sources, ingests and the last examination, as they were stored."""
    project, state = workspace.project, workspace.project.state
    newest = tuple(ingests(state, LAST_INGESTS))
    reports = [
        found
        for months in stored_report.PERIODS
        if (found := stored_report.newest(state, months)) is not None
    ]
    report = max(reports, key=lambda one: one.computed_at, default=None)
    rhythms = {one.source: one for one in report.sources} if report else {}
    version = workspace.store.version
    silent = (
        {}
        if report is None
        else silent_sources(report, workspace.database, version, workspace.clock(), project.timeline)
    )
    receipts = {one.source: one for one in newest[0].receipts} if newest else {}
    settings = project.settings
    kinds = {one.name: "source" for one in settings.sources}
    kinds |= {one.name: "attribute" for one in settings.attributes}
    kinds |= {name: "stored" for name in (*receipts, *rhythms) if name not in kinds}
    closed = project.closed_sources
    return DataOverview(
        version,
        tuple(
            SourceState(name, kind, name in closed, receipts.get(name), rhythms.get(name), silent.get(name))
            for name, kind in kinds.items()
        ),
        newest,
        None if report is None else report.computed_at,
        examination_file.load(state),
    )

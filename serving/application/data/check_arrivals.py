"""Checking what arrived before it is scored: a source that stopped would make its customers look gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from features.catalog.definitions import company_kinds
from features.events.validation_counts import RECORDED_TOO_LATE, TOO_LATE
from features.profiling.arrivals.arrival_checks import ArrivalFinding
from features.profiling.arrivals.arrival_checks import check_arrivals as judge
from features.profiling.arrivals.arrival_counts import arrival_counts
from features.timeline import DAY
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.state.ingest_log import ingests
from serving.state.run_index import newest_runs

NIGHTS = 14
"""Runs that say by how many days a source usually comes late: the least of them."""


@dataclass(frozen=True)
class CheckedArrivals:
    """What the checks found, and as of which day everyone can be scored."""

    findings: tuple[ArrivalFinding, ...]
    whole_until: str
    """The day until whose midnight every source is whole, `YYYY-MM-DD`."""
    earlier: str | None
    """That everyone is to be scored as of an earlier day; None where all is whole, or nobody is scored."""
    held: str | None
    """Why nobody should be scored; None where everyone can be."""
    delays: Mapping[str, int]
    """By source the days before the midnight that were without its events."""


@use_case("run")
def check_arrivals(
    workspace: Workspace, actor: Actor, *, day: str | None = None, progress: Progress | None = None
) -> CheckedArrivals:
    """Judge each source by its own past, as of the midnight at which a day began, today where none is named.

    Where a source has stopped, everyone can be scored as of the last day on which all were whole, at most
    `[schedule] days_back` days back. Raises `DataError` where nothing was ingested.
    """
    workspace = workspace.pinned()
    project, timeline = workspace.project, workspace.project.timeline
    until = workspace.instant(day or timeline.local(workspace.clock()).date().isoformat())
    if progress:
        progress("checking what arrived", 0.0)
    counts = arrival_counts(workspace.store, timeline, until, engine=workspace.engine)
    found = judge(
        counts,
        timeline,
        until,
        closed=project.closed_sources,
        company=company_kinds(project.indicators),
        usual_delays=_usual_delays(workspace),
    )
    back, most = round((until - found.whole_until) / DAY), project.settings.schedule.days_back
    whole, held = timeline.name(found.whole_until), None
    if back > most:
        stopped = ", ".join(f"'{one.source}'" for one in found.findings if one.check == "stopped")
        last = timeline.local(found.whole_until - 1).date()
        held = (
            f"nobody is scored: every source was last whole on {last}, {back} days back, and "
            f"`schedule.days_back` is {most}. Bring back {stopped}, or write `closed = true` under a source "
            "that has ended for good."
        )
    earlier = f"everyone is scored as of {whole}, the last day on which every source was whole"
    return CheckedArrivals(
        (*found.findings, *_from_the_future(workspace)),
        whole,
        earlier if 0 < back <= most else None,
        held,
        found.delays,
    )


def _usual_delays(workspace: Workspace) -> dict[str, int]:
    """The least days by which each source came late in the runs before; none where there was none."""
    usual: dict[str, int] = {}
    for run in newest_runs(workspace.database, NIGHTS):
        step = run.step("checks")
        delays = {} if step is None else json.loads(str(step.outcome.get("delays") or "{}"))
        for source, days in delays.items():
            usual[source] = min(int(days), usual.get(source, int(days)))
    return usual


def _from_the_future(workspace: Workspace) -> list[ArrivalFinding]:
    """Sources whose last ingest had rows of moments that have not come: their clock or zone is wrong."""
    last = next(iter(ingests(workspace.project.state)), None)
    found = []
    for receipt in last.receipts if last else ():
        rows = sum(
            one.rows for one in receipt.reasons if one.reason.startswith((TOO_LATE, RECORDED_TOO_LATE))
        )
        if rows:
            why = "from the future: check its clock and time zone"
            message = f"source '{receipt.source}' has {rows:,} rows {why}"
            found.append(ArrivalFinding("clock", receipt.source, message))
    return found

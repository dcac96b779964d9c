"""Small stores from tables that a marketer can read, and their reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.timeline import Timeline
from serving.reports.aggregates import Estimate
from serving.reports.compute import ReportData, ReportRequestData, compute_report
from serving.reports.event_index import EventIndex
from serving.reports.report import reply
from serving.schemas.report_responses import Figure, MeasureReply
from tests.worlds import history, world
from training.labels.settings import Churn, ChurnSettings

UTC = Timeline("UTC")
INDICATORS = indicators({})
COLUMNS = ("customer_id", "occurred_at", "kind", "value", "channel", "place", "detail")


def store(folder: Path, table: str) -> EventStore:
    """A store of the rows `customer when kind value channel place detail`; `-` or nothing is absent."""
    rows = [line.split() for line in table.strip().splitlines()]
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        cells = [None if cell == "-" else cell for cell in [*row, *["-"] * (len(COLUMNS) - len(row))]]
        for name, cell in zip(COLUMNS, cells, strict=True):
            columns[name].append(float(cell) if name == "value" and cell is not None else cell)
    kept = EventStore(folder)
    events = pa.table(
        {n: pa.array(v, pa.float64() if n == "value" else pa.string()) for n, v in columns.items()}
    )
    kept.add(events, source="table", timeline=UTC, now=UTC.instant("2026-01-01"))
    return EventStore(folder)


def churn(**settings: Any) -> Churn:
    return Churn.of(ChurnSettings.model_validate(settings), INDICATORS)


def report_data(
    events: EventStore, months: int = 3, as_of: str = "2025-01-01", **settings: Any
) -> ReportData:
    """The numbers of a report on a store, for the months before the as-of date."""
    return compute_report(
        events, ReportRequestData(INDICATORS, churn(**settings), UTC, months, UTC.instant(as_of))
    )


def estimate(data: ReportData, metric: str, cut: str = "all", group: str = "") -> Estimate | None:
    """A metric's estimate of the period."""
    return data.wholes.estimate(metric, "ratio", data.periods.current, cut, group)


def measure(data: ReportData, name: str, language: str = "en") -> MeasureReply:
    """A metric as the report publishes it."""
    (one,) = [one for one in reply(data, language).measures if one.name == name]
    return one


def figure(data: ReportData, name: str) -> Figure:
    """A metric's figure of the period."""
    found = measure(data, name).figure
    assert found is not None
    return found


def facts(table: str) -> EventIndex:
    """The facts of a history written as in `tests.worlds`, customers in the order of their names."""
    events = history(world(table))
    return EventIndex(events, {indicator.name: indicator for indicator in INDICATORS}, UTC)

"""Small stores from tables that a marketer can read, and what a report says of them."""

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


def survey(kept: EventStore, months: int = 3, as_of: str = "2025-01-01", **settings: Any) -> ReportData:
    """What a report finds in a store, for the months before the as-of date."""
    return compute_report(
        kept, ReportRequestData(INDICATORS, churn(**settings), UTC, months, UTC.instant(as_of))
    )


def figure(found: ReportData, measure: str, cut: str = "all", group: str = "") -> Estimate | None:
    """A measure's figure of the period."""
    return found.wholes.estimate(measure, "ratio", found.periods.current, cut, group)


def said(found: ReportData, measure: str, language: str = "en") -> dict[str, Any]:
    """A measure as the report says it."""
    (one,) = [m for m in reply(found, language)["measures"] if m["name"] == measure]
    return dict(one)


def facts(table: str) -> EventIndex:
    """The facts of a history written as in `tests.worlds`, customers in the order of their names."""
    events = history(world(table))
    return EventIndex(events, {indicator.name: indicator for indicator in INDICATORS}, UTC)

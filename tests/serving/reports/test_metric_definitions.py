"""Every measure equals the same figure computed in plain SQL over the simulated sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from features.simulation.simulate import simulate
from serving.cli.context import CliContext
from serving.reports.compute import ReportData, ReportRequestData, compute_report
from serving.reports.metric_definitions import MEASURES, MetricDefinition
from tests.serving.reports import plain_sql

SPANS = {
    "current": ("2024-07-01", "2025-01-01"),
    "previous": ("2024-01-01", "2024-07-01"),
    "last_year": ("2023-07-01", "2024-01-01"),
}
COUNTED = [measure for measure in MEASURES if measure.name != "tier_share"]


@dataclass(frozen=True)
class World:
    data: ReportData
    sources: duckdb.DuckDBPyConnection


def world(folder: Path, customers: int) -> World:
    simulate(folder, customers=customers, months=20, seed=11)
    call = CliContext(folder)
    project = call.project
    settings = project.settings
    call.store.ingest(
        settings.sources, settings.attributes, folder=folder, timeline=project.timeline, now=call.now
    )
    newest = call.store.newest()
    assert newest is not None
    as_of = project.timeline.as_of_after(newest, call.now)
    request = ReportRequestData(project.indicators, project.churn, project.timeline, 6, as_of)
    return World(compute_report(call.store, request), plain_sql.database(folder))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("service"), 1_500)


def compare(world: World, measure: MetricDefinition, span: str, cut: str) -> int:
    """How many groups there were to compare."""
    periods, sums = world.data.periods, world.data.wholes
    expected = plain_sql.figures(world.sources, measure.name, cut, *SPANS[span])
    place = getattr(periods, span)
    groups = {group for of, group in sums.groups(measure.name) if of == cut}
    compared = 0
    for group in groups | set(expected):
        found = sums.estimate(measure.name, measure.interval, place, cut, group)
        if group not in expected:
            assert found is None or found.value == 0, (measure.name, cut, group)
            continue
        value, units = expected[group]
        assert found is not None, (measure.name, cut, group)
        assert found.value == pytest.approx(value, rel=1e-9), (measure.name, cut, group)
        assert found.units >= units if measure.name == "value_per_customer" else found.units == units
        compared += 1
    return compared


@pytest.mark.parametrize("measure", COUNTED, ids=lambda measure: measure.name)
def test_a_measure_equals_plain_sql_over_the_period_and_those_it_is_compared_with(
    small: World, measure: MetricDefinition
) -> None:
    assert [compare(small, measure, span, "all") for span in SPANS] == [1, 1, 1]


@pytest.mark.parametrize("measure", COUNTED, ids=lambda measure: measure.name)
def test_a_measure_equals_plain_sql_by_segment_channel_place_and_subject(
    small: World, measure: MetricDefinition
) -> None:
    social = measure.name.startswith("social_engagement")
    cuts = [*([] if social else ["segment:region", "segment:age_band"]), *measure.cuts]
    for cut in cuts:
        if measure.name in ("nps", "csat") and cut != "detail" and not cut.startswith("segment"):
            continue  # the simulated answers have no channel and no place
        if measure.name == "social_engagement_rate":
            continue  # posts are compared in a test of their own
        assert compare(small, measure, "current", cut) >= 2, cut


def test_a_month_equals_plain_sql_for_every_measure(small: World) -> None:
    spans = [span.name for span in small.data.periods.months.spans]
    for measure in COUNTED:
        expected = plain_sql.figures(small.sources, measure.name, "all", "2024-10-01", "2024-11-01")[""][0]
        found = small.data.months.estimate(measure.name, measure.interval, spans.index("2024-10"))
        assert found is not None, measure.name
        assert found.value == pytest.approx(expected, rel=1e-9), measure.name


def test_the_rate_of_a_post_is_its_reactions_by_its_reach(small: World) -> None:
    sums, periods = small.data.wholes, small.data.periods
    expected = plain_sql.figures(small.sources, "social_engagement_rate", "detail", *SPANS["current"])
    groups = [group for cut, group in sums.groups("social_engagement_rate") if cut == "detail"]
    found = {
        group: one.value
        for group in groups
        if (one := sums.estimate("social_engagement_rate", "ratio", periods.current, "detail", group))
    }
    assert len(found) >= 10
    assert found == {group: pytest.approx(expected[group][0]) for group in found}


@pytest.mark.slow
def test_every_measure_of_a_service_of_20000_customers_equals_plain_sql(tmp_path: Path) -> None:
    large = world(tmp_path, 20_000)
    for measure in COUNTED:
        for span in SPANS:
            assert compare(large, measure, span, "all") == 1


def test_customers_behind_a_measure_are_counted_once(small: World) -> None:
    data = small.data
    for name, where in (
        ("nps", "kind = 'nps'"),
        ("order_value", "kind = 'purchase'"),
        ("answer_minutes", f"{plain_sql.ASKED} and value is not null"),
        ("social_engagement_rate", plain_sql.REACTED),
    ):
        found = data.wholes.estimate(name, "ratio", data.periods.current)
        query = (
            f"select count(distinct customer) from e where t >= '2024-07-01' and t < '2025-01-01' and {where}"
        )
        ((expected,),) = small.sources.execute(query).fetchall()
        assert found is not None
        assert found.customers == expected, name

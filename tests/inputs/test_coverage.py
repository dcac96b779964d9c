"""How far the data reach: a source that stops limits labels, and a slow rhythm is not taken for a stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.event_store import EventStore
from features.timeline import Timeline
from serving.cli.context import CliContext
from tests.inputs.habits import END, START, Habit, always, before, on_days, project, write
from tests.inputs.services import answer
from tests.training.trained import bundle
from training.data.coverage import DataCoverage, data_coverage
from training.data.coverage_findings import coverage_findings
from training.data.extent import data_extent
from training.data.splits import temporal_splits
from training.registry.gates import _covered

PURCHASES = 'type = "inactivity"\nindicators = ["purchase"]\nactive_days = 90\nhorizon_days = 60'
CONTRACTS = 'type = "contract"\nhorizon_days = 30'


def covered(folder: Path) -> DataCoverage:
    call = CliContext(folder)
    found = data_coverage(
        EventStore(call.project.state),
        call.project.churn,
        call.project.indicators,
        call.project.timeline,
        closed=call.project.closed_sources,
    )
    assert found is not None
    return found


def labelled_until(folder: Path) -> str:
    """The newest as-of date that training would label."""
    project_ = CliContext(folder).project
    extent = data_extent(
        EventStore(project_.state), None, project_.churn, project_.timeline, project_.indicators
    )
    dates = temporal_splits(extent.first, extent.coverage.covered_until, project_.churn, project_.timeline)
    return project_.timeline.name(dates.every[-1])


def configured(said: dict[str, Any]) -> dict[str, Any]:
    return next(dict(one) for one in said["horizons"] if one["configured"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write(folder, "orders", Habit("purchase", 5).rows())
    write(folder, "site", Habit("visit", 4).rows())
    return project(folder, PURCHASES)


@pytest.mark.parametrize(
    ("cut", "last", "labelled"),
    [("2024-10-01", "2024-09-30", "2024-08-01"), ("2024-12-10", "2024-12-09", "2024-10-10")],
)
def test_a_source_that_stops_ends_the_labels_and_is_named_with_its_last_day(
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cut: str,
    last: str,
    labelled: str,
) -> None:
    write(tmp_path, "orders", Habit("purchase", 5).rows(), before(cut))
    write(tmp_path, "site", Habit("visit", 4).rows())
    folder = project(tmp_path, PURCHASES)
    assert labelled_until(folder) == labelled
    said = answer(capsys, folder, "doctor")
    (finding,) = (one for one in said["findings"] if one["name"] == "coverage")
    figures = {name: finding[name] for name in finding if name not in ("name", "sentence")}
    assert figures == {
        "indicator": "purchase",
        "sources": ["orders"],
        "kinds": ["purchase"],
        "last": last,
        "rest": "2024-12-31",
        "days": (datetime(2024, 12, 31) - datetime.fromisoformat(last)).days,  # noqa: DTZ001
        "decides": True,
    }
    assert f"'orders') end on {last}" in finding["sentence"]
    assert "goes on until 2024-12-31" in finding["sentence"]
    one, untouched = configured(said), configured(answer(capsys, whole, "doctor"))
    assert one["labelled"]["last"] == labelled
    assert untouched["labelled"]["last"] == "2024-11-01"
    assert abs(one["base_rate"] - untouched["base_rate"]) < 0.03
    assert one["base_rate_highest"] < untouched["base_rate_highest"] + 0.03


def test_the_gates_name_what_ended_in_both_languages(tmp_path: Path) -> None:
    write(tmp_path, "orders", Habit("purchase", 5).rows(), before("2024-10-01"))
    write(tmp_path, "site", Habit("visit", 4).rows())
    coverage = covered(project(tmp_path, PURCHASES))

    until = Timeline("UTC").name(coverage.rest_until)
    settings = {"coverage": coverage.to_json(), "customers_until": until}
    english, japanese = next(
        _covered(replace(bundle(), timezone="UTC", settings=bundle().settings | settings))
    )
    assert english.startswith(
        "coverage: The purchases (indicator 'purchase', source 'orders') end on 2024-09-30"
    )
    assert "購買（指標 purchase、ソース「orders」）は2024-09-30で終わり" in japanese
    assert DataCoverage.from_json(coverage.to_json()) == coverage


WEEKLY = [START + timedelta(days=n) for n in range(0, 725, 7)]
MONTHLY = [datetime(year, month, 1) for year in (2023, 2024) for month in range(1, 13)]  # noqa: DTZ001
WORKDAYS = [day for n in range(731) if (day := START + timedelta(days=n)).weekday() < 5]
WINTER = [day for n in range(730) if (day := START + timedelta(days=n)).month not in (11, 12, 1)]


@pytest.mark.parametrize(
    "days",
    [WEEKLY, MONTHLY, WORKDAYS[:-4], WINTER],
    ids=["weekly", "monthly", "no weekends and a bridge day", "closed for the winter"],
)
def test_a_slow_rhythm_is_no_stop(tmp_path: Path, days: list[datetime]) -> None:
    write(tmp_path, "orders", on_days("purchase", days))
    write(tmp_path, "site", Habit("visit", 4).rows())
    found = covered(project(tmp_path, PURCHASES))
    assert found.ends == ()
    assert found.covered_until == found.rest_until
    assert found.rest == "2024-12-31"


@pytest.mark.parametrize(
    ("days", "last"),
    [(WEEKLY[:-5], WEEKLY[-6]), (MONTHLY[:-3], MONTHLY[-4]), (WORKDAYS[:-12], WORKDAYS[-13])],
    ids=["weekly", "monthly", "no weekends"],
)
def test_a_slow_rhythm_that_stops_is_a_stop(tmp_path: Path, days: list[datetime], last: datetime) -> None:
    write(tmp_path, "orders", on_days("purchase", days))
    write(tmp_path, "site", Habit("visit", 4).rows())
    (end,) = covered(project(tmp_path, PURCHASES)).ends
    assert (end.indicator, end.last, end.decides) == ("purchase", last.date().isoformat(), True)


def test_cancellations_that_stop_arriving_end_the_labels_of_contracts(tmp_path: Path) -> None:
    begun = [
        row
        for n in range(400)
        for row in [
            (f"m{n:03d}", START + timedelta(days=n * 1.8, hours=9), "started"),
            (f"m{n:03d}", START + timedelta(days=n * 1.8 + 90, hours=9), "cancelled"),
        ]
        if row[1] < END
    ]
    write(tmp_path, "signups", [row for row in begun if row[2] == "started"])
    write(tmp_path, "ends", [row for row in begun if row[2] == "cancelled"], before("2024-10-01"))
    folder = project(tmp_path, CONTRACTS)
    (end,) = covered(folder).deciding
    assert (end.indicator, end.sources, end.kinds) == ("contract", ("ends",), ("cancelled",))
    assert "2024-09-28" <= end.last <= "2024-09-30"
    assert labelled_until(folder) <= "2024-08-31"


def test_one_shop_of_two_that_stops_is_told_apart_and_may_be_declared_closed(tmp_path: Path) -> None:
    write(tmp_path, "web", Habit("purchase", 6, "w").rows())
    write(tmp_path, "store", Habit("purchase", 8, "s", seed=2).rows(), before("2024-10-01"))
    folder = project(tmp_path, PURCHASES)
    found = covered(folder)
    (end,) = found.ends
    assert (end.sources, end.last, end.part, end.decides) == (("store",), "2024-09-30", True, True)
    (finding,) = coverage_findings(found)
    assert "`closed = true`" in finding.english
    assert "closed = true" in finding.japanese
    assert covered(project(tmp_path, PURCHASES, closed=["store"])).ends == ()


def test_a_shop_system_that_another_follows_is_handed_over_and_not_missing(tmp_path: Path) -> None:
    write(tmp_path, "old", Habit("purchase", 6).rows(), before("2024-10-01"))
    write(tmp_path, "new", Habit("purchase", 6).rows(), lambda day: not before("2024-10-01")(day))
    found = covered(project(tmp_path, PURCHASES))
    assert found.ends == ()
    assert found.rest == "2024-12-31"


def test_an_indicator_that_churn_does_not_hang_on_is_named_and_limits_nothing(tmp_path: Path) -> None:
    write(tmp_path, "orders", Habit("purchase", 6).rows())
    write(tmp_path, "site", Habit("visit", 4).rows(), before("2024-11-01"))
    found = covered(project(tmp_path, PURCHASES))
    (end,) = found.ends
    assert (end.indicator, end.last, end.decides) == ("usage", "2024-10-31", False)
    assert found.covered_until == found.rest_until
    (finding,) = coverage_findings(found)
    assert finding.name == "ended"


def test_a_few_stray_orders_do_not_make_a_source_that_stopped_go_on(tmp_path: Path) -> None:
    many = [row for seed in range(6) for row in Habit("purchase", 4, f"p{seed}-", 60, seed).rows()]
    stray = [("p0-001", datetime(2024, 12, 20, 10), "purchase")]  # noqa: DTZ001
    write(tmp_path, "orders", [row for row in many if row[1] < datetime(2024, 10, 1)] + stray)  # noqa: DTZ001
    write(tmp_path, "site", Habit("visit", 4).rows())
    found = covered(project(tmp_path, PURCHASES))
    assert [end.last for end in found.deciding] == ["2024-09-30"]


def test_a_record_by_day_lasts_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    days = [START + timedelta(days=n) for n in range(731)]
    rows = [(f"c{n:03d}", day, "purchase") for day in days for n in range(day.day % 7 + 3)]
    write(tmp_path, "orders", rows, always)
    folder = project(tmp_path, PURCHASES)
    found = covered(folder)
    assert Timeline("UTC").name(found.covered_until) == "2025-01-01"
    assert Timeline("UTC").name(found.as_of(2**62)) == "2025-01-01"
    assert labelled_until(folder) == "2024-11-02", "60 days later 2024-12-31 is over"

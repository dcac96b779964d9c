"""Who comes every year on the same date has left in no year, across 29 February as in other years."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.events.history import History
from features.timeline import DAY, Horizon, Timeline, days_after
from tests.inputs.small_project import SmallProject
from training.labels.cohort import cohort
from training.labels.labelling import label, latest_labelled
from training.labels.settings import Churn, ChurnSettings

SPANS = ((2011, 2013), (2015, 2016), (2023, 2025))
ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York")
EVERY_DAY = [date(2011, 1, 1) + timedelta(days=n) for n in range(365)]
"""One customer for each day of the year but 29 February."""


def yearly(
    folder: Path, span: tuple[int, int], zone: str, kinds: tuple[str, str], clock: str = "10:00:00"
) -> History:
    """The history of customers who come on the same date of each year, two years longer at both ends."""
    rows = [
        (f"{day:%m-%d}", f"{day.replace(year=year)} {clock}", kinds[year > span[0] - 2])
        for year in range(span[0] - 2, span[1] + 3)
        for day in EVERY_DAY
    ]
    names = ("customer_id", "occurred_at", "kind")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    made = EventStore(folder / "state", buckets=1)
    time = Timeline(zone)
    made.add(pa.table(columns), source="yearly", timeline=time, now=time.instant("2030-01-01"))
    return made.history(0)


def as_of_dates(span: tuple[int, int]) -> list[date]:
    """The first of every month, and the days around 29 February and the turn of the year."""
    dates = [date(year, month, 1) for year in range(span[0], span[1] + 1) for month in range(1, 13)]
    for year in range(span[0], span[1] + 1):
        last = date(year, 3, 1) - timedelta(days=1)
        dates += [date(year, 2, 28), last, date(year, 3, 2), date(year, 12, 31)]
    return sorted(set(dates))


def absent(history: History, churn: Churn, span: tuple[int, int], zone: str) -> dict[str, tuple[int, int]]:
    """By as-of date how many of the 365 are not in the cohort, and how many of the cohort leave; not 0, 0."""
    time, found = Timeline(zone), {}
    for day in as_of_dates(span):
        as_of = time.instant(day)
        keys = cohort(history, churn, as_of)
        gone = label(history, churn, keys, as_of, time.instant("2029-01-01"), time).churned
        if len(keys) != 365 or gone.any():
            found[day.isoformat()] = (365 - len(keys), int(gone.sum()))
    return found


def definition(zone: str, **settings: Any) -> Churn:
    read = ChurnSettings.model_validate({"active_days": 365, "horizon_days": 365, **settings})
    return Churn.of(read, indicators({}), zone)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("span", SPANS)
def test_yearly_buyers_stay_in_every_year(tmp_path: Path, span: tuple[int, int], zone: str) -> None:
    history = yearly(tmp_path, span, zone, ("purchase", "purchase"))
    for settings in ({}, {"lead_days": 7}, {"lead_days": 90}, {"horizon_days": 730}, {"active_days": 730}):
        assert absent(history, definition(zone, **settings), span, zone) == {}, settings


@pytest.mark.parametrize("clock", ["00:00:00", "09:30:00", "23:59:59"])
@pytest.mark.parametrize("span", SPANS)
def test_yearly_contracts_run_in_every_year(tmp_path: Path, span: tuple[int, int], clock: str) -> None:
    history = yearly(tmp_path, span, "Asia/Tokyo", ("started", "renewed"), clock)
    rules = {"type": "contract", "term_days": 365, "same_change_hours": 0}
    for settings in ({}, {"lead_days": 30}, {"horizon_days": 60}):
        churn = definition("Asia/Tokyo", **rules, **settings)
        assert absent(history, churn, span, "Asia/Tokyo") == {}, settings
    by_renewals = definition("Asia/Tokyo", indicators=["contract"])
    assert absent(history, by_renewals, span, "Asia/Tokyo") == {}


def test_a_yearly_contract_that_is_not_renewed_has_left_on_its_date(tmp_path: Path) -> None:
    rows = {
        "customer_id": ["stays", "stays", "leaves"],
        "occurred_at": ["2011-03-05 10:00:00", "2012-03-05 10:00:00", "2011-03-05 10:00:00"],
        "kind": ["started", "renewed", "started"],
    }
    time, store = Timeline(), EventStore(tmp_path / "state", buckets=1)
    store.add(pa.table(rows), source="subs", timeline=time, now=time.instant("2030-01-01"))
    churn, history = definition("UTC", type="contract", term_days=365, horizon_days=30), store.history(0)
    for as_of, there in (("2012-03-05T10:00:00", 2), ("2012-03-05T10:00:01", 1), ("2013-03-06", 0)):
        assert len(cohort(history, churn, time.instant(as_of))) == there, as_of
    as_of = time.instant("2012-02-28")
    keys = cohort(history, churn, as_of)
    gone = label(history, churn, keys, as_of, time.instant("2013-01-01"), time).churned
    assert store.customers.names(keys[gone]).to_pylist() == ["leaves"]


def test_the_base_rate_over_29_february_counts_only_who_stays_away(tmp_path: Path) -> None:
    """Forty come on 31 December of every year, and ten stay away after 2010: only 2011 loses any."""
    shop = SmallProject(tmp_path)
    lines = ["customer,bought,amount"]
    for number in range(50):
        years = range(2008, 2011 if number < 10 else 2014)
        lines += [f"c{number},{year}-12-31 {9 + number % 8:02}:30:00,100" for year in years]
    shop.write("data/orders.csv", *lines)
    shop.write(
        "kizuna.toml",
        'timezone = "America/New_York"',
        "[[sources]]",
        'name = "orders"',
        "query = \"select customer as customer_id, bought as occurred_at, 'purchase' as kind, "
        "amount as value from read_csv('data/orders.csv', all_varchar = true)\"",
        "[churn]",
        "active_days = 365",
        "horizon_days = 365",
    )
    shop.run("ingest")
    for as_of, customers in (("2011-01-01", 50), ("2012-01-01", 40), ("2012-12-31", 40), ("2013-01-01", 40)):
        shop.run("features", "--as-of", as_of, "--output", str(tmp_path / "f.parquet"))
        assert pq.read_table(tmp_path / "f.parquet").num_rows == customers, as_of
    mine = next(one for one in shop.run("doctor")["horizons"] if one["configured"])
    rates = [mine[f"base_rate{which}"] for which in ("", "_lowest", "_highest")]
    assert rates == [pytest.approx(10 / 190), 0.0, 0.2]  # cohorts of 50, 50, 50 and 40 on 31 December


def test_a_year_ends_on_the_same_local_date_and_29_february_on_1_march() -> None:
    tokyo = Timeline("Asia/Tokyo")

    def later(moment: str, days: int) -> str:
        return tokyo.name(days_after(tokyo.instant(moment), days, "Asia/Tokyo"))

    assert later("2011-03-01", 365) == "2012-03-01"
    assert later("2012-02-28", 365) == "2013-02-28"
    assert later("2012-02-29", 365) == "2013-03-01"
    assert later("2012-02-29", 1460) == "2016-02-29"
    assert later("2012-03-01", -365) == "2011-03-01"
    assert later("2012-03-01T10:30:00", -730) == "2010-03-01T10:30:00+09:00"
    assert later("2012-03-01", -366) == "2011-03-01"
    assert later("2011-03-01", 364) == "2012-02-28"
    assert later("2150-01-01", 365) == "2151-01-01"
    new_york = Timeline("America/New_York")  # summer time begins on 11 March in 2012, on 10 March in 2013
    end = Horizon(365, 0, "America/New_York").end(new_york.instant("2012-03-11"))
    assert new_york.name(end) == "2013-03-11"


def test_days_that_are_no_whole_years_and_old_definitions_stay_seconds() -> None:
    as_of = Timeline().instant("2012-01-01")
    assert Horizon(364, 0, "UTC").end(as_of) == as_of + 364 * DAY
    assert Horizon(366, 3, "UTC").end(as_of) == as_of + 369 * DAY
    usual = Churn.of(ChurnSettings.model_validate({}), indicators({}), "Asia/Tokyo")
    assert usual.to_json()["horizon"] == {"days": 60, "lead_days": 0}
    year = definition("Asia/Tokyo", lead_days=7)
    assert Churn.from_json(year.to_json()) == year
    assert year.definition == (
        "no purchase in [as_of + 7 d, as_of + 7 d + 1 year), among those with one in [as_of - 1 year, as_of)"
    )
    earlier = year.to_json() | {"horizon": {"days": 365, "lead_days": 0}}
    assert Churn.from_json(earlier).horizon.end(as_of) == as_of + 365 * DAY


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("horizon", [(365, 0), (365, 30), (730, 0), (1460, 7), (90, 0)])
def test_the_latest_date_with_a_label_is_the_last_whose_horizon_is_covered(
    zone: str, horizon: tuple[int, int]
) -> None:
    time, ahead = Timeline(zone), Horizon(*horizon, zone)
    for day in (datetime(2012, 2, 27) + timedelta(hours=7 * n) for n in range(20)):  # noqa: DTZ001 local
        covered = time.instant(day)
        latest = latest_labelled(covered, ahead, time)
        following = time.instant(time.local(latest).date() + timedelta(days=1))
        assert ahead.end(latest) <= covered < ahead.end(following), day

"""Yearly, monthly and other recurring amounts of contracts are brought to one unit; nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.catalog.defaults import catalog
from features.event_store import EventStore
from features.timeline import Timeline
from serving.presentation.messages.catalog import translated
from serving.project.settings import read
from tests.inputs.small_project import HEAD, SmallProject
from tests.inputs.test_suspicious_rows import remedy, wrapped

QUERY = "select * from read_csv('data/{name}.csv', all_varchar = true)"
CONTRACT = '[churn]\ntype = "contract"\nhorizon_days = 30'
COLUMNS = "event_id,customer_id,occurred_at,kind,value,detail"
LAST = """
[[features.add]]
name = "contract_last"
stream = { indicator = "contract" }
aggregate = "last"
"""
AMOUNTS = ["contract_sum_365d", "contract_last"]


def project(folder: Path, more: str = CONTRACT, **sources: tuple[str, str]) -> SmallProject:
    """A project of sources, each with its rows and the lines of its settings."""
    made = SmallProject(folder)
    tables = []
    for name, (rows, settings) in sources.items():
        made.write(f"data/{name}.csv", *(line.strip() for line in rows.strip().splitlines()))
        tables.append(f'[[sources]]\nname = "{name}"\nquery = """{QUERY.format(name=name)}"""\n{settings}')
    made.write("kizuna.toml", HEAD, *tables, more, LAST)
    return made


def features(made: SmallProject, *columns: str, as_of: str = "2024-06-15") -> dict[str, list[Any]]:
    """These features of every customer of the cohort."""
    file = made.folder / "f.parquet"
    made.run("features", "--as-of", as_of, "--output", str(file))
    rows = pq.read_table(file).to_pylist()
    return {row["customer_id"]: [row[column] for column in columns] for row in rows}


YEARLY = f"""
    {COLUMNS}
    1,ann,2024-01-10 10:00:00,started,12000,basic
    2,ann,2024-02-10 10:00:00,purchase,3000,
    3,ann,2024-02-12 10:00:00,refund,-500,
    4,bob,2024-03-10 10:00:00,started,18000,plus
    5,bob,2024-04-10 10:00:00,renewed,21000,plus
"""


def test_yearly_amounts_of_a_source_are_counted_a_month_and_purchases_as_they_are(tmp_path: Path) -> None:
    made = project(tmp_path, subs=(YEARLY, 'per = "year"'))
    receipt = made.run("ingest")["sources"][0]
    assert receipt["notes"] == ["3 recurring amounts of other periods are counted per month"]
    found = features(made, *AMOUNTS, "purchase_sum_365d")
    assert found == {"ann": [1000.0, 1000.0, 2500.0], "bob": [3250.0, 1750.0, 0.0]}


@pytest.mark.parametrize(
    ("per", "amount"),
    [
        ("day", 12000 * 365 / 12),
        ("week", 52000.0),
        ("month", 12000.0),
        ("quarter", 4000.0),
        ("half-year", 2000.0),
    ],
)
def test_every_period_is_brought_to_a_month(per: str, amount: float, tmp_path: Path) -> None:
    made = project(tmp_path, subs=(YEARLY, f'per = "{per}"'))
    made.run("ingest")
    assert features(made, "contract_last")["ann"] == [amount]


MIXED = """
    event_id,customer_id,occurred_at,kind,value,detail,per
    1,ann,2024-01-10 10:00:00,started,1000,basic,月額
    2,ann,2024-05-10 10:00:00,upgraded,18000,plus,年額
    3,bob,2024-01-10 10:00:00,started,24000,plus,Yearly
    4,bob,2024-05-10 10:00:00,downgraded,800,basic,
    5,cat,2024-01-10 10:00:00,started,3600,basic, QUARTERLY
    6,cat,2024-03-10 10:00:00,purchase,50,,year
"""


def test_rows_say_their_own_period_and_the_source_that_of_the_others(tmp_path: Path) -> None:
    made = project(tmp_path, subs=(MIXED, 'per = "month"'))
    made.run("ingest")
    found = features(made, "contract_sum_365d", "contract_upgraded_sum_365d", "contract_last")
    assert found == {
        "ann": [2500.0, 1500.0, 1500.0],
        "bob": [2800.0, 0.0, 800.0],
        "cat": [1200.0, 0.0, 1200.0],
    }
    assert features(made, "purchase_sum_365d")["cat"] == [50.0]


def test_the_report_weighs_who_left_by_amounts_of_one_unit(tmp_path: Path) -> None:
    """At the start of April ann pays 9,600 a year and bob 1,200 a month, who leaves: 1,200 of 2,000."""
    rows = """
        event_id,customer_id,occurred_at,kind,value,detail,per
        1,ann,2024-01-10 10:00:00,started,1000,basic,month
        2,ann,2024-02-10 10:00:00,cancelled,1000,basic,month
        3,ann,2024-02-10 10:00:00,started,9600,basic,year
        4,bob,2024-01-10 10:00:00,started,1200,basic,month
        5,bob,2024-05-10 10:00:00,cancelled,1200,basic,month
        6,cat,2024-07-02 10:00:00,started,1000,basic,month
    """
    made = project(tmp_path, subs=(rows, ""))
    made.run("ingest")
    measures = {one["name"]: one["figure"] for one in made.run("report")["measures"]}
    assert measures["churned_value_rate"]["value"] == pytest.approx(0.6)


@pytest.mark.parametrize(("language", "words"), [("en", "latest yearly amount"), ("ja", "契約金額（年額）")])
def test_the_unit_of_the_project_may_be_a_year_and_features_say_it(
    language: str, words: str, tmp_path: Path
) -> None:
    made = project(
        tmp_path,
        CONTRACT + '\n[indicators.contract]\nper = "year"',
        web=(YEARLY, 'per = "year"'),
        shop=(f"{COLUMNS}\n9,zoe,2024-02-01 09:00:00,started,900,basic", 'per = "month"'),
    )
    made.run("ingest")
    assert features(made, "contract_last") == {"ann": [12000.0], "bob": [21000.0], "zoe": [10800.0]}
    (contract,) = [one for one in read(tmp_path).indicators if one.name == "contract"]
    known = catalog([contract], read(tmp_path).settings.features, ["started"])
    assert words in known.meaning("contract_last", language)


def test_kinds_that_churn_names_as_contracts_are_converted_too(tmp_path: Path) -> None:
    rows = f"{COLUMNS}\n1,ann,2024-01-10 10:00:00,subscribed,12000,basic"
    more = '\n[indicators.subscription]\nkinds = ["subscribed"]\namounts = true'
    churn = CONTRACT + '\nstarted_by = ["subscribed"]' + more
    made = project(tmp_path, churn, subs=(rows, 'per = "year"'))
    made.run("ingest")
    assert features(made, "subscription_sum_365d") == {"ann": [1000.0]}


@pytest.mark.parametrize(
    ("per", "more", "key"),
    [
        ('per = "annual"', "", "sources[1].per"),
        ("per = 12", "", "sources[1].per"),
        ("", '[indicators.contract]\nper = "fortnight"', "indicators.contract.per"),
    ],
)
def test_a_word_that_is_no_period_is_refused_with_file_key_and_choices(
    per: str, more: str, key: str, tmp_path: Path
) -> None:
    error = project(tmp_path, more, subs=(YEARLY, per)).refused("ingest")
    assert str(tmp_path / "kizuna.toml") in error
    assert key in error
    assert "'day', 'week', 'month', 'quarter', 'half-year' or 'year'" in error


def test_a_row_whose_period_is_no_period_is_refused_by_its_word(tmp_path: Path) -> None:
    rows = MIXED.replace("Yearly", "fortnight")
    made = project(tmp_path, subs=(rows, ""))
    receipt = made.run("ingest", "--accept-quarantine", "subs")["sources"][0]
    assert [(one["reason"], one["rows"]) for one in receipt["reasons"]] == [
        ("per is 'fortnight', which is no period: write day, week, month, quarter, half-year or year", 1)
    ]


def test_a_column_per_beside_other_events_than_contracts_means_nothing(tmp_path: Path) -> None:
    rows = "customer_id,occurred_at,kind,value,per\nann,2024-01-10 10:00:00,purchase,1200,3 pieces"
    made = project(tmp_path, "", shop=(rows, 'per = "year"'))
    made.run("ingest")
    assert features(made, "purchase_sum_365d", as_of="2024-01-11") == {"ann": [1200.0]}


def test_another_per_is_read_anew_and_twice_adds_nothing(tmp_path: Path) -> None:
    made = project(tmp_path, subs=(YEARLY, ""))
    made.run("ingest")
    assert features(made, "contract_last")["ann"] == [12000.0]
    project(tmp_path, subs=(YEARLY, 'per = "year"'))
    assert made.run("ingest")["sources"][0]["corrected"] == 3
    assert features(made, "contract_last")["ann"] == [1000.0]
    again = made.run("ingest")["sources"][0]
    assert (again["new"], again["corrected"]) == (0, 0)
    project(tmp_path, CONTRACT + '\n[indicators.contract]\nper = "quarter"', subs=(YEARLY, 'per = "year"'))
    made.run("ingest")
    assert features(made, "contract_last")["ann"] == [3000.0]


def test_a_receipt_in_japanese_says_what_was_converted() -> None:
    said = translated("3 recurring amounts of other periods are counted per month", "ja")
    assert said == "期間の異なる契約金額3件を1か月あたりの金額に換算しました"


def test_an_indicator_of_ones_own_needs_kinds_and_a_built_in_one_has_them(tmp_path: Path) -> None:
    error = project(tmp_path, '[indicators.loans]\nper = "year"', subs=(YEARLY, "")).refused("ingest")
    assert "the key `indicators.loans.kinds` is missing" in error


def doctored(made: SmallProject) -> dict[str, Any] | None:
    made.run("ingest")
    return made.findings().get("contract_amounts")


def sold(prices: dict[str, tuple[float, ...]], first: int = 1, count: int = 24) -> str:
    """Starts of contracts at these prices of each plan, in turn."""
    lines = [COLUMNS]
    for number in range(count):
        plan = list(prices)[number % len(prices)]
        price = prices[plan][(number // len(prices)) % len(prices[plan])]
        when = datetime(2024, 1, 1, 10, tzinfo=UTC) + timedelta(days=number)
        lines.append(f"{first + number},c{first + number},{when:%Y-%m-%d %H:%M:%S},started,{price},{plan}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("prices", "ratio"),
    [
        ({"basic": (1000.0, 12000.0), "plus": (2500.0, 30000.0)}, 12.0),
        ({"basic": (980.0, 9800.0, 980.0)}, 10.0),
        ({"ベーシック月払い": (980.0,), "ベーシック年払い": (11760.0,)}, 12.0),
    ],
)
def test_doctor_names_a_source_of_two_periods_and_its_remedy_heals_it(
    prices: dict[str, tuple[float, ...]], ratio: float, tmp_path: Path
) -> None:
    made = project(tmp_path, subs=(sold(prices), ""))
    said = doctored(made)
    assert said is not None
    assert said["source"] == "subs"
    assert said["ratio"] == pytest.approx(ratio)
    query = wrapped(remedy(said), "subs")
    made.write("kizuna.toml", HEAD, f'[[sources]]\nname = "subs"\nquery = """{query}"""', CONTRACT, LAST)
    made.run("ingest", "--replace", "subs")
    assert "contract_amounts" not in made.findings()
    months = {price / 12 if price > 5000 else price for of in prices.values() for price in of}
    assert {one for (one,) in features(made, "contract_last").values()} == months


def test_doctor_names_the_source_whose_amounts_are_of_a_year_beside_one_of_months(tmp_path: Path) -> None:
    web, shop = sold({"basic": (1200.0,)}), sold({"basic": (14400.0,)}, first=100)
    made = project(tmp_path, web=(web, ""), shop=(shop, ""))
    said = doctored(made)
    assert said is not None
    assert (said["source"], said["other"]) == ("shop", "web")
    assert '`per = "year"`' in said["sentence"]
    project(tmp_path, web=(web, ""), shop=(shop, 'per = "year"'))
    made.run("ingest", "--replace", "shop")
    assert "contract_amounts" not in made.findings()
    assert {one for (one,) in features(made, "contract_last").values()} == {1200.0}


@pytest.mark.parametrize(
    "prices",
    [
        {"basic": (1000.0, 1100.0, 3000.0), "plus": (12000.0,)},
        {"": (980.0, 9800.0)},
        {"seats": tuple(float(100 * n) for n in range(1, 24))},
    ],
)
def test_prices_of_one_period_are_not_taken_for_two(
    prices: dict[str, tuple[float, ...]], tmp_path: Path
) -> None:
    assert doctored(project(tmp_path, subs=(sold(prices), ""))) is None


def test_a_row_that_waits_for_its_day_is_converted_once(tmp_path: Path) -> None:
    made = project(tmp_path, subs=(YEARLY, 'per = "year"\nwatermark = "occurred_at"'))
    settings = read(tmp_path)
    store = EventStore(settings.state)
    fates = []
    for day in ("2024-04-01", "2024-04-11"):
        receipts = store.ingest(
            settings.settings.sources,
            [],
            folder=tmp_path,
            timeline=Timeline(),
            now=Timeline().instant(day),
            units=settings.recurring_units,
        )
        fates.append((receipts[0].new, receipts[0].quarantined))
    assert fates == [(4, 1), (1, 0)]
    assert features(made, "contract_last")["bob"] == [1750.0]

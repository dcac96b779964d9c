"""Rows that are not what they seem: `doctor` says so with the figure, and its remedy heals them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.inputs.small_project import HEAD, SmallProject

START = datetime.fromisoformat("2024-01-01 10:00:00")
QUERY = "select * from read_csv('data/{name}.csv', all_varchar = true)"
Row = dict[str, Any]


def project(
    folder: Path, queries: dict[str, str] | None = None, more: str = "", **files: Iterable[Row]
) -> SmallProject:
    """A project with one source for each file; `queries` replaces the plain query of some."""
    made = SmallProject(folder)
    sources = []
    for name, rows in files.items():
        every = list(rows)
        columns = list(dict.fromkeys(column for row in every for column in row))
        lines = [",".join(str(row.get(column, "")) for column in columns) for row in every]
        made.write(f"data/{name}.csv", ",".join(columns), *lines)
    for name, query in {name: QUERY.format(name=name) for name in files}.items():
        chosen = (queries or {}).get(name, query)
        if chosen:
            sources.append(f'[[sources]]\nname = "{name}"\nquery = """{chosen}"""')
    made.write("kizuna.toml", HEAD, *sources, more)
    return made


def bought(customer: object, day: float, value: float = 100.0, **more: object) -> Row:
    moment = START + timedelta(days=day)
    return {
        "customer_id": customer,
        "occurred_at": more.pop("at", moment.isoformat(sep=" ", timespec="seconds")),
        "kind": "purchase",
        "value": value,
        **more,
    }


def ordinary(customers: int = 30, days: int = 180, every: int = 9, value: float = 100.0) -> list[Row]:
    """Customers who buy every few days, at different times of day and for different amounts."""
    return [
        bought(
            f"c{number:03}",
            day + number * 0.013 + day * 0.0007,
            round(value * (1 + (number * 7 + day) % 13 / 10), 2),
        )
        for number in range(customers)
        for day in range(number % every, days, every)
    ]


def found(made: SmallProject) -> dict[str, dict[str, Any]]:
    made.run("ingest")
    return made.findings()


NEW = {
    "near_equal_ids",
    "zeros_cut",
    "changed_ids",
    "id_per_order",
    "same_rows_twice",
    "guests_under_one_id",
    "unit_changes",
    "unit_differs",
    "several_currencies",
    "machine_responses",
    "only_opens",
    "lines_by_day",
}


def wrapped(query: str, name: str) -> str:
    """A remedy with the plain query of a source in the place of its dots."""
    return query.replace(" … ", QUERY.format(name=name), 1)


def remedy(finding: dict[str, Any]) -> str:
    """The SQL that the sentence shows."""
    return str(finding["sentence"]).split("`")[1]


def test_ordinary_purchases_raise_none_of_these_findings(tmp_path):
    assert NEW.isdisjoint(found(project(tmp_path, orders=ordinary())))


# --- the same rows twice ------------------------------------------------------------------------


def test_two_files_of_one_source_that_overlap_are_named_with_the_days_and_the_rows(tmp_path):
    rows = ordinary()
    again = [row for row in rows if "2024-03-01" <= str(row["occurred_at"]) < "2024-04-01"]
    finding = found(project(tmp_path, orders=[*rows, *again]))["same_rows_twice"]
    assert (finding["rows"], finding["from"], finding["until"]) == (len(again), "2024-03-01", "2024-03-31")
    assert finding["share"] == pytest.approx(len(again) / (len(rows) + len(again)))
    assert finding["sources"] == ["orders", "orders"]


def test_distinct_rows_heal_it(tmp_path):
    rows = ordinary()
    broken = project(tmp_path / "broken", orders=[*rows, *rows])
    query = wrapped(remedy(found(broken)["same_rows_twice"]), "orders")
    healed = project(tmp_path / "healed", {"orders": query}, orders=[*rows, *rows])
    assert "same_rows_twice" not in found(healed)
    assert healed.run("doctor")["data"]["events"] == len(rows)


def test_two_sources_with_the_same_rows_are_both_named(tmp_path):
    rows = ordinary()
    finding = found(project(tmp_path, web=rows, pos=rows[:200]))["same_rows_twice"]
    assert finding["sources"] == ["pos", "web"]
    assert finding["rows"] >= 190
    assert "'pos' and 'web'" in finding["sentence"]


def test_equal_rows_here_and_there_are_no_copies(tmp_path):
    rows = ordinary()
    assert "same_rows_twice" not in found(project(tmp_path, orders=[*rows, *rows[::40]]))


def test_lines_of_receipts_of_which_some_are_equal_are_no_copies(tmp_path):
    lines = [dict(row, detail=item) for row in ordinary() for item in ("tea", "tea", "milk")]
    finding = found(project(tmp_path, orders=lines))
    assert "same_rows_twice" not in finding
    assert "lines" in finding


# --- receipt lines with days only ---------------------------------------------------------------


def _by_day(rows: Iterable[Row]) -> list[Row]:
    return [dict(row, occurred_at=str(row["occurred_at"])[:10]) for row in rows]


def test_lines_of_one_order_on_a_day_without_time_are_told_from_visits(tmp_path):
    lines = [
        dict(row, value=row["value"] + item, order_no=f"o{number}")
        for number, row in enumerate(_by_day(ordinary()))
        for item in range(3)
    ]
    made = project(tmp_path / "lines", orders=lines)
    finding = found(made)["lines_by_day"]
    assert finding["share"] == pytest.approx(2 / 3, abs=0.001)
    query = """select customer_id, occurred_at, 'purchase' as kind, sum(value::double) as value,
        order_no as event_id from read_csv('data/orders.csv', all_varchar = true) group by all"""
    healed = project(tmp_path / "orders", {"orders": query}, orders=lines)
    assert "lines_by_day" not in found(healed)
    assert healed.run("doctor")["data"]["events"] == len(lines) // 3


def test_a_second_visit_on_a_day_now_and_then_is_no_receipt(tmp_path):
    rows = _by_day(ordinary())
    twice = [dict(row, value=7) for row in rows[::15]]
    assert "lines_by_day" not in found(project(tmp_path, orders=[*rows, *twice]))


# --- guests -------------------------------------------------------------------------------------


def test_guests_under_one_id_are_found_by_their_name(tmp_path):
    guests = [bought("guest", day * 0.9, place=f"s{day % 6}") for day in range(115)]
    rows = ordinary(customers=200, every=12)
    finding = found(project(tmp_path / "with", orders=[*rows, *guests]))["guests_under_one_id"]
    assert (finding["customer_id"], finding["events"], finding["places"]) == ("guest", 115, 6)
    query = wrapped(remedy(finding), "orders")
    healed = project(tmp_path / "without", {"orders": query}, orders=[*rows, *guests])
    assert "guests_under_one_id" not in found(healed)
    assert healed.run("doctor")["data"]["customers"] == 200


def test_a_till_without_cards_is_found_by_its_days(tmp_path):
    till = [bought("T-77", hour / 2 + 0.01) for hour in range(100)]
    rows = ordinary(customers=400, days=60)
    finding = found(project(tmp_path, orders=[*rows, *till]))["guests_under_one_id"]
    assert (finding["customer_id"], finding["events"]) == ("T-77", 100)
    assert finding["days"] >= 49


def test_a_customer_who_buys_a_lot_is_no_guest(tmp_path):
    often = [bought("c900", day * 4.1) for day in range(40)]
    assert "guests_under_one_id" not in found(project(tmp_path, orders=[*ordinary(customers=150), *often]))


# --- units --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "word"), [(0.001, "1,000 times larger"), (100, "100 times smaller")])
def test_amounts_that_change_their_unit_on_a_day_are_found_and_healed(tmp_path, factor, word):
    day = "2024-04-01"
    rows = ordinary(value=3000.0)
    changed = [
        dict(row, value=row["value"] * factor if str(row["occurred_at"]) < day else row["value"])
        for row in rows
    ]
    finding = found(project(tmp_path / "broken", orders=changed))["unit_changes"]
    assert (finding["day"], finding["factor"]) == (day, pytest.approx(1 / factor))
    assert word in finding["sentence"]
    query = wrapped(remedy(finding), "orders")
    healed = project(tmp_path / "healed", {"orders": query}, orders=changed)
    assert "unit_changes" not in found(healed)
    assert _sum_of(healed) == pytest.approx(sum(row["value"] for row in rows))


@pytest.mark.parametrize(("factor", "times"), [(100, 100), (0.001, 0.001)])
def test_a_source_in_another_unit_is_named_and_healed(tmp_path, factor, times):
    rows = ordinary(value=3000.0)
    web = [dict(row, value=row["value"] * factor, customer_id=f"w{row['customer_id']}") for row in rows[::3]]
    finding = found(project(tmp_path / "broken", pos=rows, web=web))["unit_differs"]
    assert (finding["source"], finding["factor"]) == ("web", pytest.approx(times))
    healed = project(tmp_path / "healed", {"web": wrapped(remedy(finding), "web")}, pos=rows, web=web)
    assert "unit_differs" not in found(healed)


def test_a_channel_in_thousands_is_named(tmp_path):
    rows = [dict(row, channel="store") for row in ordinary(value=3000.0)]
    rows += [dict(row, channel="app", value=row["value"] / 1000, customer_id="x") for row in rows[::9]]
    finding = found(project(tmp_path, orders=rows))["unit_differs"]
    assert (finding["channel"], finding["factor"]) == ("app", pytest.approx(0.001))


def test_prices_that_rise_and_dear_things_are_no_change_of_unit(tmp_path):
    rows = ordinary(value=100.0)
    dearer = [
        dict(row, value=row["value"] * (3 if str(row["occurred_at"]) > "2024-04" else 1)) for row in rows
    ]
    mixed = [dict(row, value=row["value"] * (100 if n % 4 == 0 else 1)) for n, row in enumerate(dearer)]
    assert NEW.isdisjoint(found(project(tmp_path, orders=mixed)))


def _sum_of(made: SmallProject) -> float:
    from features.event_store import EventStore

    return math.fsum(float(history.values.sum()) for history in EventStore(made.folder / "state").histories())


# --- currencies ---------------------------------------------------------------------------------


def test_currencies_are_named_with_their_sums_and_converted_as_told(tmp_path):
    rows = [
        dict(row, currency="USD" if n % 3 == 0 else "JPY", value=20 if n % 3 == 0 else 3000)
        for n, row in enumerate(ordinary())
    ]
    finding = found(project(tmp_path / "broken", orders=rows))["several_currencies"]
    dollars = sum(row["currency"] == "USD" for row in rows)
    assert finding["currencies"] == ["JPY", "USD"]
    assert finding["sums"] == [f"{3000 * (len(rows) - dollars):.2f}", f"{20 * dollars:.2f}"]
    assert finding["share"] == pytest.approx(dollars / len(rows))
    query = wrapped(remedy(finding).replace("RATE", "150"), "orders")
    healed = project(tmp_path / "healed", {"orders": query}, orders=rows)
    assert "several_currencies" not in found(healed)
    assert _sum_of(healed) == 3000 * len(rows)


def test_the_currencies_of_customers_are_counted_by_their_last_value(tmp_path):
    people = "\n".join(
        f"c{n:03},{'EUR' if n < 8 else 'CHF'},{day}" for n in range(30) for day in ("2024-01-01",)
    )
    attribute = """[[attributes]]
name = "currency"
query = "select c as customer_id, d as known_at, v as value from read_csv('data/money.csv')"
"""
    made = project(tmp_path, more=attribute, orders=ordinary())
    made.write("data/money.csv", "c,v,d", people, "c000,CHF,2024-02-01")
    finding = found(made)["several_currencies"]
    assert (finding["currencies"], finding["counts"]) == (["CHF", "EUR"], ["23", "7"])


def test_one_currency_is_no_finding(tmp_path):
    rows = [dict(row, currency="JPY") for row in ordinary()]
    assert "several_currencies" not in found(project(tmp_path, orders=rows))


# --- machines -----------------------------------------------------------------------------------


def _mails(customers: int = 40, quick: int = 15) -> tuple[list[Row], list[Row]]:
    """Monthly mails and clicks: within 3 seconds for some customers, within hours for the others."""
    sent, clicked = [], []
    for number in range(customers):
        for month in range(6):
            moment = START + timedelta(days=30 * month)
            later = timedelta(seconds=3) if number < quick else timedelta(minutes=30 + 7 * number + month)
            sent.append(bought(f"c{number:03}", 0, at=moment.isoformat(), value="") | {"kind": "email_sent"})
            clicked.append(
                bought(f"c{number:03}", 0, at=(moment + later).isoformat(), value="")
                | {"kind": "email_clicked"}
            )
    return sent, clicked


def test_clicks_within_seconds_of_sending_are_counted_and_left_out_as_told(tmp_path):
    sent, clicked = _mails()
    finding = found(project(tmp_path / "broken", orders=ordinary(), sent=sent, clicked=clicked))[
        "machine_responses"
    ]
    assert (finding["events"], finding["share"]) == (90, pytest.approx(90 / 240))
    query = wrapped(wrapped(remedy(finding), "clicked"), "sent")
    healed = project(tmp_path / "healed", {"clicked": query}, orders=ordinary(), sent=sent, clicked=clicked)
    assert "machine_responses" not in found(healed)
    kinds = {kind["name"]: kind["events"] for kind in healed.run("doctor")["data"]["kinds"]}
    assert kinds["email_clicked"] == 150


def test_days_without_a_time_are_no_quick_answers(tmp_path):
    sent, clicked = _mails(quick=0)
    by_day = [dict(row, occurred_at=str(row["occurred_at"])[:10]) for row in (*sent, *clicked)]
    assert "machine_responses" not in found(project(tmp_path, orders=ordinary(), mails=by_day))


def test_a_push_message_may_be_answered_within_seconds(tmp_path):
    sent, clicked = _mails()
    pushed = [dict(row, kind="push_sent") for row in sent]
    assert "machine_responses" not in found(
        project(tmp_path, orders=ordinary(), sent=pushed, clicked=clicked)
    )


def test_visits_of_a_day_without_time_and_amount_are_no_copies(tmp_path):
    visits = [dict(row, kind="visit", value="") for row in _by_day(ordinary()) for _ in range(3)]
    assert "same_rows_twice" not in found(project(tmp_path, visits=visits))


def _opens(customers: Iterable[int]) -> list[Row]:
    return [
        bought(f"c{number:03}", 100 + week * 7 + number * 0.01, value="") | {"kind": "email_opened"}
        for number in customers
        for week in range(11)
    ]


def test_customers_who_only_open_for_months_are_counted(tmp_path):
    gone = [
        row
        for row in ordinary(customers=40)
        if int(str(row["customer_id"])[1:]) >= 15 or "2024-01" in str(row["occurred_at"])
    ]
    made = project(tmp_path, orders=gone, opens=_opens(range(40)))
    finding = found(made)
    assert (finding["only_opens"]["customers"], finding["only_opens"]["share"]) == (
        15,
        pytest.approx(15 / 40),
    )
    assert finding["only_opens"]["indicators"] == []
    assert "unnamed_kind" not in finding, "nobody is told to count what machines do"


def test_an_indicator_that_counts_opens_is_named(tmp_path):
    gone = [
        row
        for row in ordinary(customers=40)
        if int(str(row["customer_id"])[1:]) >= 15 or "2024-01" in str(row["occurred_at"])
    ]
    more = '[indicators.response]\nkinds = ["email_clicked", "email_opened"]'
    finding = found(project(tmp_path, more=more, orders=gone, opens=_opens(range(40))))["only_opens"]
    assert finding["indicators"] == ["response"]
    assert "[indicators.response]" in finding["sentence"]


def test_findings_are_said_in_japanese_too(tmp_path):
    rows = ordinary()
    made = project(tmp_path, orders=[*rows, *rows])
    made.run("ingest")
    (finding,) = [
        one for one in made.run("doctor", "--language", "ja")["findings"] if one["name"] == "same_rows_twice"
    ]
    assert f"{len(rows):,}行（50.0%）が二重に数えられています" in finding["sentence"]


@pytest.mark.parametrize("dates", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d"])
def test_a_pattern_of_files_that_takes_a_year_twice_is_named_and_healed(tmp_path, dates):
    """`orders/*.csv` takes the file of one year and the file of all."""
    rows = [
        f"c{n % 60},{(START + timedelta(hours=11 * n)).strftime(dates)},{100 + n % 37}" for n in range(900)
    ]
    made = SmallProject(tmp_path)
    made.write("orders/orders_2025.csv", "who,day,total", *rows[600:])
    made.write("orders/orders_all.csv", "who,day,total", *rows)
    query = (
        "select who as customer_id, day as occurred_at, 'purchase' as kind, total as value "
        "from read_csv('orders/*.csv', all_varchar = true)"
    )
    source = '[[sources]]\nname = "orders"\nquery = """{}"""'
    made.write("kizuna.toml", HEAD, source.format(query))
    finding = found(made)["same_rows_twice"]
    assert finding["rows"] == 300
    assert finding["share"] == pytest.approx(300 / 1200)
    made.write("kizuna.toml", HEAD, source.format(remedy(finding).replace("…", query)))
    made.run("ingest", "--replace", "orders")
    assert "same_rows_twice" not in made.findings()

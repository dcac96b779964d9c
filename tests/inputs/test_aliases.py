"""Customers whose id changed: `[[aliases]]` is followed everywhere, and nobody comes twice."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.event_store import EventStore
from features.privacy.suppression_list import SuppressionList
from tests.inputs.small_project import HEAD, SmallProject

SOURCE = '''
[[sources]]
name = "orders"
query = """
select id as customer_id, moment as occurred_at, 'purchase' as kind, amount as value
from read_csv('data/orders.csv', all_varchar = true)
"""
[[attributes]]
name = "plan"
query = """
select id as customer_id, '2024-01-01' as known_at, plan as value
from read_csv('data/plans.csv', all_varchar = true)
"""
[churn]
active_days = 60
horizon_days = 30
'''
ALIASES = """
[[aliases]]
query = "select old_id, new_id from read_csv('data/aliases.csv', all_varchar = true)"
"""
ORDERS = ("id,moment,amount", "A1,2024-03-01 10:00,100", "B1,2024-03-02 10:00,200", "A1,2024-03-03 10:00,50")
LATER = ("N1,2024-03-20 10:00,30", "N1,2024-03-03 10:00,50")
PLANS = ("id,plan", "A1,basic", "B1,gold")


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    """Two customers; A1 became N1."""
    shop = SmallProject(tmp_path)
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    shop.write("data/orders.csv", *ORDERS)
    shop.write("data/plans.csv", *PLANS)
    shop.write("data/aliases.csv", "old_id,new_id", "A1,N1")
    return shop


def features(shop: SmallProject, as_of: str = "2024-04-01") -> dict[str, dict[str, object]]:
    """The features of each customer, and nothing of the order of rows."""
    file = shop.folder / "features.parquet"
    shop.run("features", "--as-of", as_of, "--output", str(file))
    return {str(row["customer_id"]): row for row in pq.read_table(file).to_pylist()}


def same(one: dict[str, dict[str, object]], other: dict[str, dict[str, object]]) -> bool:
    return repr(sorted(one.items())) == repr(sorted(other.items()))


def received(answer: dict[str, list[dict[str, int]]]) -> list[tuple[int, int, int]]:
    return [(one["read"], one["new"], one["already_there"]) for one in answer["sources"]]


def renamed(shop: SmallProject, folder: Path, names: dict[str, str]) -> SmallProject:
    """The same project whose data say the new ids themselves."""
    other = SmallProject(folder)
    other.write("kizuna.toml", HEAD, SOURCE)
    for name in ("data/orders.csv", "data/plans.csv"):
        text = (shop.folder / name).read_text()
        for old, new in names.items():
            text = text.replace(f"{old},", f"{new},")
        other.write(name, text.rstrip("\n"))
    return other


def test_rows_under_the_old_id_are_the_new_customers(shop):
    shop.write("data/orders.csv", *ORDERS, *LATER)
    assert received(shop.run("ingest")) == [(5, 5, 0), (2, 2, 0), (1, 1, 0)]
    rows = features(shop)
    assert sorted(rows) == ["B1", "N1"]
    assert rows["N1"]["purchase_count_90d"] == 4
    assert rows["N1"]["purchase_sum_90d"] == 230
    assert received(shop.run("ingest")) == [(5, 0, 5), (2, 0, 2), (1, 0, 1)]


def test_a_project_with_aliases_is_byte_for_byte_that_of_data_with_the_new_ids(shop, tmp_path):
    shop.write("data/orders.csv", *ORDERS, *LATER)
    other = renamed(shop, tmp_path / "other", {"A1": "N1"})
    assert shop.run("ingest")["data_version"] == other.run("ingest")["data_version"]
    for project in (shop, other):
        project.run("features", "--as-of", "2024-04-01", "--output", str(project.folder / "f.parquet"))
    assert (shop.folder / "f.parquet").read_bytes() == (other.folder / "f.parquet").read_bytes()


@pytest.mark.parametrize("known_before", [False, True], ids=["only the old id", "both ids"])
def test_what_was_stored_under_the_old_id_moves_with_the_next_ingest(shop, tmp_path, known_before):
    shop.write("kizuna.toml", HEAD, SOURCE)
    if known_before:
        shop.write("data/orders.csv", *ORDERS, *LATER)
    shop.run("ingest")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    shop.write("data/orders.csv", *ORDERS, *LATER)
    answer = shop.run("ingest")
    other = renamed(shop, tmp_path / "other", {"A1": "N1"})
    assert answer["data_version"] == other.run("ingest")["data_version"]
    assert same(features(shop), features(other))
    assert received(shop.run("ingest"))[:2] == [(5, 0, 5), (2, 0, 2)]
    assert shop.run("ingest")["data_version"] == answer["data_version"]


def test_true_repeats_on_both_sides_stay_two_events_and_come_in_once(shop):
    """A1 and N1 each bought for 50 at the same minute."""
    shop.write("kizuna.toml", HEAD, SOURCE)
    shop.write("data/orders.csv", *ORDERS, *LATER)
    shop.run("ingest")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    assert received(shop.run("ingest"))[0] == (5, 0, 5)
    assert features(shop)["N1"]["purchase_sum_90d"] == 230


def test_an_event_id_that_the_source_gives_stays_and_its_event_moves(shop):
    source = SOURCE.replace("amount as value", "amount as value, number as event_id")
    orders = ("id,moment,amount,number", "A1,2024-03-01 10:00,100,o-1", "B1,2024-03-02 10:00,200,o-2")
    shop.write("kizuna.toml", HEAD, source)
    shop.write("data/orders.csv", *orders)
    shop.run("ingest")
    shop.write("kizuna.toml", HEAD, source, ALIASES)
    shop.write("data/orders.csv", *orders, "N1,2024-03-09 10:00,1,o-3", "N1,2024-03-01 10:00,100,o-1")
    assert received(shop.run("ingest"))[0] == (4, 1, 3)
    assert features(shop)["N1"]["purchase_sum_90d"] == 101


def test_chains_lead_to_the_newest_id_in_any_order_of_rows_and_over_several_ingests(shop):
    shop.run("ingest")
    shop.write("data/aliases.csv", "old_id,new_id", "N1,Z1", "A1,N1")
    shop.write("data/orders.csv", *ORDERS, *LATER, "Z1,2024-03-25 10:00,7")
    shop.run("ingest")
    rows = features(shop)
    assert sorted(rows) == ["B1", "Z1"]
    assert rows["Z1"]["purchase_sum_90d"] == 237
    assert EventStore(shop.folder / "state").customers.all_ids("A1") == ("Z1", "A1", "N1")


def test_two_old_ids_of_one_person_become_one_customer(shop):
    shop.write("kizuna.toml", HEAD, SOURCE)
    shop.run("ingest")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    shop.write("data/aliases.csv", "old_id,new_id", "A1,P", "B1,P")
    shop.run("ingest")
    rows = features(shop)
    assert sorted(rows) == ["P"]
    assert rows["P"]["purchase_sum_90d"] == 350


def test_aliases_that_are_left_out_later_are_still_followed(shop):
    shop.run("ingest")
    shop.write("data/aliases.csv", "old_id,new_id")
    shop.write("data/orders.csv", *ORDERS, "A1,2024-03-21 10:00,9")
    shop.run("ingest")
    assert features(shop)["N1"]["purchase_sum_90d"] == 159


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["A1,N1", "N1,A1"], "they go in a circle, 'A1' → 'N1' → 'A1'"),
        (["A1,N1", "N1,Z1", "Z1,N1"], "they go in a circle"),
        (["A1,N1", "A1,N2"], "'A1' has two new ids, 'N1' and 'N2'"),
    ],
)
def test_circles_and_two_new_ids_for_one_old_are_refused_and_nothing_is_stored(shop, rows, words):
    shop.write("data/aliases.csv", "old_id,new_id", *rows)
    assert words in shop.refused("ingest")
    assert EventStore(shop.folder / "state").version == f"{0:016x}"


def test_an_alias_that_was_followed_cannot_lead_elsewhere_later(shop):
    shop.run("ingest")
    shop.write("data/aliases.csv", "old_id,new_id", "A1,N2")
    assert "'A1' became 'N2', but it was read as 'N1' before" in shop.refused("ingest")
    shop.write("data/aliases.csv", "old_id,new_id", "A1,N2", "N1,N2")
    shop.run("ingest")
    assert sorted(features(shop)) == ["B1", "N2"]


def test_rows_that_say_nothing_are_passed_over_and_empty_ones_refused(shop):
    shop.write("data/aliases.csv", "old_id,new_id", "A1,N1", "A1,N1", "B1,B1", "C1,", ",N9")
    (aliases,) = [one for one in shop.run("ingest")["sources"] if one["source"] == "aliases"]
    assert (aliases["read"], aliases["quarantined"]) == (5, 2)
    reasons = {one["reason"] for one in shop.run("doctor")["data"]["refused"]}
    assert reasons == {"new_id is empty", "old_id is empty"}


def test_an_alias_holds_from_the_moment_on_that_it_is_known(shop):
    table = "select old_id, new_id, since as known_at from read_csv('data/aliases.csv', all_varchar = true)"
    shop.write("kizuna.toml", HEAD, SOURCE, f'[[aliases]]\nname = "merged"\nquery = "{table}"')
    shop.write("data/aliases.csv", "old_id,new_id,since", "A1,N1,2024-03-05", "B1,N2,2199-01-01", "D1,N3,")
    shop.run("ingest")
    assert sorted(features(shop)) == ["B1", "N1"]


def test_numbers_as_ids_are_read_as_those_of_events(shop):
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES.replace("old_id,", "old_id::int as old_id,"))
    shop.write("data/aliases.csv", "old_id,new_id", "17,N1")
    shop.write("data/orders.csv", "id,moment,amount", "17,2024-03-01 10:00,100")
    shop.run("ingest")
    assert sorted(features(shop)) == ["N1"]


def test_a_table_without_the_columns_is_refused_in_words(shop):
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES.replace("old_id, new_id", "old_id as a, new_id as b"))
    assert "gives no column 'old_id'. It has a, b;" in shop.refused("ingest")


@pytest.mark.parametrize("asked", ["A1", "N1"])
def test_erasing_either_id_erases_both_and_both_stay_out(shop, asked):
    shop.write("data/orders.csv", *ORDERS, *LATER)
    shop.run("ingest")
    receipt = shop.run("erase", asked)
    assert receipt["events"] == 5
    assert {asked, *receipt["other_ids"]} == {"A1", "N1"}
    assert not [file for file in receipt["left_in"] if file.startswith("state/")]
    erased = SuppressionList(shop.folder / "state")
    assert "A1" in erased
    assert "N1" in erased
    again = shop.run("ingest")
    assert [one["erased"] for one in again["sources"]][:2] == [4, 1]
    assert sorted(features(shop)) == ["B1"]
    shop.run("readmit", "A1")
    shop.run("ingest")
    assert features(shop)["N1"]["purchase_sum_90d"] == 230


def test_the_new_id_of_a_customer_who_was_erased_stays_out(shop):
    shop.write("kizuna.toml", HEAD, SOURCE)
    shop.run("ingest")
    shop.run("erase", "A1")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    shop.write("data/orders.csv", *ORDERS, *LATER)
    assert shop.run("ingest")["sources"][0]["erased"] == 4
    assert sorted(features(shop)) == ["B1"]
    assert "N1" in SuppressionList(shop.folder / "state")


def test_an_alias_from_an_erased_customer_to_one_with_events_is_refused_with_the_way_out(shop):
    shop.write("kizuna.toml", HEAD, SOURCE)
    shop.write("data/orders.csv", *ORDERS, *LATER)
    shop.run("ingest")
    shop.run("erase", "A1")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    assert "Run `kizuna erase N1`" in shop.refused("ingest")
    shop.run("erase", "N1")
    shop.run("ingest")
    assert sorted(features(shop)) == ["B1"]


def test_a_repeated_row_for_append_finds_the_customer_by_the_old_id(shop):
    """What the API appends under the old id is an event of the new one."""
    import pyarrow as pa

    from features.timeline import Timeline

    shop.run("ingest")
    store = EventStore(shop.folder / "state")
    clock = Timeline()
    row = {
        "customer_id": ["A1"],
        "occurred_at": ["2024-03-28 10:00:00"],
        "kind": ["purchase"],
        "value": [1.0],
    }
    store.add(pa.table(row), source="sent", timeline=clock, now=clock.instant("2025-01-01"))
    assert features(shop)["N1"]["purchase_sum_90d"] == 151


def test_an_ingest_that_was_killed_before_it_named_the_aliases_is_put_right_by_the_next(shop, monkeypatch):
    """The events lie under one key by then; only the table of aliases is missing."""
    shop.write("kizuna.toml", HEAD, SOURCE)
    shop.write("data/orders.csv", *ORDERS, *LATER)
    shop.run("ingest")
    shop.write("kizuna.toml", HEAD, SOURCE, ALIASES)
    with monkeypatch.context() as patched:
        patched.setattr("features.ingestion.session.run.plan_aliases", _killed)
        shop.refused("ingest")
    shop.run("ingest")
    assert sorted(features(shop)) == ["B1", "N1"]
    assert features(shop)["N1"]["purchase_sum_90d"] == 230
    assert received(shop.run("ingest"))[0] == (5, 0, 5)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt

"""Event ids as people have them: one number for two things, twice in a file, in two files."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from features.ingestion.identity.conflicts import OTHER_KIND, TAKES_BACK
from features.ingestion.identity.scopes import SENT
from features.timeline import Timeline
from tests.inputs.command_project import CommandProject


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandProject:
    return CommandProject(tmp_path, capsys)


QUERY = (
    "select no as event_id, customer as customer_id, ordered as occurred_at, 'purchase' as kind, "
    "total as value from read_csv('{}', all_varchar = true)"
)
HEAD = "no,customer,ordered,total\n"


@pytest.fixture
def three_files(folder: CommandProject) -> CommandProject:
    folder.write(
        "orders.csv",
        HEAD
        + "#1001,a@example.com,2024-03-01 09:50:26,5391\n#1001,a@example.com,2024-03-01 09:50:26,\n"
        + "#1002,b@example.com,2024-03-02 10:00:00,2000\n",
    )
    folder.write("web.csv", HEAD + "".join(f"{n},w{n},2024-03-03 1{n}:00:00,100\n" for n in (1, 2, 3)))
    folder.write("shop.csv", HEAD + "".join(f"{n},s{n},2024-03-04 1{n}:00:00,200\n" for n in (1, 2)))
    for name in ("orders", "web", "shop"):
        folder.source(name, QUERY.format(f"{name}.csv"))
    return folder


def test_a_line_that_says_less_and_numbers_of_two_shops_take_nothing_away(
    three_files: CommandProject,
) -> None:
    receipts = three_files.ingest()
    assert [(one["new"], one["corrected"], one["quarantined"]) for one in receipts.values()] == [
        (2, 0, 0),
        (3, 0, 0),
        (2, 0, 0),
    ]
    assert receipts["orders"]["several_rows"] == 1
    assert three_files.events() == [
        ("a@example.com", "purchase", 5391.0),
        ("b@example.com", "purchase", 2000.0),
        *((f"s{n}", "purchase", 200.0) for n in (1, 2)),
        *((f"w{n}", "purchase", 100.0) for n in (1, 2, 3)),
    ]
    version = three_files.store.version
    again = three_files.ingest()
    assert [(one["new"], one["already_there"], one["corrected"]) for one in again.values()] == [
        (0, 3, 0),
        (0, 3, 0),
        (0, 2, 0),
    ]
    assert three_files.store.version == version


def test_doctor_says_how_many_ids_came_in_several_rows(three_files: CommandProject) -> None:
    three_files.ingest()
    _, out, _ = three_files.run("--json", "doctor")
    findings = {one["name"]: one for one in json.loads(out)["findings"]}
    assert "1 event id of source 'orders' came in several rows" in findings["several_rows"]["sentence"]


@pytest.mark.parametrize("turned", [False, True])
def test_in_either_order_the_row_that_says_more_counts(folder: CommandProject, turned: bool) -> None:
    rows = ["1,ann,2024-03-01 10:00:00,500\n", "1,ann,2024-03-01 10:00:00,\n"]
    folder.write("orders.csv", HEAD + "".join(reversed(rows) if turned else rows))
    folder.source("orders", QUERY.format("orders.csv"))
    assert folder.ingest()["orders"]["new"] == 1
    assert folder.ingest()["orders"]["corrected"] == 0
    assert folder.events() == [("ann", "purchase", 500.0)]


def test_of_rows_that_each_say_a_part_the_one_that_says_all_counts(folder: CommandProject) -> None:
    columns = "no,customer,ordered,total,shop\n"
    row = "1,ann,2024-03-01 10:00:00,"
    folder.write("orders.csv", columns + row + "500,\n" + row + ",north\n" + row + "500,north\n")
    folder.source("orders", QUERY.format("orders.csv").replace("total as", "shop as place, total as"))
    receipt = folder.ingest()["orders"]
    assert (receipt["new"], receipt["already_there"], receipt["quarantined"]) == (1, 2, 0)
    assert folder.events() == [("ann", "purchase", 500.0)]


def test_rows_that_contradict_each_other_are_refused_and_both_are_shown(folder: CommandProject) -> None:
    folder.write(
        "orders.csv",
        HEAD + "1,ann,2024-03-01 10:00:00,500\n1,bob,2024-03-01 10:00:00,700\n2,eve,2024-03-02,9\n",
    )
    folder.source("orders", QUERY.format("orders.csv"))
    for _ in range(2):
        code, out, _ = folder.run("ingest")
        assert code == 0
        assert "2 quarantined: its event_id has several rows in one ingest that say different things" in out
        assert '"customer_id": "ann"' in out
        assert '"customer_id": "bob"' in out
    assert folder.events() == [("eve", "purchase", 9.0)]
    assert folder.store.quarantined().num_rows == 2


def test_a_later_ingest_corrects_an_event_and_moves_it_to_another_customer(folder: CommandProject) -> None:
    folder.write("orders.csv", HEAD + "1,ann,2024-03-01 10:00:00,500\n2,bob,2024-03-02 10:00:00,100\n")
    folder.source("orders", QUERY.format("orders.csv"))
    folder.ingest()
    folder.write("orders.csv", HEAD + "1,eve,2024-03-01 10:00:00,\n2,bob,2024-03-02 10:00:00,100\n")
    receipt = folder.ingest()["orders"]
    assert (receipt["corrected"], receipt["already_there"]) == (1, 1)
    assert folder.events() == [("bob", "purchase", 100.0), ("eve", "purchase", None)]


def test_rows_of_one_id_are_ordered_by_when_they_were_recorded(folder: CommandProject) -> None:
    columns = "no,customer,ordered,total,recorded\n"
    row = "1,ann,2024-03-01 10:00:00,"
    folder.write("orders.csv", columns + row + "700,2024-03-05\n" + row + "500,2024-03-02\n")
    query = QUERY.format("orders.csv").replace("total as", "recorded as recorded_at, total as")
    folder.source("orders", query)
    assert folder.ingest()["orders"]["corrected"] == 1
    receipt = folder.ingest()["orders"]
    assert (receipt["already_there"], receipt["corrected"]) == (2, 0)
    assert folder.events() == [("ann", "purchase", 700.0)]


def test_rows_of_one_id_are_ordered_by_the_watermark(folder: CommandProject) -> None:
    columns = "no,customer,ordered,total,changed\n"
    row = "1,ann,2024-03-01 10:00:00,"
    folder.write("log.csv", columns + row + "700,2024-03-10 08:00\n" + row + "500,2024-03-09 08:00\n")
    query = QUERY.format("log.csv").replace("total as", "changed, total as")
    folder.source("log", query, watermark="changed")
    assert folder.ingest()["log"]["quarantined"] == 0
    assert folder.events() == [("ann", "purchase", 700.0)]


def test_sources_that_share_their_ids_name_one_event_and_do_not_correct_each_other_for_ever(
    folder: CommandProject,
) -> None:
    for name, total in (("crm", 100), ("shop", 120)):
        folder.write(f"{name}.csv", HEAD + f"1,ann,2024-03-01 10:00:00,{total}\n")
        folder.source(name, QUERY.format(f"{name}.csv"), shared_ids=True)
    folder.ingest()
    again = folder.ingest()
    assert [one["corrected"] for one in again.values()] == [0, 0]
    assert folder.events() == [("ann", "purchase", 120.0)]


def test_equal_rows_of_two_sources_without_ids_are_counted_source_by_source(folder: CommandProject) -> None:
    plain = QUERY.replace("no as event_id, ", "")
    for name in ("north", "south"):
        folder.write(f"{name}.csv", HEAD + "1,ann,2024-03-01 10:00:00,100\n")
        folder.source(name, plain.format(f"{name}.csv"))
    assert [one["new"] for one in folder.ingest().values()] == [1, 1]
    folder.source("south", plain.format("south.csv"))  # now it is read first
    folder.sources.reverse()
    assert [one["new"] for one in folder.ingest().values()] == [0, 0]
    assert len(folder.events()) == 2


def settle(folder: CommandProject, hint: str, query: str) -> None:
    """Do as a refusal says: wrap the query."""
    wrapped = hint.partition("`")[2].rpartition("`")[0].replace("QUERY", query)
    folder.source("orders", wrapped)


def test_a_cancellation_under_the_number_of_its_order_is_refused_with_the_way_out(
    folder: CommandProject,
) -> None:
    folder.write(
        "orders.csv",
        HEAD + "1,ann,2024-03-01 10:00:00,500\n1,ann,2024-03-03 10:00:00,-500\n2,bob,2024-03-02,9\n",
    )
    query = QUERY.format("orders.csv")
    folder.source("orders", query)
    for _ in range(2):
        receipt = folder.ingest()["orders"]
        assert (receipt["quarantined"], receipt["corrected"]) == (2, 0)
    assert [one["reason"] for one in receipt["reasons"]] == [TAKES_BACK]
    settle(folder, TAKES_BACK, query)
    folder.ingest("--replace", "orders")
    assert folder.events() == [
        ("ann", "purchase", 500.0),
        ("ann", "refund", -500.0),
        ("bob", "purchase", 9.0),
    ]
    assert folder.store.quarantined().num_rows == 0


def test_two_kinds_under_one_number_are_refused_with_the_way_out(folder: CommandProject) -> None:
    folder.write(
        "orders.csv",
        "no,customer,ordered,what\n1,ann,2024-03-01 10:00:00,started\n1,ann,2024-03-09 10:00:00,cancelled\n"
        "2,bob,2024-03-01 10:00:00,started\n",
    )
    query = (
        "select no as event_id, customer as customer_id, ordered as occurred_at, what as kind "
        "from 'orders.csv'"
    )
    folder.source("orders", query)
    receipt = folder.ingest()["orders"]
    assert [one["reason"] for one in receipt["reasons"]] == [OTHER_KIND]
    settle(folder, OTHER_KIND, query)
    folder.ingest("--replace", "orders")
    assert [kind for _, kind, _ in folder.events()] == ["cancelled", "started", "started"]


def test_an_erased_customer_leaves_no_trace_in_the_rows_that_contradicted_theirs(
    folder: CommandProject,
) -> None:
    folder.write(
        "orders.csv",
        HEAD + "1,ann,2024-03-01 10:00:00,500\n1,bob,2024-03-01 10:00:00,700\n2,eve,2024-03-02,9\n",
    )
    folder.source("orders", QUERY.format("orders.csv"))
    folder.ingest()
    folder.store.erase("ann")
    assert "ann" not in str(folder.store.quarantined().to_pylist())


def test_what_was_sent_live_is_the_event_that_its_source_brings_later(folder: CommandProject) -> None:
    folder.write("orders.csv", HEAD + "1,ann,2024-03-01 10:00:00,500\n2,bob,2024-03-01 10:00:00,100\n")
    folder.source("orders", QUERY.format("orders.csv"))
    sent = pa.table(
        {
            "event_id": ["1", "2"],
            "customer_id": ["ann", "eve"],
            "occurred_at": ["2024-03-01T10:00:00Z"] * 2,
            "kind": ["purchase"] * 2,
            "value": [500.0, 7.0],
        }
    )
    add = partial(folder.store.add, source=SENT, timeline=Timeline(), now=Timeline().instant("2025-01-01"))
    assert add(sent).new == 2
    receipt = folder.ingest()["orders"]
    assert (receipt["new"], receipt["already_there"]) == (1, 1)
    assert add(sent.slice(0, 1)).already_there == 1
    assert [(customer, value) for customer, _, value in folder.events()] == [
        ("ann", 500.0),
        ("bob", 100.0),
        ("eve", 7.0),
    ]
    folder.write("orders.csv", HEAD + "1,zoe,2024-03-01 10:00:00,500\n2,bob,2024-03-01 10:00:00,100\n")
    assert folder.ingest()["orders"]["corrected"] == 1
    assert [customer for customer, _, _ in folder.events()] == ["bob", "eve", "zoe"]

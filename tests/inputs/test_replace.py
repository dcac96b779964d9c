"""A changed query is noticed before it doubles everything, and a source's rows are replaced in one commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs.command_project import CommandProject

ORDERS = (
    "select {} as event_id, customer as customer_id, ordered as occurred_at, 'purchase' as kind, "
    "total as value from read_csv('orders.csv', all_varchar = true)"
)
LINES = "select customer as customer_id, day as occurred_at, 'visit' as kind{} from read_csv('visits.csv')"


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandProject:
    folder = CommandProject(tmp_path, capsys)
    folder.write(
        "orders.csv",
        "no,customer,ordered,total\n"
        + "".join(f"{n},c{n % 7},2024-03-01 10:{n:02}:00,{100 + n}\n" for n in range(20)),
    )
    folder.write("visits.csv", "customer,day\n" + "".join(f"c{n},2024-02-0{n + 1}\n" for n in range(7)))
    folder.source("orders", ORDERS.format("no"))
    folder.source("visits", LINES.format(""))
    folder.ingest()
    return folder


def test_a_changed_query_that_would_double_the_events_is_noticed_and_the_others_go_on(
    shop: CommandProject,
) -> None:
    shop.source("orders", ORDERS.format("'order-' || no"))
    shop.write("visits.csv", "customer,day\n" + "".join(f"c{n},2024-02-0{n + 1}\n" for n in range(8)))
    code, out, err = shop.run("ingest")
    assert code == 4
    assert (
        "source 'orders' was not stored: its query changed since its last ingest, 20 rows come under new "
        "event ids, and 20 of the 20 events that it brought before are not among its rows, so that both "
        "would count. `kizuna ingest --replace orders` takes the old ones out, `kizuna ingest --keep orders` "
        "keeps both."
    ) in err
    assert "visits: 8 read, 1 new" in out
    assert len(shop.events()) == 28


def test_replacing_a_source_takes_its_old_rows_out_and_leaves_the_others(shop: CommandProject) -> None:
    shop.source("orders", ORDERS.format("'order-' || no"))
    receipts = shop.ingest("--replace", "orders")
    assert (receipts["orders"]["taken_out"], receipts["orders"]["new"]) == (20, 20)
    assert receipts["visits"]["taken_out"] == 0
    assert len(shop.events()) == 27
    assert shop.ingest()["orders"]["already_there"] == 20
    _, out, _ = shop.run("audit")
    assert "ingest replace" in out


def test_both_are_kept_where_that_is_said(shop: CommandProject) -> None:
    shop.source("orders", ORDERS.format("'order-' || no"))
    assert shop.ingest("--keep", "orders")["orders"]["new"] == 20
    assert len(shop.events()) == 47
    assert shop.ingest()["orders"]["already_there"] == 20  # the query is known from then on


def test_a_query_that_says_more_of_rows_without_an_id_is_noticed_too(shop: CommandProject) -> None:
    shop.source("visits", LINES.format(", 'web' as channel"))
    assert shop.ingest(code=4)["visits"]["refused"] is not None
    assert shop.ingest("--replace", "visits")["visits"]["taken_out"] == 7
    assert len(shop.events()) == 27


def test_a_time_zone_that_changed_is_a_changed_query(shop: CommandProject) -> None:
    shop.source("visits", LINES.format(""), timezone="Asia/Tokyo")
    assert shop.ingest(code=4)["visits"]["refused"] is not None


def test_a_changed_query_that_brings_the_same_events_is_no_matter(shop: CommandProject) -> None:
    shop.source("orders", ORDERS.format("no") + " where true order by no")
    assert shop.ingest()["orders"]["already_there"] == 20


def test_a_changed_query_with_a_watermark_is_read_from_the_start_once(shop: CommandProject) -> None:
    query = ORDERS.format("no").replace("total as value", "total as value, ordered")
    shop.source("orders", query, watermark="ordered")
    shop.ingest()
    assert shop.ingest()["orders"]["read"] == 1
    shop.source(
        "orders",
        query.replace("'purchase' as kind", "'purchase' as kind, 'web' as channel"),
        watermark="ordered",
    )
    assert shop.ingest()["orders"]["corrected"] == 20
    assert shop.ingest()["orders"]["read"] == 1


def test_a_replacement_that_fails_leaves_the_old_rows(shop: CommandProject) -> None:
    events = shop.events()
    shop.source("orders", ORDERS.format("no") + " where total = 'nothing'")
    code, _, err = shop.run("ingest", "--replace", "orders")
    assert code == 4
    assert "its query gave no rows" in err
    assert shop.events() == events


def test_replacing_moves_no_key_and_readmits_nobody(shop: CommandProject) -> None:
    keys = shop.store.customers.keys
    import pyarrow as pa

    names = pa.array([f"c{n}" for n in range(7)])
    before = keys(names).tolist()
    shop.store.erase("c3")
    shop.ingest("--replace", "orders", "--replace", "visits")
    after = shop.store.customers.keys(names).tolist()
    assert after == [-1 if n == 3 else key for n, key in enumerate(before)]
    assert "c3" not in {customer for customer, _, _ in shop.events()}


def test_an_option_for_a_source_that_is_not_there_says_which_are(shop: CommandProject) -> None:
    code, _, err = shop.run("ingest", "--replace", "order")
    assert code == 2
    assert "kizuna.toml has no source or attribute of that name. It has orders, visits." in err


def test_a_source_that_got_another_name_is_noticed(shop: CommandProject) -> None:
    shop.sources = shop.sources[1:]
    shop.source("purchases", ORDERS.format("no"))
    code, _, err = shop.run("ingest")
    assert code == 4
    assert (
        "source 'purchases' was not stored: it is new, and 20 of its event ids are those of source 'orders', "
        "which kizuna.toml does not name any more, so that both would count."
    ) in err
    assert len(shop.events()) == 27
    assert shop.ingest("--replace", "orders")["purchases"]["new"] == 20
    assert len(shop.events()) == 27
    assert shop.ingest()["purchases"]["already_there"] == 20


def test_a_new_source_beside_one_that_ended_is_no_matter(shop: CommandProject) -> None:
    shop.sources = shop.sources[1:]
    shop.source("purchases", ORDERS.format("'new-' || no"))
    assert shop.ingest()["purchases"]["new"] == 20
    assert len(shop.events()) == 47


def test_a_query_that_goes_on_with_later_rows_is_no_matter(shop: CommandProject) -> None:
    shop.write(
        "orders.csv",
        "no,customer,ordered,total\n"
        + "".join(f"{n},c{n % 7},2024-03-01 10:{n:02}:00,{100 + n}\n" for n in range(40)),
    )
    shop.source("orders", ORDERS.format("no") + " where no::int >= 15")
    receipt = shop.ingest()["orders"]
    assert (receipt["new"], receipt["already_there"], receipt["refused"]) == (20, 5, None)


def test_a_replacement_that_is_not_stored_takes_nothing_out(shop: CommandProject) -> None:
    rows = "".join(f"{n},c{n % 7},2024-03-01 10:{n:02}:00,{'?' if n else 5}\n" for n in range(20))
    shop.write("orders.csv", "no,customer,ordered,total\n" + rows)
    receipt = shop.ingest("--replace", "orders", code=4)["orders"]
    assert "of its amount would go to quarantine" in (receipt["refused"] or "")
    assert (receipt["taken_out"], len(shop.events())) == (0, 27)

"""A simulated service that lives on: what it keeps, what is new, and what contacts do to its customers."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from features.errors import DataError, UsageError
from features.simulation.simulate import advance, simulate


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"file_search_path": str(folder)}) as database:
        database.execute("set TimeZone = 'Asia/Tokyo'")
        return database.execute(query).fetchall()


def tables(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "data").glob("*.parquet"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("service")
    simulate(place / "before", customers=1_500, months=8, seed=4)
    simulate(place / "after", customers=1_500, months=8, seed=4)
    advance(place / "after", months=2)
    return place


def test_what_had_happened_stays_row_for_row_and_new_rows_lie_in_the_new_months(folder: Path) -> None:
    for name in tables(folder / "before"):
        if name == "profiles":
            continue
        old = ask(folder, f"select * from 'before/data/{name}.parquet'")
        new = ask(folder, f"select * from 'after/data/{name}.parquet'")
        assert new[: len(old)] == old
        numbers = ask(folder, f"select number from 'after/data/{name}.parquet'")
        assert numbers == [(number,) for number in range(len(new))]
        ((first, last),) = ask(
            folder,
            f"select min(happened_at)::date::varchar, max(happened_at)::date::varchar "
            f"from 'after/data/{name}.parquet' where number >= {len(old)}",
        )
        assert "2025-01-01" <= first < last <= "2025-02-28"


def test_time_moves_on_and_newcomers_have_a_profile_of_their_own(folder: Path) -> None:
    assert (folder / "before" / "now.txt").read_text() == "2025-01-01T00:00:00+09:00\n"
    assert (folder / "after" / "now.txt").read_text() == "2025-03-01T00:00:00+09:00\n"
    ((profiles, customers, newest, first),) = ask(
        folder,
        """
        select count(*), count(distinct customer), max(customer),
               min(since) filter (customer > 'c0001499')::date::varchar
        from 'after/data/profiles.parquet'
        """,
    )
    assert (profiles, customers, newest) == (1_590, 1_590, "c0001589")
    assert "2025-01-01" <= first <= "2025-01-10"


def test_nobody_does_anything_after_leaving_or_before_joining(folder: Path) -> None:
    ((strangers,),) = ask(
        folder,
        """
        with contracts as (
            select customer, min(happened_at) as since,
                   arg_max(kind, happened_at) as latest, max(happened_at) as newest
            from 'after/data/contracts.parquet' group by customer
        )
        select count(*) from 'after/data/usage.parquet' as used join contracts using (customer)
        where used.happened_at < since or latest = 'cancelled' and used.happened_at > newest
        """,
    )
    assert strangers == 0
    ((twice,),) = ask(
        folder,
        """
        select count(*) from (
            select kind, lag(kind) over (partition by customer order by happened_at, number) as before
            from 'after/data/contracts.parquet' where kind in ('started', 'cancelled')
        ) where kind = before
        """,
    )
    assert twice == 0


def test_the_hazard_goes_on_without_a_gap_for_those_who_are_there(folder: Path) -> None:
    ((there, gaps, unfinished),) = ask(
        folder,
        """
        with rows as (
            select customer_id, "from", "to",
                   lead("from") over (partition by customer_id order by "from") as following
            from 'after/truth/hazard.parquet'
        )
        select count(distinct customer_id) filter ("to" > timestamptz '2025-01-01 00:00:00+09'),
               count(*) filter (following is not null and following <> "to"),
               count(*) filter (following is null and "to" > timestamptz '2025-01-01 00:00:00+09'
                                and "to" <> timestamptz '2025-03-01 00:00:00+09')
        from rows
        """,
    )
    assert there > 700
    assert (gaps, unfinished) == (0, 0)


def test_the_same_steps_give_the_same_files_and_two_steps_follow_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(tmp_path / name, customers=200, months=4, seed=5)
        called = tmp_path / f"{name}.csv"
        called.write_text("customer_id,at\nc0000001,2025-01-15 11:00:00\nc0000002,2025-01-16\n")
        advance(tmp_path / name, months=1, contacts=called)
        called.unlink()
        advance(tmp_path / name, months=2)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.parquet"))
    assert len(files) == 15
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert (tmp_path / "one" / "now.txt").read_text() == "2025-04-01T00:00:00+09:00\n"
    told = ask(
        tmp_path,
        "select customer, kind, campaign from 'one/data/campaigns.parquet' where kind in "
        "('call_made', 'coupon_sent') and happened_at >= '2025-01-01' and happened_at < '2025-02-01'",
    )
    assert set(told) <= {("c0000001", "call_made", "contacts"), ("c0000002", "call_made", "contacts")}


def digest(folder: Path) -> str:
    """Of every value of every table, whatever the file format does with them."""
    values = hashlib.sha256()
    for file in sorted(folder.glob("*/*.parquet")):
        for row in pq.read_table(file).to_pylist():
            values.update(repr(tuple(row.values())).encode())
    return values.hexdigest()[:16]


def test_a_seed_without_contacts_stands_for_what_it_always_stood_for(tmp_path: Path) -> None:
    simulate(tmp_path, customers=150, months=4, seed=5)
    assert digest(tmp_path) == "68334b9e6ddb9002"
    advance(tmp_path, months=2)
    assert digest(tmp_path) == "e90d494c930d7ab0"


def test_customers_order_the_same_with_and_without_contact_as_long_as_they_are_there(tmp_path: Path) -> None:
    """Common random numbers: two lives differ in the orders of those whom the contact kept or drove away."""
    calls = {"called": range(400), "left_alone": range(0)}
    for name, called in calls.items():
        simulate(tmp_path / name, customers=400, months=4, seed=6)
        contacts = tmp_path / f"{name}.csv"
        rows = [f"c{number:07},2025-01-02" for number in called]
        contacts.write_text("\n".join(["customer_id,at", *rows]) + "\n")
        advance(tmp_path / name, months=3, contacts=contacts)

    def rows(name: str, table: str, columns: str) -> set[tuple[Any, ...]]:
        query = f"select {columns} from '{name}/data/{table}.parquet' where happened_at >= '2025-01-01'"
        return set(ask(tmp_path, query))

    orders = [rows(name, "orders", "customer, happened_at, kind, amount, category") for name in calls]
    lives = [rows(name, "contracts", "customer, kind, happened_at") for name in calls]
    moved = {one[0] for one in lives[0] ^ lives[1] if one[1] in ("started", "cancelled")}
    changed = {one[0] for one in orders[0] ^ orders[1]}
    assert len(orders[0] & orders[1]) > 300
    assert changed
    assert changed <= moved


def test_contacts_do_what_the_customers_hidden_response_says(tmp_path: Path) -> None:
    """Everybody is called once in two worlds that differ in nothing else; the truth knows who is helped."""
    for name in ("called", "left_alone"):
        simulate(tmp_path / name, customers=6_000, months=6, seed=6)
    contacts = tmp_path / "calls.csv"
    with contacts.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["customer_id", "at", "kind", "campaign"])
        rows.writerows([f"c{number:07}", "2025-01-02", "call_made", "january"] for number in range(6_000))
    nobody = tmp_path / "nobody.csv"
    nobody.write_text("customer_id,at\n")
    told = advance(tmp_path / "called", months=1, contacts=contacts)
    assert (told.contacts, told.there > 3_000) == (6_000, True)
    assert advance(tmp_path / "left_alone", months=1, contacts=nobody).contacts == 0
    found = ask(
        tmp_path,
        """
        with effects as (
            select customer_id, effect from 'called/truth/contacts.parquet'
            where "at" >= timestamptz '2025-01-01 00:00:00+09'
        ),
        hazards as (
            select name, customer_id, sum(hazard * epoch("to" - "from")) as total from (
                select 'called' as name, * from 'called/truth/hazard.parquet'
                union all select 'left_alone', * from 'left_alone/truth/hazard.parquet'
            ) where "from" >= timestamptz '2025-01-02 00:00:00+09' group by name, customer_id
        )
        select effect, avg(total) filter (name = 'called') / avg(total) filter (name = 'left_alone')
        from hazards join effects using (customer_id) group by effect order by effect
        """,
    )
    ratio = dict(found)
    assert ratio["helps"] < 0.7
    assert ratio["drives_away"] > 2.0
    assert ratio["nothing"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("customer_id,day\nc0000001,2025-01-02\n", "there is no column 'at'"),
        ("customer_id,at\nc0000900,2025-01-02\n", "there is no customer 'c0000900'"),
        ("customer_id,at\nnobody,2025-01-02\n", "there is no customer 'nobody'"),
        ("customer_id,at\nc0000001,2024-12-31\n", "is not from 2025-01-01 to 2025-01-31"),
        ("customer_id,at\nc0000001,soon\n", "the contact of 'c0000001' at 'soon'"),
        ("customer_id,at,kind\nc0000001,2025-01-02,visit\n", "there is no kind of contact 'visit'"),
    ],
)
def test_contacts_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path: Path, rows: str, words: str
) -> None:
    simulate(tmp_path / "service", customers=50, months=2, seed=1)
    before = {file: file.read_bytes() for file in (tmp_path / "service").rglob("*") if file.is_file()}
    contacts = tmp_path / "contacts.csv"
    contacts.write_text(rows)
    with pytest.raises(DataError, match=words.replace("(", r"\(")):
        advance(tmp_path / "service", months=1, contacts=contacts)
    assert {file: file.read_bytes() for file in (tmp_path / "service").rglob("*") if file.is_file()} == before


def test_a_folder_that_was_not_simulated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot move the simulation in"):
        advance(tmp_path, months=1)


def test_a_move_that_broke_off_after_its_tables_is_made_again_without_doubling_them(tmp_path: Path) -> None:
    simulate(tmp_path / "service", customers=100, months=3, seed=2)
    world = tmp_path / "service" / "truth" / "world.json"
    before = world.read_text()
    advance(tmp_path / "service", months=1)
    rows = json.loads(world.read_text())["data"]
    world.write_text(before)
    advance(tmp_path / "service", months=1)
    assert json.loads(world.read_text())["data"] == rows
    ((orders,),) = ask(tmp_path, "select count(*) from 'service/data/orders.parquet'")
    assert orders == rows["orders"]

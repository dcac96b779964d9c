"""Customer ids that are one person's, cut by a reader, changed by a migration, or numbers of orders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.inputs.small_project import SmallProject
from tests.inputs.test_suspicious_rows import Row, bought, found, ordinary, project, remedy, wrapped


def renamed(rows: list[Row], names: dict[str, str], every: int = 2) -> list[Row]:
    """Rows of which every second one spells some ids otherwise."""
    return [
        dict(
            row,
            customer_id=names.get(row["customer_id"], row["customer_id"])
            if n % every
            else row["customer_id"],
        )
        for n, row in enumerate(rows)
    ]


def customers(made: SmallProject) -> int:
    return int(made.run("doctor")["data"]["customers"])


@pytest.mark.parametrize(
    ("reason", "spell"),
    [
        ("case", str.upper),
        ("blanks", lambda name: name + " "),
        ("blanks", lambda name: f"　{name}"),
        ("width", lambda name: name.translate(str.maketrans("c0123456789", "ｃ０１２３４５６７８９"))),
    ],
    ids=["case", "blank", "wide blank", "width"],
)
def test_ids_that_differ_by_spelling_only_are_counted_and_healed_by_the_cast(tmp_path, reason, spell):
    names = {f"c{number:03}": spell(f"c{number:03}") for number in range(6)}
    rows = renamed(ordinary(), names)
    broken = project(tmp_path / "broken", orders=rows)
    finding = found(broken)["near_equal_ids"]
    assert (finding["ids"], finding["reasons"]) == (6, [reason])
    assert finding["share"] == pytest.approx(6 / 36)
    assert customers(broken) == 36
    query = wrapped(remedy(finding), "orders")
    healed = project(tmp_path / "healed", {"orders": query}, orders=rows)
    assert "near_equal_ids" not in found(healed)
    assert customers(healed) == 30


def _numbered(spell: Any) -> list[Row]:
    return [dict(row, customer_id=spell(str(row["customer_id"])[1:])) for row in ordinary()]


def test_numbers_with_a_decimal_point_and_without_are_one(tmp_path):
    rows = [
        dict(row, customer_id=f"{row['customer_id']}.0") if n % 2 else row
        for n, row in enumerate(_numbered(lambda n: f"17{n}"))
    ]
    finding = found(project(tmp_path / "broken", orders=rows))["near_equal_ids"]
    assert (finding["ids"], finding["reasons"]) == (30, ["decimals"])
    healed = project(tmp_path / "healed", {"orders": wrapped(remedy(finding), "orders")}, orders=rows)
    assert "near_equal_ids" not in found(healed)
    assert customers(healed) == 30


@pytest.mark.parametrize("fixed", [True, False], ids=["of one length", "of several lengths"])
def test_leading_zeros_here_and_not_there_are_one_customer(tmp_path, fixed):
    """The members' table has 0000123, the till 123."""
    full = _numbered(lambda n: f"{int(n) + 1:07}" if fixed else f"0{int(n) + 1}")
    rows = [
        dict(row, customer_id=str(int(row["customer_id"]))) if n % 7 == 0 else row
        for n, row in enumerate(full)
    ]
    finding = found(project(tmp_path / "broken", orders=rows))["near_equal_ids"]
    assert finding["reasons"] == ["zeros"]
    healed = project(tmp_path / "healed", {"orders": wrapped(remedy(finding), "orders")}, orders=rows)
    assert "near_equal_ids" not in found(healed)
    assert customers(healed) == 30


def test_several_spellings_at_once_are_brought_to_one(tmp_path):
    rows = renamed(ordinary(), {"c001": " C001", "c002": "C002 ", "c003": "ｃ003"})
    finding = found(project(tmp_path / "broken", orders=rows))["near_equal_ids"]
    assert (finding["ids"], set(finding["reasons"])) == (3, {"width", "case", "blanks"})
    healed = project(tmp_path / "healed", {"orders": wrapped(remedy(finding), "orders")}, orders=rows)
    healed.run("ingest")
    assert customers(healed) == 30


def test_an_attribute_that_spells_ids_otherwise_is_found(tmp_path):
    attribute = '''[[attributes]]
name = "plan"
query = """
select c as customer_id, '2024-01-01' as known_at, 'gold' as value
from read_csv('data/plans.csv', all_varchar = true)
"""
'''
    made = project(tmp_path, more=attribute, orders=ordinary())
    made.write("data/plans.csv", "c", *(f"C{number:03}" for number in range(30)))
    assert found(made)["near_equal_ids"]["ids"] == 30


def test_aliases_heal_near_equal_ids_too(tmp_path):
    rows = renamed(ordinary(), {"c001": "C001", "c002": "C002"})
    table = (
        "select distinct customer_id as old_id, lower(customer_id) as new_id from read_csv('data/orders.csv')"
    )
    made = project(tmp_path, orders=rows)
    assert "near_equal_ids" in found(made)
    with (made.folder / "kizuna.toml").open("a") as file:
        file.write(f'\n[[aliases]]\nquery = "{table}"\n')
    assert "near_equal_ids" not in found(made)
    assert customers(made) == 30


def test_different_ids_that_share_most_letters_are_different(tmp_path):
    assert "near_equal_ids" not in found(project(tmp_path, orders=ordinary()))


# --- leading zeros that a reader cut ------------------------------------------------------------


def _members(count: int = 120) -> list[str]:
    drawn = np.random.default_rng(7).choice(10**8, count, replace=False)
    return [f"{number:08}" for number in drawn.tolist()]


def _of_members(names: list[str]) -> list[Row]:
    return [
        bought(name, day + number * 0.01)
        for number, name in enumerate(names)
        for day in range(number % 20, 120, 20)
    ]


def test_zeros_that_a_reader_cut_are_found_and_put_back(tmp_path):
    names = _members()
    cut = [name.lstrip("0") for name in names]
    finding = found(project(tmp_path / "broken", orders=_of_members(cut)))["zeros_cut"]
    short = sum(len(name) < 8 for name in cut)
    assert (finding["ids"], finding["digits"]) == (short, 8)
    query = "select * replace (lpad(customer_id, 8, '0') as customer_id) from ( … )"
    healed = project(tmp_path / "healed", {"orders": wrapped(query, "orders")}, orders=_of_members(cut))
    assert "zeros_cut" not in found(healed)


def test_numbers_with_their_zeros_are_no_finding(tmp_path):
    assert "zeros_cut" not in found(project(tmp_path, orders=_of_members(_members())))


@pytest.mark.parametrize("first", [1, 9_000, 95_000])
def test_a_counter_has_shorter_numbers_too(tmp_path, first):
    names = [str(first + 97 * number) for number in range(120)]
    assert "zeros_cut" not in found(project(tmp_path, orders=_of_members(names)))


# --- a migration --------------------------------------------------------------------------------


def _migrated(share: float, day: str = "2024-04-02") -> list[Row]:
    moved = round(60 * share)
    return [
        dict(row, customer_id=f"new-{row['customer_id']}")
        if str(row["occurred_at"]) >= day and int(str(row["customer_id"])[1:]) < moved
        else row
        for row in ordinary(customers=60)
    ]


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_ids_that_stop_on_the_day_on_which_others_begin_lead_to_aliases(tmp_path, share):
    rows = _migrated(share)
    made = project(tmp_path, orders=rows)
    finding = found(made)["changed_ids"]
    assert abs(int(finding["day"][-2:]) - 2) <= 1
    assert finding["day"].startswith("2024-04")
    assert finding["stopped"] == pytest.approx(60 * share, abs=8)
    assert finding["began"] == pytest.approx(60 * share, abs=8)
    assert "[[aliases]]" in finding["sentence"]
    moved = sorted({str(row["customer_id"]) for row in rows if str(row["customer_id"]).startswith("new-")})
    made.write("data/ids.csv", "old_id,new_id", *(f"{name[4:]},{name}" for name in moved))
    with (made.folder / "kizuna.toml").open("a") as file:
        file.write("\n[[aliases]]\nquery = \"select old_id, new_id from 'data/ids.csv'\"\n")
    assert "changed_ids" not in found(made)
    assert customers(made) == 60


def test_newcomers_and_leavers_all_year_are_no_migration(tmp_path):
    rows = [
        bought(f"c{number:03}", number + step * 8 + number * 0.01)
        for number in range(150)
        for step in range(2 + number % 9)
    ]
    assert "changed_ids" not in found(project(tmp_path, orders=rows))


def test_a_wave_of_newcomers_is_no_migration(tmp_path):
    wave = [
        bought(f"n{number:03}", 90 + step * 9 + number * 0.01) for number in range(40) for step in range(10)
    ]
    assert "changed_ids" not in found(project(tmp_path, orders=[*ordinary(customers=60), *wave]))


# --- one id per order ---------------------------------------------------------------------------


def test_numbers_of_orders_as_ids_are_found(tmp_path):
    orders = [bought(f"A-{1000 + number}", number * 0.7) for number in range(200)]
    finding = found(project(tmp_path / "orders", orders=orders))["id_per_order"]
    assert (finding["customers"], finding["share"]) == (200, 1.0)


def test_people_who_buy_once_under_names_are_people(tmp_path):
    rng = np.random.default_rng(3)
    orders = [bought(f"{rng.integers(10**9)}", number * 0.7) for number in range(200)]
    assert "id_per_order" not in found(project(tmp_path, orders=orders))


def test_people_who_come_back_are_people_although_ids_count_up(tmp_path):
    orders = [bought(f"{1000 + number}", number * 0.5) for number in range(200)]
    again = [bought(f"{1000 + number}", number * 0.5 + 30) for number in range(0, 200, 5)]
    assert "id_per_order" not in found(project(tmp_path, orders=[*orders, *again]))

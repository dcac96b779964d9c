"""Who has a contract and who left, on rows as they come: several contracts, changes of plan, pauses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.event_store import EventStore
from features.timeline import Horizon, Timeline
from tests.inputs.services import kizuna
from training.diagnosis.contract_findings import contract_findings
from training.labels.cohort import IN_COHORT, STATUSES, statuses
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings

TIME = Timeline()
HEAD = "customer_id,occurred_at,kind,detail,contract_id,recorded_at,event_id"
SUBS = """
id,customer,happened,kind,plan
a1,two-contracts,2024-01-10 10:00:00,started,basic
b1,two-contracts,2024-02-10 10:00:00,started,box
a2,two-contracts,2024-06-01 10:00:00,cancelled,basic
c1,changes-plan,2024-01-10 10:00:00,started,basic
z9,changes-plan,2024-06-01 10:00:00,cancelled,basic
k3,changes-plan,2024-06-01 10:00:00,started,plus
d1,leaves,2024-01-10 10:00:00,started,basic
d2,leaves,2024-06-01 10:00:00,cancelled,basic
e1,stays,2024-01-10 10:00:00,started,basic
"""


def store(folder: Path, rows: str) -> EventStore:
    """A store of rows `customer when kind [detail] [contract] [recorded]`, where `-` says nothing."""
    lines = [line.split() for line in rows.strip().splitlines()]
    columns: dict[str, list[Any]] = {name: [] for name in HEAD.split(",")[:-1]}
    for line in lines:
        for name, text in zip(columns, [*line, *"-----"], strict=False):
            columns[name].append(None if text == "-" else text.replace("T", " "))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    made = EventStore(folder / "state", buckets=1)
    made.add(table, source="subs", timeline=TIME, now=TIME.instant("2026-01-01"))
    return made


def contract(**settings: Any) -> Churn:
    return Churn.of(ChurnSettings.model_validate({"type": "contract", "horizon_days": 30, **settings}), ())


def standing(made: EventStore, as_of: str, churn: Churn) -> dict[str, str]:
    """The status of every known customer at a date."""
    history = made.history(0)
    codes = statuses(history, churn, TIME.instant(as_of))
    names = made.customers.names(history.keys).to_pylist()
    return {name: STATUSES[code].value for name, code in zip(names, codes, strict=True) if code >= 0}


def leavers(made: EventStore, as_of: str, churn: Churn) -> set[str]:
    """Those of the cohort of a date who left in its horizon."""
    history, date = made.history(0), TIME.instant(as_of)
    keys = history.keys[statuses(history, churn, date) == IN_COHORT]
    churned = label(history, churn, keys, date, TIME.instant("2026-01-01"), TIME).churned
    return set(made.customers.names(keys[churned]).to_pylist())


@pytest.mark.parametrize("ids", ["as they are", "turned round", "none"])
def test_one_of_two_contracts_and_a_change_of_plan_are_no_leaving(tmp_path: Path, ids: str) -> None:
    text = SUBS.strip()
    if ids == "turned round":
        text = text.replace("z9", "c2").replace("k3", "c3")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "subs.csv").write_text(text + "\n")
    event_id = "" if ids == "none" else "id as event_id, "
    (tmp_path / "kizuna.toml").write_text(f"""timezone = "UTC"
[[sources]]
name = "subs"
query = "select {event_id}customer as customer_id, happened as occurred_at, kind, plan as detail \
from read_csv('data/subs.csv', all_varchar = true)"
[churn]
type = "contract"
horizon_days = 30
""")
    assert kizuna(tmp_path, "ingest") == 0
    output = tmp_path / "f.parquet"
    assert kizuna(tmp_path, "features", "--as-of", "2024-06-15", "--output", str(output)) == 0
    found = set(pq.read_table(output).column("customer_id").to_pylist())
    assert found == {"two-contracts", "changes-plan", "stays"}


# Each case: the rows, the as-of date, who is in the cohort then, who of them left within 30 days of it,
# and the settings.
CASES: dict[str, tuple[str, str, set[str], set[str], dict[str, Any]]] = {
    "contracts are told apart by contract_id, whatever their plans": (
        """
        a 2024-01-01 started gold K1
        a 2024-02-01 started gold K2
        a 2024-06-10 cancelled gold K1
        b 2024-01-01 started gold K1
        b 2024-06-10 cancelled - K1
        c 2024-01-01 started - K1
        c 2024-02-01 started - K2
        c 2024-06-10 cancelled - K2
        c 2024-06-20 cancelled - K1
        """, "2024-06-01", {"a", "b", "c"}, {"b", "c"}, {},
    ),
    "one contract that is cancelled twice takes no other with it": (
        """
        a 2024-01-01 started basic
        a 2024-01-05 started box
        a 2024-05-01 cancelled basic
        a 2024-06-10 cancelled basic
        b 2024-01-01 started - K1
        b 2024-01-05 started - K2
        b 2024-05-01 cancelled - K1
        b 2024-06-10 cancelled - K1
        """, "2024-06-01", {"a", "b"}, set(), {},
    ),
    "an end whose start is not on record ends nothing else": (
        """
        a 2024-02-01 started box K2
        a 2024-06-10 cancelled basic K1
        b 2024-05-10 cancelled basic
        """, "2024-06-01", {"a"}, set(), {},
    ),
    "an end that names a plan ends a contract whose start names none": (
        """
        a 2024-01-01 started
        a 2024-06-10 cancelled basic
        b 2024-01-01 started basic
        b 2024-06-10 cancelled
        """, "2024-06-01", {"a", "b"}, {"a", "b"}, {},
    ),
    "an end that gives a reason ends what runs": (
        """
        a 2024-01-01 started basic
        a 2024-06-10 cancelled too-expensive
        """, "2024-06-01", {"a"}, {"a"}, {},
    ),
    "an end that names a plan of before the record ends nothing else where the settings name the plans": (
        """
        a 2024-02-01 started box
        a 2024-06-10 cancelled basic
        b 2024-02-01 started box
        b 2024-06-10 cancelled too-expensive
        """, "2024-06-01", {"a", "b"}, {"b"}, {"plans": ["Basic", "box"]},
    ),
    "an upgrade moves the contract to its new plan": (
        """
        new 2024-01-01 started basic
        new 2024-03-01 upgraded plus
        new 2024-06-10 cancelled plus
        old 2024-01-01 started basic
        old 2024-03-01 upgraded plus
        old 2024-06-10 cancelled basic
        bare 2024-01-01 started basic
        bare 2024-03-01 downgraded
        bare 2024-06-10 cancelled basic
        box 2024-01-01 started basic
        box 2024-02-01 started box
        box 2024-03-01 upgraded plus
        box 2024-06-10 cancelled box
        both 2024-01-01 started basic
        both 2024-02-01 started box
        both 2024-03-01 upgraded plus
        both 2024-06-10 cancelled box
        both 2024-06-11 cancelled plus
        """, "2024-06-01", {"new", "old", "bare", "box", "both"}, {"new", "old", "bare", "both"}, {},
    ),
    "an upgrade and the end of the old plan are one change, in any order": (
        """
        a 2024-01-01 started basic
        a 2024-06-10T10:00 upgraded plus
        a 2024-06-10T11:00 cancelled basic
        b 2024-01-01 started basic
        b 2024-06-10T11:00 upgraded plus
        b 2024-06-10T10:00 cancelled basic
        c 2024-01-01 started basic
        c 2024-06-10T10:00 upgraded plus
        c 2024-06-10T10:00 cancelled basic
        c 2024-06-12 cancelled plus
        """, "2024-06-01", {"a", "b", "c"}, {"c"}, {},
    ),
    "an end and a start at most a day apart are a change of plan, in any order, with plans or without": (
        """
        a 2024-01-01 started basic
        a 2024-06-10T10:00 cancelled basic
        a 2024-06-11T10:00 started basic
        b 2024-01-01 started
        b 2024-06-10T10:00 started
        b 2024-06-10T10:00:01 cancelled
        c 2024-01-01 started
        c 2024-06-10T10:00 started
        c 2024-06-10T10:00 cancelled
        d 2024-01-01 started basic
        d 2024-06-10T10:00 cancelled basic
        d 2024-06-11T10:00:01 started basic
        e 2024-01-01 started basic
        e 2024-06-10T09:00 started plus
        e 2024-06-10T10:00 cancelled
        """, "2024-06-01", {"a", "b", "c", "d", "e"}, {"d"}, {},
    ),
    "how far apart they may be is a setting": (
        """
        a 2024-01-01 started basic
        a 2024-06-10T10:00 cancelled basic
        a 2024-06-11T10:00 started basic
        b 2024-01-01 started basic
        b 2024-06-10T10:00 cancelled basic
        b 2024-06-10T10:30 started plus
        """, "2024-06-01", {"a", "b"}, {"a"}, {"same_change_hours": 1},
    ),
    "a contract that ends soon after its start or its renewal has ended": (
        """
        a 2024-05-31T20:00 started basic
        a 2024-06-01T10:00 cancelled basic
        b 2024-01-01 started basic
        b 2024-06-10T00:00 renewed basic
        b 2024-06-10T10:00 cancelled basic
        """, "2024-06-01", {"a", "b"}, {"a", "b"}, {},
    ),
    "a pause is no leaving, and no return": (
        """
        a 2024-01-01 started basic
        a 2024-06-10 paused basic
        b 2024-01-01 started basic
        b 2024-04-01 paused
        b 2024-05-01 resumed
        c 2024-01-01 started basic
        c 2024-04-01 paused
        c 2024-06-10 cancelled basic
        """, "2024-06-01", {"a", "b", "c"}, {"c"}, {},
    ),
    "a pause is a leaving where the settings say so": (
        """
        a 2024-01-01 started basic
        a 2024-06-10 paused basic
        b 2024-01-01 started basic
        b 2024-04-01 paused
        b 2024-05-01 resumed
        c 2024-01-01 started basic
        c 2024-04-01 paused
        """, "2024-06-01", {"a", "b"}, {"a"}, {"pause_is_churn": True},
    ),
    "who is on trial is no customer, and its end is no leaving": (
        """
        a 2024-05-20 trial_started basic
        a 2024-06-10 cancelled basic
        b 2024-05-01 trial_started
        b 2024-05-15 started basic
        b 2024-06-10 cancelled basic
        """, "2024-06-01", {"b"}, {"b"}, {},
    ),
    "trials count where the settings say so, and their end is still no leaving": (
        """
        a 2024-05-20 trial_started basic
        a 2024-06-10 cancelled basic
        b 2024-05-01 trial_started
        b 2024-05-15 started basic
        b 2024-06-10 cancelled basic
        """, "2024-06-01", {"a", "b"}, {"b"}, {"count_trials": True},
    ),
    "a contract that is not renewed within its term has ended at the term's end": (
        """
        a 2023-06-11 started basic
        b 2023-06-11 started basic
        b 2024-06-10T12:00 renewed basic
        c 2023-05-01 started basic
        d 2023-06-11 started basic
        d 2024-06-10T20:00 renewed basic
        """, "2024-06-01", {"a", "b", "d"}, {"a"}, {"term_days": 365},
    ),
    "the clock of a term stands still while a contract is paused": (
        """
        a 2024-04-20 started basic
        a 2024-04-30 paused
        a 2024-06-10 resumed
        a 2024-06-25 renewed
        b 2024-04-20 started basic
        b 2024-04-30 paused
        """, "2024-06-01", {"a", "b"}, set(), {"term_days": 30},
    ),
    "a completed contract is an end without churn, and so is the completion of the last of two": (
        """
        a 2024-01-01 started basic
        a 2024-06-10 completed basic
        b 2024-01-01 started basic
        b 2024-01-02 started box
        b 2024-06-10 cancelled box
        b 2024-06-20 completed basic
        c 2024-01-01 started basic
        c 2024-01-02 started box
        c 2024-06-10 completed box
        c 2024-06-20 cancelled basic
        """, "2024-06-01", {"a", "b", "c"}, {"c"}, {},
    ),
    "who comes back is a customer again": (
        """
        a 2023-01-01 started basic
        a 2023-06-01 cancelled basic
        a 2024-05-01 started basic
        b 2023-01-01 started basic
        b 2023-06-01 cancelled basic
        c 2023-01-01 started basic
        c 2023-06-01 cancelled basic
        c 2024-05-01 upgraded plus
        """, "2024-06-01", {"a", "c"}, set(), {},
    ),
    "an end that was learned of later makes no cohort smaller, and is no second leaving": (
        """
        a 2024-01-01 started basic - 2024-01-01
        a 2024-05-20 cancelled basic - 2024-06-10
        b 2024-01-01 started basic - 2024-01-01
        b 2024-05-20 cancelled basic - 2024-05-21
        b 2024-05-25 started basic - 2024-06-10
        c 2024-01-01 started basic - 2024-01-01
        c 2024-06-05 cancelled basic - 2024-12-01
        """, "2024-06-01", {"a", "c"}, {"c"}, {},
    ),
    "plans are the same whatever their case, blanks and width": (
        """
        a 2024-01-01 started Basic
        a 2024-01-02 started box
        a 2024-06-10 cancelled ＢＡＳＩＣ
        b 2024-01-01 started Basic
        b 2024-06-10 cancelled basic
        """, "2024-06-01", {"a", "b"}, {"b"}, {},
    ),
    "all rows of a customer are one contract where the settings say so": (
        """
        a 2024-01-01 started basic
        a 2024-02-01 started box
        a 2024-06-10 cancelled basic
        """, "2024-06-01", {"a"}, {"a"}, {"contracts_by": "customer"},
    ),
    "an end that the project counts as one is no change of plan": (
        """
        a 2024-01-01 started basic
        a 2024-06-10 downgraded free
        """, "2024-06-01", {"a"}, {"a"}, {"ended_by": ["cancelled", "downgraded"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "as_of", "cohort", "left", "settings"), CASES.values(), ids=CASES)
def test_the_cohort_and_its_leavers(
    tmp_path: Path, rows: str, as_of: str, cohort: set[str], left: set[str], settings: dict[str, Any]
) -> None:
    made, churn = store(tmp_path, rows), contract(**settings)
    found = {name for name, status in standing(made, as_of, churn).items() if status == "cohort"}
    assert (found, leavers(made, as_of, churn)) == (cohort, left)


def test_a_trial_that_ended_leaves_nobody_lapsed_and_a_contract_does(tmp_path: Path) -> None:
    rows = """
        trial 2024-05-01 trial_started basic
        trial 2024-05-10 cancelled basic
        open 2024-05-01 trial_started
        gone 2024-05-10 cancelled basic
        browses 2024-05-10 visit
    """
    found = standing(store(tmp_path, rows), "2024-06-01", contract())
    assert found == {"trial": "new", "open": "new", "gone": "lapsed", "browses": "new"}


def test_the_rows_of_one_instant_may_come_in_any_order(tmp_path: Path) -> None:
    lines = [
        "a 2024-06-10T10:00 cancelled basic",
        "a 2024-06-10T10:00 started plus",
        "a 2024-06-10T10:00 cancelled box",
        "a 2024-06-10T10:00 visit",
    ]
    first = "a 2024-01-01 started basic\na 2024-01-02 started box\n"
    for turn in range(4):
        made = store(tmp_path / str(turn), first + "\n".join([*lines[turn:], *lines[:turn]]))
        assert standing(made, "2024-06-11", contract()) == {"a": "cohort"}
        assert leavers(made, "2024-06-01", contract()) == set()


def test_the_horizon_begins_after_the_lead(tmp_path: Path) -> None:
    made = store(tmp_path, "a 2024-01-01 started basic\na 2024-06-10 cancelled basic")
    assert leavers(made, "2024-06-01", contract(lead_days=5)) == {"a"}
    assert leavers(made, "2024-06-01", contract(lead_days=14)) == set()  # gone before the horizon begins


def test_rules_of_contracts_go_with_the_bundle_and_the_default_ones_leave_it_as_it_was() -> None:
    assert "contracts" not in contract().to_json()
    churn = contract(term_days=30, pause_is_churn=True, changed_by=["moved"])
    assert Churn.from_json(churn.to_json()) == churn
    assert churn.horizon == Horizon(30)


def test_doctor_counts_how_contracts_begin_end_overlap_and_return(tmp_path: Path) -> None:
    rows = """
        two 2024-01-01 started basic
        two 2024-02-01 started box
        two 2024-06-01 cancelled box
        moves 2024-01-01 started basic
        moves 2024-06-01T10:00 cancelled basic
        moves 2024-06-01T12:00 started plus
        old 2024-03-01 cancelled basic
        back 2024-01-01 started basic
        back 2024-03-01 cancelled basic
        back 2024-03-04 started basic
        back 2024-05-01 cancelled basic
        back 2024-09-01 started basic
        plain 2024-01-01 started basic
    """
    made = store(tmp_path, rows)
    (found,) = contract_findings(made, contract(), TIME.instant("2024-12-01"))
    assert found.figures == {
        "customers": 5,
        "contracts": 8,
        "several_at_once": 1,
        "changes_of_plan": 1,
        "same_change_hours": 24.0,
        "returns_within_7_days": 1,
        "ends_without_start": 1,
        "lapses": 0,
        "returns": 2,
    }
    assert "1 ends lie within 24 hours of the start of the next contract" in found.english
    (found,) = contract_findings(made, contract(term_days=300), TIME.instant("2024-12-01"))
    assert found.figures["lapses"] == 2
    assert contract_findings(store(tmp_path / "b", "plain 2024-01-01 started basic"), contract(), 0) == ()

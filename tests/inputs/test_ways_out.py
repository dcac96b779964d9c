"""Only the outcome `planned` carries an action out of the house, in every form that a plan leaves it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serving.actions.plan_file import FOLDER, StoredPlan, load
from serving.actions.plan_text import planned_actions
from serving.cli.context import CliContext
from serving.schemas.terms import OUTCOMES
from serving.state.api_keys import add_key
from tests.inputs.services import TO_CARRY, answer, copied, csv_rows, kizuna, plan_of, simulated
from tests.serving.running import serving

CRM = """
[crm.tasks.columns]
Id = "customer_id"
Touch = "touch"
Task = "action"
Channel = "action_channel"
Owner = "owner"
Due = "deadline"
Talk = "hook_1"
Outcome = "outcome"
Why = "left_out_because"
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service with a plan; not to be changed."""
    folder = simulated(tmp_path_factory.mktemp("ways") / "service", edit=lambda text: text + CRM)
    assert kizuna(folder, "plan") == 0
    return folder


@pytest.fixture
def outcomes(planned: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    found = {name: row["outcome"] for name, row in plan_of(capsys, planned).items()}
    assert {"planned", "held_back", "do_not_contact", "cool_down"} <= set(found.values())
    return found


def no_leak(rows: dict[str, dict[str, Any]], names: tuple[str, ...], outcomes: dict[str, str]) -> None:
    """Whoever is not planned carries none of these; whoever is has an action, and nothing else differs."""
    assert len(rows) > 100
    for name, row in rows.items():
        assert row["outcome"] == outcomes[name]
        is_planned = outcomes[name] == "planned"
        assert bool(row["left_out_because"]) != is_planned, name
        assert any(row[part] for part in names) == is_planned, (name, row)


def test_the_plan_and_the_list_as_json(
    planned: Path, outcomes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = plan_of(capsys, planned)
    no_leak(whole, TO_CARRY, outcomes)
    assert not any(row["hooks"]["preferred_channel"] for row in whole.values() if row["outcome"] != "planned")
    listed = answer(capsys, planned, "at-risk", "--limit", "5000")["customers"]
    no_leak({row["customer_id"]: row["plan"] for row in listed}, TO_CARRY, outcomes)


def test_the_plan_and_the_list_as_a_file_for_people(
    planned: Path, outcomes: dict[str, str], tmp_path: Path
) -> None:
    parts = {
        "plan": ("touch", "action", "channel", "owner", "deadline", "hook_1", "hook_2", "hook_3"),
        "at-risk": ("touch", "action", "action_channel", "owner", "deadline", "hooks"),
    }
    for command, names in parts.items():
        file = tmp_path / f"{command}.csv"
        assert kizuna(planned, command, "--limit", "5000", "--output", str(file)) == 0
        rows = csv_rows(file.read_text(encoding="utf-8"))
        no_leak({row["customer_id"]: row for row in rows}, names, outcomes)


def test_the_file_for_a_crm(planned: Path, outcomes: dict[str, str], tmp_path: Path) -> None:
    columns = {
        "salesforce": (
            "Kizuna_Customer_Id__c",
            "Kizuna_Outcome__c",
            "Kizuna_Left_Out_Because__c",
            *(f"Kizuna_Action{part}__c" for part in ("", "_Channel", "_Owner", "_Deadline")),
        ),
        "hubspot": (
            "kizuna_customer_id",
            "kizuna_outcome",
            "kizuna_left_out_because",
            *(f"kizuna_action{part}" for part in ("", "_channel", "_owner", "_deadline")),
        ),
        "tasks": ("Id", "Outcome", "Why", "Touch", "Task", "Channel", "Owner", "Due", "Talk"),
    }
    for name, (key, outcome, why, *parts) in columns.items():
        file = tmp_path / f"{name}.csv"
        assert kizuna(planned, "export", name, "--output", str(file)) == 0
        rows = {
            row[key]: row | {"outcome": row[outcome], "left_out_because": row[why]}
            for row in csv_rows(file.read_text(encoding="utf-8"))
        }
        no_leak(rows, tuple(parts), outcomes)


def test_the_explanation_of_one_customer_and_the_terminal(
    planned: Path, outcomes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for outcome in ("do_not_contact", "cool_down", "held_back"):
        name = next(name for name, other in outcomes.items() if other == outcome)
        plan = answer(capsys, planned, "explain", name)["customer"]["plan"]
        assert plan["outcome"] == outcome
        assert not any(plan[part] for part in TO_CARRY)
        for language in ("en", "ja"):
            assert kizuna(planned, "explain", name, "--language", language) == 0
            shown = capsys.readouterr().out
            assert ("✕" in shown, "→ " in shown.split("✕")[0].splitlines()[-1]) == (True, False)
    for command in ("plan", "at-risk"):
        assert kizuna(planned, command, "--outcome", "do_not_contact", "--limit", "500") == 0
        shown = capsys.readouterr().out
        assert shown.count("✕") == (4 if command == "plan" else 2)  # the list has the cohort only
        assert not any(line.strip().startswith("→") for line in shown.splitlines())


def test_what_the_service_answers(planned: Path, outcomes: dict[str, str], tmp_path: Path) -> None:
    service = copied(planned, tmp_path / "service")
    with CliContext(service).records() as records:
        bearer = {"authorization": f"Bearer {add_key(records, 'crm', ('read',), 0, who='test')}"}
    with serving(service) as running:
        _, scored = running.post("/v1/score", {"customer_ids": list(outcomes)}, bearer)
        no_leak({row["customer_id"]: row["plan"] for row in scored["customers"]}, TO_CARRY, outcomes)
        _, listed = running.post("/v1/at_risk", {"limit": 1000}, bearer)
        no_leak({row["customer_id"]: row["plan"] for row in listed["customers"]}, TO_CARRY, outcomes)
        names = ("touch", "action", "action_channel", "owner", "deadline", "hooks")
        rows = csv_rows(running.send("GET", "/v1/at_risk.csv", headers=bearer)[1].decode())
        no_leak({row["customer_id"]: row for row in rows}, names, outcomes)
        rows = csv_rows(running.send("GET", "/v1/at_risk.csv?columns=tasks", headers=bearer)[1].decode())
        by_id = {row["Id"]: row | {"outcome": row["Outcome"], "left_out_because": row["Why"]} for row in rows}
        no_leak(by_id, ("Touch", "Task", "Channel", "Owner", "Due", "Talk"), outcomes)
        for name, outcome in outcomes.items():
            if outcome in ("do_not_contact", "cool_down"):
                plan = running.post("/v1/explain", {"customer_id": name}, bearer)[1]["customer"]["plan"]
                assert not any(plan[part] for part in TO_CARRY)


def test_a_list_by_action_touch_or_channel_holds_only_whom_it_is_planned_for(
    planned: Path, outcomes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = plan_of(capsys, planned)
    for option, part in (("--touch", "touch"), ("--action", "action"), ("--channel", "action_channel")):
        for word in {row[part] for row in whole.values()} - {None}:
            rows = answer(capsys, planned, "plan", "--limit", "5000", option, word)["customers"]
            assert {row["outcome"] for row in rows} == {"planned"}, (option, word)
            assert len(rows) == sum(row[part] == word for row in whole.values())
    waiting = answer(capsys, planned, "plan", "--limit", "5000", "--touch", "tech", "--outcome", "cool_down")
    assert {row["outcome"] for row in waiting["customers"]} <= {"cool_down"}


def test_no_outcome_but_planned_says_what_to_do_whatever_the_rule(planned: Path) -> None:
    """Every outcome, put on every rule: what an old or damaged plan could hold."""
    (file,) = (planned / "state" / FOLDER).glob("*.arrow")
    plan = load(file)
    place = plan.table.schema.get_field_index("outcome")
    for code, outcome in enumerate(OUTCOMES):
        column = pa.array([code] * len(plan.table), pa.int8())
        table = plan.table.set_column(place, "outcome", column)
        changed = StoredPlan(table, plan.playbook, plan.origin)
        for one in planned_actions(changed, list(range(len(table))), "en"):
            assert one.outcome == outcome
            if outcome != "planned":
                assert one.left_out_because
                assert not any(getattr(one, part) for part in TO_CARRY)

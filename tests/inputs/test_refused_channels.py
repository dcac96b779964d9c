"""Which channels a customer refuses leaves the house with the customer, before a plan is made and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.cli.context import CliContext
from serving.integrations.webhooks import named
from serving.scoring.score_changes import ScoreChange
from serving.state.api_keys import add_key
from tests.inputs.services import answer, change, copied, csv_rows, kizuna, plan_of, simulated
from tests.serving.running import serving

CONSENT = """
[[attributes]]
name = "email_opt_out"
query = \"\"\"
select customer as customer_id, since as known_at, 'yes' as value from 'data/profiles.parquet'
where customer like '%7'
\"\"\"

[[attributes]]
name = "no_calls"
query = \"\"\"
select customer as customer_id, since as known_at, 'yes' as value from 'data/profiles.parquet'
where customer like '%17' or customer like '%2'
\"\"\"

[[consent]]
attribute = "no_calls"
says = "must_not_contact"
channels = ["phone"]

[crm.tasks.columns]
Id = "customer_id"
Outcome = "outcome"
Refuses = "refused_channels"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service without a plan, of whom some refuse e-mail, some calls; not to be changed."""
    return simulated(tmp_path_factory.mktemp("refusing") / "service", edit=lambda text: text + CONSENT)


@pytest.fixture(params=["without a plan", "with a plan", "with a plan of before the refusal"])
def project(request: pytest.FixtureRequest, service: Path, tmp_path: Path) -> Path:
    folder = copied(service, tmp_path / "service")
    if request.param == "with a plan":
        assert kizuna(folder, "plan") == 0
    if request.param == "with a plan of before the refusal":
        change(folder, lambda text: text.replace('channels = ["phone"]', 'channels = ["app"]'))
        assert kizuna(folder, "plan") == 0
        change(folder, lambda text: text.replace('channels = ["app"]', 'channels = ["phone"]'))
    return folder


def expected(customer: str) -> list[str]:
    email = customer.endswith("7")
    phone = customer.endswith(("17", "2"))
    return ["email"] * email + ["phone"] * phone


def split(cell: str, gap: str) -> list[str]:
    return cell.split(gap) if cell else []


def right(rows: Iterator[tuple[str, str | None, list[str]]]) -> None:
    """Refused channels are those of the data; all are refused where nobody may contact the customer."""
    found = list(rows)
    assert len(found) > 100
    assert {"all", "email", "phone"} <= {name for _, _, refused in found for name in refused}
    for customer, outcome, refused in found:
        assert refused in (["all"], expected(customer)), customer
        if refused == ["all"]:
            assert outcome in ("do_not_contact", "held_back", "no_rule"), customer


def test_the_list_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, project, "at-risk", "--limit", "5000")["customers"]
    right((row["customer_id"], row["outcome"], row["refused_channels"]) for row in rows)
    one = next(row["customer_id"] for row in rows if row["refused_channels"] == ["email", "phone"])
    explained = answer(capsys, project, "explain", one)["customer"]
    assert explained["refused_channels"] == ["email", "phone"]


def test_the_list_and_the_crm_map_as_files(project: Path, tmp_path: Path) -> None:
    for words, names, gap in (
        (("at-risk", "--language", "en"), ("customer_id", "outcome", "refused_channels"), "; "),
        (("export", "tasks"), ("Id", "Outcome", "Refuses"), ";"),
        (("export", "hubspot"), ("kizuna_customer_id", "kizuna_outcome", "kizuna_refused_channels"), ";"),
        (
            ("export", "salesforce"),
            ("Kizuna_Customer_Id__c", "Kizuna_Outcome__c", "Kizuna_Refused_Channels__c"),
            ";",
        ),
    ):
        file = tmp_path / f"{words[-1]}.csv"
        assert kizuna(project, *words, "--limit", "5000", "--output", str(file)) == 0
        rows = csv_rows(file.read_text(encoding="utf-8"))
        cells = ([row[name] for name in names] for row in rows)
        right((one, outcome or None, split(refused, gap)) for one, outcome, refused in cells)


def test_the_list_in_japanese_names_the_channels(service: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    assert kizuna(service, "at-risk", "--language", "ja", "--limit", "5000", "--output", str(file)) == 0
    told = {row["連絡不可のチャネル"] for row in csv_rows(file.read_text(encoding="utf-8"))}
    assert {"すべて", "メール", "電話", "メール、電話", ""} <= told


def test_the_plan(project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = plan_of(capsys, project).values()
    right((row["customer_id"], row["outcome"], row["refused_channels"]) for row in rows)
    file = tmp_path / "plan.csv"
    assert kizuna(project, "plan", "--language", "en", "--limit", "5000", "--output", str(file)) == 0
    cells = csv_rows(file.read_text(encoding="utf-8"))
    right((row["customer_id"], row["outcome"], split(row["refused_channels"], "; ")) for row in cells)


def test_a_webhook(project: Path) -> None:
    with CliContext(project).workspace() as workspace:
        reader = workspace.scores.current()
        keys = np.asarray(reader.scores.answers.key)
        changes = [ScoreChange(int(key), "tier_fell", "engaged", "casual") for key in keys]
        stored = {
            "as_of": "2025-01-01", "since": "2024-12-01", "model_version": "1",
            "changes": [vars(one) for one in changes],
        }  # fmt: skip
        content = named(
            json.dumps(stored), workspace.store.customers, lambda some: reader.outcomes(some, "en")
        )
    assert content is not None
    sent = json.loads(content)["changes"]
    right((one["customer_id"], one["outcome"], one["refused_channels"]) for one in sent)


def test_the_service(service: Path, tmp_path: Path) -> None:
    project = copied(service, tmp_path / "service")
    with CliContext(project).records() as records:
        bearer = {"authorization": f"Bearer {add_key(records, 'crm', ('read',), 0, who='test')}"}
    with serving(project) as running:
        _, listed = running.post("/v1/at_risk", {"limit": 1000}, bearer)
        rows = listed["customers"]
        right((row["customer_id"], row["outcome"], row["refused_channels"]) for row in rows)
        names = [row["customer_id"] for row in rows]
        _, scored = running.post("/v1/score", {"customer_ids": names}, bearer)
        assert [row["refused_channels"] for row in scored["customers"]] == [
            row["refused_channels"] for row in rows
        ]
        cells = csv_rows(running.send("GET", "/v1/at_risk.csv?columns=tasks", headers=bearer)[1].decode())
        assert {row["Id"]: row["Refuses"] for row in cells} == {
            row["customer_id"]: ";".join(row["refused_channels"]) for row in rows
        }

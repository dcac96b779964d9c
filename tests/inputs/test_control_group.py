"""A control customer is held back in every way out of the house until the hold ends, whatever was planned.

`WAYS_OUT` names every use case that hands out customers, with what it says of each: a use case with the
permission to read, predict or contact that is missing here fails a test.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serving.application
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_lookup import plan_of
from serving.application.campaigns.export import export_campaign
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.customers.overview import customer_overview
from serving.application.lists.at_risk import at_risk_page, list_at_risk, whole_list
from serving.application.lists.browse import browse_list
from serving.application.lists.explain import explain
from serving.application.lists.export import export_list
from serving.application.lists.make_plan import make_plan
from serving.application.lists.predict import predict
from serving.application.lists.stored_scores import stored_scores
from serving.application.permissions import COMMAND_LINE, USE_CASES
from serving.application.workspace import Workspace
from serving.integrations.webhooks import named
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.presentation.csv import list_csv, plan_csv
from serving.presentation.plan import plan_reply
from serving.schemas.json_text import to_json
from serving.schemas.requests import PredictRequest
from serving.state.scores.score_index import current_scores
from tests.inputs.services import TO_CARRY, copied, csv_rows, kizuna, simulated
from tests.serving.application.campaigns.test_start import opened

CONTROL = "control_group"
EVERYONE = ListFilter(limit=5_000)
Said = Mapping[str, Mapping[str, Any]]
"""Of customers by id the outcome, and whether there is anything to act on (`acts`)."""
ACTIONS = ("touch", "action", "action_channel", "channel", "owner", "deadline", "hook_1", "hooks")
CRM = {"Kizuna_Customer_Id__c": "customer_id", "Kizuna_Outcome__c": "outcome", "Kizuna_Action__c": "action"}


def said(rows: list[dict[str, Any]]) -> Said:
    """What rows of an answer say, with the plan's part where they have one."""
    found = {}
    for row in rows:
        part = row.get("plan") or row
        acts = any(part.get(name) for name in (*TO_CARRY, *ACTIONS) if not isinstance(part.get(name), dict))
        found[row["customer_id"].strip('="')] = {"outcome": row.get("outcome") or None, "acts": acts}
    return found


def as_rows(customers: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(to_json(list(customers)))
    return rows


def of_list(place: Workspace) -> Said:
    found = list_at_risk(place, COMMAND_LINE, EVERYONE)
    customers = list(found.customers)
    text = "".join(list_csv(customers, "en", with_plan=found.planned, spreadsheet=True))
    assert said(csv_rows(text)) == said(as_rows(customers))
    return said(as_rows(customers))


def of_crm(place: Workspace) -> Said:
    rows = csv_rows("".join(export_list(place, COMMAND_LINE, "salesforce", EVERYONE).lines))
    return said([{CRM[name]: row[name] for name in CRM} for row in rows])


def of_plan(place: Workspace) -> Said:
    made = make_plan(place, COMMAND_LINE, choice=ListFilter(), limit=5_000)
    reply = plan_reply(made.plan, made.scores, made.rows, made.limit, "en", made.contacts)
    assert said(csv_rows("".join(plan_csv(reply, "en")))) == said(as_rows(reply.customers))
    return said(as_rows(reply.customers))


def of_webhook(place: Workspace) -> Said:
    """The body of a delivery about every scored customer, as `kizuna notify` sends it."""
    reader = place.scores.current()
    fell = {"kind": "tier_fell", "before": "a", "after": "b"}
    changes = [{"key": key, **fell} for key in reader.scores.answers.key.tolist()]
    content = json.dumps({"as_of": "", "since": "", "model_version": "", "changes": changes})
    body = named(content, reader.customers, partial(reader.outcomes, language="en"))
    assert body is not None
    return said(json.loads(body)["changes"])


def of_predict(place: Workspace) -> Said:
    names = [{"customer_id": name, "events": []} for name in every_name(place)[:900]]
    request = PredictRequest.model_validate({"customers": names, "stored": True})
    return said(as_rows(predict(place, COMMAND_LINE, request).customers))


def of_explain(place: Workspace) -> Said:
    names = [*control_names(place)[:4], *every_name(place)[:4]]
    return said(as_rows(explain(place, COMMAND_LINE, name).customer for name in names))


def of_overview(place: Workspace) -> Said:
    names = [*control_names(place)[:4], *every_name(place)[:4]]
    return said(as_rows(customer_overview(place, COMMAND_LINE, name) for name in names))


def every_name(place: Workspace) -> list[str]:
    reader = place.scores.current()
    found: list[str] = reader.customers.names(reader.scores.answers.key).to_pylist()
    return found


def control_names(place: Workspace) -> list[str]:
    assignment = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert assignment is not None
    found: list[str] = place.store.customers.names(assignment.control).to_pylist()
    return found


WAYS_OUT: dict[str, Callable[[Workspace], Said]] = {
    "lists.at_risk.list_at_risk": of_list,
    "lists.at_risk.at_risk_page": lambda place: said(
        as_rows(at_risk_page(place, COMMAND_LINE, EVERYONE).customers)
    ),
    "lists.at_risk.whole_list": lambda place: said(
        as_rows(whole_list(place, COMMAND_LINE, EVERYONE).customers)
    ),
    "lists.browse.browse_list": lambda place: said(
        as_rows(browse_list(place, COMMAND_LINE, EVERYONE, size=5_000).page.customers)
    ),
    "customers.overview.customer_overview": of_overview,
    "lists.export.export_list": of_crm,
    "lists.make_plan.make_plan": of_plan,
    "lists.notify.notify": of_webhook,
    "lists.explain.explain": of_explain,
    "lists.stored_scores.stored_scores": lambda place: said(
        as_rows(stored_scores(place, COMMAND_LINE, every_name(place)).customers)
    ),
    "lists.predict.predict": of_predict,
    "campaigns.export.export_campaign": lambda place: said(
        as_rows(export_campaign(place, COMMAND_LINE, "spring", "csv").customers)
    ),
}
NO_WAY_OUT = {
    "data.ingest.ingest",
    "models.score.score",
    "models.train.train",
    "campaigns.contacts.record_campaign_contacts",
    "campaigns.contacts.record_pasted_contacts",
    "campaigns.export.preview_export",
    "campaigns.learn.learn_uplift",
    "campaigns.learn.stop_using_uplift",
    "campaigns.review.review_campaigns",
    "customers.score_history.score_history",
    "customers.timeline.customer_timeline",
    "data.check_arrivals.check_arrivals",
    "lists.browse.choose_columns",
    "lists.browse.chosen_columns",
    "lists.browse.filter_options",
    "lists.browse.loosened_filters",
    "lists.notify.report_run",
    "lists.saved_filters.saved_filters",
}
"""Use cases with such a permission that hand out nobody to act on."""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service with a plan and a running campaign; not to be changed."""
    folder = simulated(tmp_path_factory.mktemp("control") / "service")
    assert kizuna(folder, "plan") == 0
    start_campaign(
        opened(folder), COMMAND_LINE, "spring", CampaignDeclaration(EVERYONE, control_share=0.3),
        accept_few=True,
    )  # fmt: skip
    return folder


def test_every_use_case_that_hands_out_customers_is_named_here() -> None:
    for module in pkgutil.walk_packages(serving.application.__path__, "serving.application."):
        importlib.import_module(module.name)
    handing_out = {
        name.removeprefix("serving.application.")
        for name, permission in USE_CASES.items()
        if permission in ("read_customer", "read_text", "predict", "contact", "download", "run")
    }
    assert handing_out == {*WAYS_OUT, *NO_WAY_OUT}


@pytest.mark.parametrize(
    ("way", "planned"),
    [
        *((way, True) for way in WAYS_OUT),
        *((way, False) for way in WAYS_OUT if not way.endswith("make_plan")),
    ],
)
def test_a_control_customer_is_held_back_until_the_hold_ends(
    campaign: Path, tmp_path: Path, way: str, planned: bool
) -> None:
    place = opened(copied(campaign, tmp_path / "service") if way.endswith("make_plan") else campaign)
    if not planned:
        place = without_plan(place, tmp_path)
    control = set(control_names(place))
    found = WAYS_OUT[way](place)
    if way.startswith("campaigns."):
        assert len(found) > 50
        assert not control & set(found)
        return
    mine = {name: row for name, row in found.items() if name in control}
    assert len(mine) > (3 if way.endswith(("explain", "customer_overview")) else 20)
    assert {row["outcome"] for row in mine.values()} == {CONTROL}
    assert not any(row["acts"] for row in mine.values())
    assert not any(row["outcome"] == CONTROL for name, row in found.items() if name not in control)
    ended = replace(place, clock=lambda: place.clock() + 91 * 86_400_000_000)
    ended = replace(ended, scores=replace(ended.scores, clock=ended.clock))  # type: ignore[type-var]
    after = WAYS_OUT[way](ended)
    assert not any(row["outcome"] == CONTROL for row in after.values())


def without_plan(place: Workspace, tmp_path: Path) -> Workspace:
    """The same service before a plan was made."""
    folder = copied(place.project.folder, tmp_path / "unplanned")
    for file in (folder / "state" / "plans").iterdir():
        file.unlink()
    return opened(folder)


def test_a_plan_made_during_the_hold_acts_again_when_it_is_stopped(campaign: Path, tmp_path: Path) -> None:
    folder = copied(campaign, tmp_path / "service")
    assert kizuna(folder, "plan") == 0
    place = opened(folder)
    stored = stored_plan(place)
    control = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert control is not None
    rows = stored.rows(control.control)
    codes = stored.table.column("outcome").to_numpy()[rows]
    assert not (codes == 0).any()  # even who reads the file alone finds nobody of them planned
    assert kizuna(folder, "campaign", "stop", "spring") == 0
    after = of_list(opened(folder))
    assert any(after[name]["acts"] for name in control_names(place) if name in after)


def stored_plan(place: Workspace) -> StoredPlan:
    current = current_scores(place.database)
    assert current is not None
    plan = plan_of(place.project, current.file)
    assert plan is not None
    return plan


def test_rules_marked_service_go_on_for_control_customers(campaign: Path, tmp_path: Path) -> None:
    folder = copied(campaign, tmp_path / "service")
    before = stored_plan(opened(folder)).playbook
    assert kizuna(folder, "playbook") == 0
    text = (folder / "playbook.toml").read_text(encoding="utf-8")
    rule = next(one for one in before.rules if one.hold_back is None)
    marked = text.replace(f'name = "{rule.name}"', f'name = "{rule.name}"\nservice = true')
    assert marked != text
    (folder / "playbook.toml").write_text(marked, encoding="utf-8")
    place = opened(folder)
    found, control = of_plan(place), set(control_names(place))
    numbers = stored_plan(place).table.column("rule").to_pylist()
    of_rule = {
        name
        for name, number in zip(every_name(place), numbers, strict=True)
        if before.rules[number].name == rule.name
    }
    acting = [name for name in control & of_rule if found[name]["acts"]]
    assert {found[name]["outcome"] for name in control - of_rule} == {CONTROL}
    serviced = {found[name]["outcome"] for name in control & of_rule}
    assert serviced <= {"planned", "cool_down", "do_not_contact", "capacity"}
    assert acting or not control & of_rule


def test_customers_of_the_standing_control_group_are_held_back_without_a_campaign(
    campaign: Path, tmp_path: Path
) -> None:
    folder = copied(campaign, tmp_path / "service")
    settings = folder / "kizuna.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'{text}\n[campaigns]\nglobal_control = "30%"\n', encoding="utf-8")
    assert kizuna(folder, "campaign", "stop", "spring") == 0
    found = of_list(opened(folder))
    share = np.mean([row["outcome"] == CONTROL for row in found.values()])
    assert 0.15 < share < 0.45
    assert of_list(opened(folder)) == found

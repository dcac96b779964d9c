"""What leaves a campaign and what comes back: exports, contacts, and customers who are erased or merged."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError
from features.events.attributes import NOTED_REFUSAL
from features.events.schema import EVENT_SCHEMA
from features.timeline import Timeline
from serving.application.campaigns.contacts import (
    RecordedContacts,
    record_campaign_contacts,
    record_pasted_contacts,
)
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.export import export_campaign
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.data.erase import erase
from serving.application.lists.make_plan import make_plan
from serving.application.operation.backup import backup
from serving.application.operation.restore import restore
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ProjectFolder, Workspace
from serving.experiments.assignment import CONTROL, TREATMENT
from serving.experiments.campaign_file import Assignment
from serving.experiments.held_back import held_back
from serving.experiments.merged_customers import current_assignment
from serving.integrations.webhooks import AT_ONCE, named
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.presentation.campaigns import contact_lines, export_lines
from serving.presentation.messages.catalog import translated
from serving.schemas.terms import COOLING_DOWN
from serving.state.audit_log import audit_entries
from serving.state.outbox import Outbox
from tests.inputs.services import answer, change, csv_rows, kizuna
from tests.serving.application.campaigns.test_start import EVERYONE, opened

DAY = 86_400_000_000


@pytest.fixture
def place(own_shop: Path) -> Workspace:
    started = opened(own_shop)
    start_campaign(
        started, COMMAND_LINE, "spring",
        CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5, segments=("plan",)), accept_few=True,
    )  # fmt: skip
    return started


def assigned(place: Workspace) -> Assignment:
    found = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert found is not None
    return found


def names(place: Workspace, keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    found: list[str] = place.store.customers.names(keys).to_pylist()
    return found


def written(file: Path, rows: list[tuple[str, ...]], *columns: str) -> Path:
    with file.open("w", newline="", encoding="utf-8") as opened_file:
        csv.writer(opened_file).writerows([columns, *rows])
    return file


def moment(place: Workspace, days: float = 0.0) -> str:
    """A local time so many days after the start of the campaign."""
    started = read_campaign(place, COMMAND_LINE, "spring").record.started_at
    assert started is not None
    return Timeline().local(started + round(days * DAY)).replace(tzinfo=None).isoformat(sep=" ")


def later(place: Workspace, days: int) -> Workspace:
    """The same project so many days later."""
    now = place.clock() + days * DAY
    return replace(place, clock=lambda: now)


def refuse_contact(place: Workspace, name: str, attribute: str = "do_not_contact") -> None:
    """Somebody withdraws their consent."""
    event = {"customer_id": name, "occurred_at": place.clock() - DAY, "detail": "yes"}
    event["kind"] = f"attribute.{attribute}"
    row = {one.name: [event.get(one.name)] for one in EVENT_SCHEMA}
    table = pa.table([pa.array(row[one.name], one.type) for one in EVENT_SCHEMA], schema=EVENT_SCHEMA)
    place.store.add(table, source="sent", timeline=Timeline(), now=place.clock())


def test_the_treatment_arm_alone_is_exported_and_each_export_is_in_the_audit_log(
    place: Workspace, tmp_path: Path
) -> None:
    treated, file = names(place, assigned(place).treated), tmp_path / "out.csv"
    for columns, key in (("csv", "customer_id"), ("salesforce", "Kizuna_Customer_Id__c")):
        words = ("export", "spring", "--format", columns, "--output", str(file))
        assert kizuna(place.project.folder, "campaign", *words) == 0
        rows = csv_rows(file.read_text(encoding="utf-8"))
        assert sorted(row[key] for row in rows) == sorted(treated)
        entry = audit_entries(place.database)[0]
        assert (entry.action, entry.details) == (
            "campaign export",
            f"spring: {len(treated)} customers as {columns}",
        )


def test_an_export_says_how_many_the_plan_leaves_a_pause_and_contacts_how_many_were_known() -> None:
    assert len(export_lines("out.csv", 600, {}, 0, "en")) == 1
    (_, lately) = export_lines("out.csv", 600, {}, 12, "en")
    assert lately.startswith("  of these, 12 were contacted only lately by the plan")
    assert "うち12名" in export_lines("out.csv", 600, {}, 12, "ja")[1]
    counts = dict.fromkeys(RecordedContacts.__dataclass_fields__, 0)
    counts |= {"read": 600, "stored": 2, "already_there": 598, "treated_reached": 600}
    (told,) = contact_lines(counts, "en")
    assert told == (
        "Read 600 contacts: 2 new, 598 known already. 600 customers of the treatment arm were reached."
    )
    assert "（新規2件、登録済み598件）" in contact_lines(counts, "ja")[0]


def test_the_plan_s_pause_is_counted_among_those_handed_out(place: Workspace, tmp_path: Path) -> None:
    called = [(name, moment(place, 0.5), "call_made") for name in names(place, assigned(place).treated)]
    file = written(tmp_path / "calls.csv", called, "customer_id", "at", "kind")
    record_campaign_contacts(later(place, 1), COMMAND_LINE, "spring", file)
    after = later(opened(place.project.folder), 1)
    make_plan(after, COMMAND_LINE)
    plan = after.scores.current().plan
    assert plan is not None
    paused = plan.keys[plan.table.column("outcome").to_numpy() == COOLING_DOWN]
    exported = export_campaign(after, COMMAND_LINE, "spring", "csv")
    assert exported.contacted_lately == int(np.isin(exported.keys, paused).sum()) > 0


def test_who_withdrew_is_not_exported_but_stays_in_their_arm(place: Workspace) -> None:
    before = assigned(place)
    name = names(place, before.treated)[0]
    refuse_contact(place, name)
    exported = export_campaign(opened(place.project.folder), COMMAND_LINE, "spring", "csv")
    assert name not in {one.customer_id for one in exported.customers}
    assert exported.exported == len(before.treated) - 1
    assert exported.left_out["do_not_contact"] == 1
    assert assigned(place).keys.tolist() == before.keys.tolist()


def test_webhooks_get_the_treatment_arm_without_whoever_withdrew_while_it_waited(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place.project.folder
    words = ("campaign", "export", "spring", "--format", "webhook")
    assert kizuna(folder, *words) == 2
    assert "kizuna.toml names no webhook" in capsys.readouterr().err
    hook = '[[webhooks]]\nname = "crm"\nurl = "https://crm.example.com/"\nsecret = "0123456789abcdef"\n'
    change(folder, lambda text: f"{text}\n{hook}")
    treated = names(place, assigned(place).treated)
    assert answer(capsys, folder, *words)["customers"] == len(treated)
    waiting = Outbox(place.database).all("waiting")
    assert treated[0] not in "".join(one.content for one in waiting)
    refuse_contact(place, treated[0])
    reader = opened(folder).scores.current()
    sent = [named(one.content, reader.customers, partial(reader.outcomes, language="en")) for one in waiting]
    bodies = [json.loads(body) for body in sent if body is not None]
    assert {body["campaign"] for body in bodies} == {"spring"}
    customers = sorted(one["customer_id"] for body in bodies for one in body["customers"])
    assert customers == sorted(treated[1:])


BY_PHONE = CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5, channel="電話")
NO_CALLS = f"{NOTED_REFUSAL}.phone"


def test_who_refuses_the_channel_of_a_campaign_is_not_assigned(own_shop: Path) -> None:
    listed = opened(own_shop).scores.current()
    one, other = names(opened(own_shop), listed.scores.answers.key[listed.scores.cohort[:2]])
    refuse_contact(opened(own_shop), one, NO_CALLS)
    refuse_contact(opened(own_shop), other, f"{NOTED_REFUSAL}.email")
    place = opened(own_shop)
    drawn = start_campaign(place, COMMAND_LINE, "calls", BY_PHONE, accept_few=True)
    everybody = names(place, drawn.assignment.keys)
    assert one not in everybody
    assert other in everybody
    assert drawn.left_out["do_not_contact"] == 1
    assert read_campaign(place, COMMAND_LINE, "calls").record.channel == "phone"


def test_who_refuses_the_channel_later_is_not_handed_out_nor_sent(own_shop: Path) -> None:
    hook = '[[webhooks]]\nname = "crm"\nurl = "https://crm.example.com/"\nsecret = "0123456789abcdef"\n'
    change(own_shop, lambda text: f"{text}\n{hook}")
    place = opened(own_shop)
    drawn = start_campaign(place, COMMAND_LINE, "calls", BY_PHONE, accept_few=True)
    treated = names(place, drawn.assignment.treated)
    export_campaign(place, COMMAND_LINE, "calls", "webhook")
    refuse_contact(place, treated[0], NO_CALLS)
    refuse_contact(place, treated[1], f"{NOTED_REFUSAL}.email")
    place = opened(own_shop)
    exported = export_campaign(place, COMMAND_LINE, "calls", "csv")
    assert {one.customer_id for one in exported.customers} == set(treated[1:])
    assert exported.left_out["do_not_contact"] == 1
    reader = place.scores.current()
    waiting = Outbox(place.database).all("waiting")
    sent = [named(one.content, reader.customers, partial(reader.outcomes, language="en")) for one in waiting]
    bodies = [json.loads(body) for body in sent if body is not None]
    assert sorted(one["customer_id"] for body in bodies for one in body["customers"]) == sorted(treated[1:])


def test_without_a_channel_the_refused_ones_are_named_and_no_planned_action_uses_one(
    place: Workspace,
) -> None:
    make_plan(place, COMMAND_LINE)
    before = {
        one.customer_id: one
        for one in export_campaign(opened(place.project.folder), COMMAND_LINE, "spring", "csv").customers
    }
    planned = {name: one.plan.action_channel for name, one in before.items() if one.plan}
    channel = next(filter(None, planned.values()))
    calls = [name for name, one in planned.items() if one == channel]
    others = [name for name, one in planned.items() if one != channel]
    refuse_contact(place, calls[0], f"{NOTED_REFUSAL}.{channel}")
    refuse_contact(place, others[0], f"{NOTED_REFUSAL}.{channel}")
    again = export_campaign(opened(place.project.folder), COMMAND_LINE, "spring", "csv")
    after = {one.customer_id: one for one in again.customers}
    assert calls[0] not in after
    assert after[others[0]].refused_channels == [channel]


def test_a_channel_that_is_none_starts_no_campaign(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("campaign", "start", "odd", "--yes", "--limit", "1000")
    assert kizuna(own_shop, *words, "--contact-channel", "a.b") == 2
    assert "cannot use the channel 'a.b'" in capsys.readouterr().err
    assert answer(capsys, own_shop, *words, "--contact-channel", "tel")["channel"] == "phone"


def test_a_filter_of_one_planned_channel_is_the_channel_of_the_campaign(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_plan(opened(own_shop), COMMAND_LINE)
    words = ("campaign", "start", "planned", "--yes", "--dry-run", "--control", "50%")
    assert answer(capsys, own_shop, *words, "--channel", "email")["channel"] == "email"
    assert answer(capsys, own_shop, *words, "--channel", "email", "--channel", "phone")["channel"] is None


def test_a_draft_keeps_its_channel_for_the_start(own_shop: Path) -> None:
    place = opened(own_shop)
    draft_campaign(place, COMMAND_LINE, "calls", BY_PHONE)
    draft_campaign(place, COMMAND_LINE, "calls", BY_PHONE)
    assert start_campaign(place, COMMAND_LINE, "calls", accept_few=True).record.channel == "phone"


def test_an_export_to_a_webhook_that_is_asked_for_twice_is_sent_once(place: Workspace) -> None:
    hook = '[[webhooks]]\nname = "crm"\nurl = "https://crm.example.com/"\nsecret = "0123456789abcdef"\n'
    change(place.project.folder, lambda text: f"{text}\n{hook}")
    of_one = len(range(0, len(assigned(place).treated), AT_ONCE))
    for days, export_id, exports in ((1, "first", 1), (2, "first", 1), (3, "second", 2)):
        again = later(opened(place.project.folder), days)
        export_campaign(again, COMMAND_LINE, "spring", "webhook", export_id=export_id)
        assert len(Outbox(place.database).all("waiting")) == exports * of_one
        assert [one.action for one in audit_entries(place.database)].count("campaign export") == exports


def test_contacts_become_events_of_the_campaign_and_the_same_file_adds_nothing(
    place: Workspace, tmp_path: Path
) -> None:
    treated, control = (names(place, keys) for keys in (assigned(place).treated, assigned(place).control))
    now = later(place, 10)
    rows = [
        (treated[0], moment(place, 1), "call_made", "800", ""),
        (treated[0], moment(place, 1), "call_made", "800", ""),
        (treated[1], moment(place, 2), "email_sent", "", "spring"),
        (control[0], moment(place, 2), "call_made", "800", ""),
        ("n0", moment(place, 2), "call_made", "", ""),
        ("nobody", moment(place, 2), "call_made", "", ""),
        (treated[2], moment(place, -1), "call_made", "", ""),
        (treated[2], moment(place, 11), "call_made", "", ""),
        (treated[2], moment(place, 2), "call_made", "", "autumn"),
    ]
    file = written(tmp_path / "contacts.csv", rows, "customer_id", "at", "kind", "cost", "campaign")
    found = record_campaign_contacts(now, COMMAND_LINE, "spring", file)
    assert (found.read, found.stored, found.already_there) == (9, 5, 0)
    assert (found.unknown_customer, found.before_start, found.in_future, found.other_campaign) == (1, 1, 1, 1)
    assert (found.treated_reached, found.controls_contacted, found.not_assigned) == (2, 1, 1)
    again = record_campaign_contacts(now, COMMAND_LINE, "spring", file)
    assert (again.stored, again.already_there) == (0, 5)
    key = int(place.store.customers.keys(pa.array([treated[0]]))[0])
    history = place.store.history_of([key])
    details = [history.detail_names[code] if code >= 0 else "" for code in history.details.tolist()]
    contacts = [
        row for row, kind in enumerate(history.kinds.tolist()) if history.kind_names[kind] == "call_made"
    ]
    assert [details[row] for row in contacts] == ["spring", "spring"]
    assert history.values[contacts].tolist() == [800.0, 800.0]


@pytest.mark.parametrize(
    ("columns", "row", "says"),
    [
        (("who", "at"), ("c0001", "2025-01-01"), "there is no column 'customer_id'"),
        (("customer_id", "at"), ("c0001", "soon"), "'soon' in row 1 is no moment"),
        (("customer_id", "at"), ("", "2025-01-01"), "row 1 names no customer"),
        (
            ("customer_id", "at", "kind"),
            ("c0001", "2025-01-01", "purchase"),
            "'purchase' in row 1 is no kind",
        ),
        (("customer_id", "at", "cost"), ("c0001", "2025-01-01", "dear"), "'dear' in row 1 is no cost"),
    ],
)
def test_a_file_of_contacts_that_does_not_fit_is_refused_as_a_whole(
    place: Workspace, tmp_path: Path, columns: tuple[str, ...], row: tuple[str, ...], says: str
) -> None:
    file, before = written(tmp_path / "contacts.csv", [row], *columns), place.store.version
    with pytest.raises(DataError, match=says):
        record_campaign_contacts(place, COMMAND_LINE, "spring", file)
    assert place.store.version == before


def test_an_erased_customer_leaves_the_counts_of_the_campaign_and_no_trace(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = assigned(place)
    name = names(place, before.control)[0]
    receipt = answer(capsys, place.project.folder, "erase", name)
    assert receipt["campaigns"] == ["spring"]
    assert not [file for file in receipt["left_in"] if "campaigns" in file]
    assert any("state/campaigns/" in file for file in receipt["checked"])
    after, place = assigned(place), opened(place.project.folder)
    assert len(after) == len(before) - 1
    assert after.facts.erased == {"treatment": 0, "control": 1}
    record = read_campaign(place, COMMAND_LINE, "spring").record
    assert (record.treatment, record.control) == (len(before.treated), len(before.control))
    exported = export_campaign(place, COMMAND_LINE, "spring", "csv")
    assert exported.exported == len(before.treated)


def test_a_restored_project_holds_the_same_customers_back(place: Workspace, tmp_path: Path) -> None:
    before = assigned(place)
    name = names(place, before.treated)[0]
    archive = tmp_path / "archive.tar.gz"
    backup(place, COMMAND_LINE, archive)
    erase(place, COMMAND_LINE, name)
    restore(ProjectFolder(tmp_path / "back", place.clock), COMMAND_LINE, archive)
    back = opened(tmp_path / "back")
    found = assigned(back)
    assert found.control.tolist() == before.control.tolist()
    assert found.facts.erased == {"treatment": 1, "control": 0}
    held = held_back(back.database, back.project, back.store.customers.aliases, back.clock())
    assert held.held(before.control).all()


def test_a_draft_has_nothing_to_hand_out(own_shop: Path, tmp_path: Path) -> None:
    place = opened(own_shop)
    draft_campaign(place, COMMAND_LINE, "later", EVERYONE)
    with pytest.raises(DataError, match="it was drafted, but not started"):
        export_campaign(place, COMMAND_LINE, "later", "csv")
    file = written(tmp_path / "contacts.csv", [("c0001", "2025-01-01")], "customer_id", "at")
    with pytest.raises(DataError, match="it was drafted, but not started"):
        record_campaign_contacts(place, COMMAND_LINE, "later", file)


def test_two_customers_who_turn_out_to_be_one_keep_one_arm_and_count_as_contamination(
    place: Workspace, tmp_path: Path
) -> None:
    before, folder = assigned(place), place.project.folder
    control, treated = names(place, before.control)[0], names(place, before.treated)[-1]
    written(folder / "data" / "same.csv", [(treated, control)], "old", "new")
    query = "select old as old_id, new as new_id from read_csv('data/same.csv', all_varchar = true)"
    change(folder, lambda text: f'{text}\n[[aliases]]\nname = "same"\nquery = "{query}"\n')
    assert kizuna(folder, "ingest") == 0
    later_place = opened(folder)
    aliases = later_place.store.customers.aliases
    found = current_assignment(assigned(later_place), aliases)
    assert (found.merged, len(found.contaminated)) == (1, 1)
    (person,) = found.contaminated.tolist()
    assert names(later_place, np.array([person])) == [control]
    first = before.arms_of(np.array([min(before.control[0], before.treated[-1])]))[0]
    assert found.assignment.arms_of(found.contaminated)[0] == first
    held = held_back(later_place.database, later_place.project, aliases, later_place.clock())
    assert held.held(np.array([person]))[0] == (first == CONTROL)
    exported = export_campaign(later_place, COMMAND_LINE, "spring", "csv")
    assert (control in {one.customer_id for one in exported.customers}) == (first == TREATMENT)


def test_contacts_that_are_pasted_are_recorded_as_those_of_a_file(place: Workspace, tmp_path: Path) -> None:
    one, two, *_ = names(place, assigned(place).treated)
    control = names(place, assigned(place).control)[0]
    rows = [
        (one, moment(place, 1), "email_sent"),
        (two, moment(place, 1), ""),
        (control, moment(place, 2), ""),
    ]
    pasted = "\n".join(",".join(row) for row in rows) + "\n\nnobody," + moment(place, 1)
    kept = record_pasted_contacts(later(place, 5), COMMAND_LINE, "spring", pasted)
    assert (kept.stored, kept.unknown_customer, kept.left_out) == (3, 1, 1)
    assert (kept.treated_reached, kept.controls_contacted) == (2, 1)
    file = written(tmp_path / "contacts.csv", rows, "customer_id", "at", "kind")
    again = record_campaign_contacts(later(opened(place.project.folder), 5), COMMAND_LINE, "spring", file)
    assert (again.stored, again.already_there) == (0, 3)
    spreadsheet = f"customer_id\tat\tcost\n{one}\t{moment(place, 3)}\t120"
    more = record_pasted_contacts(later(place, 5), COMMAND_LINE, "spring", spreadsheet)
    assert (more.stored, more.already_there) == (1, 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  \n", "貼り付けた一覧が空です"),
        ("customer_id,at\n\nc0001,soon", "3行目の「soon」は日時ではありません"),
        ("c0001,2025-01-01\nc0001", "2行目に"),
        ("c0001,2025-01-01,teleport", "1行目の「teleport」は連絡の種類ではありません"),
        ("c0001,2025-01-01,call_made,phone,dear", "1行目の「dear」は費用ではありません"),
        ("c0001," + "9" * 200_000, "1行目を読めません"),
        ("c0001,2025-01-01,call_made,phone,1,2,3", "1行目には項目が7個あり"),
    ],
)
def test_a_pasted_list_that_does_not_fit_is_refused_whole_with_the_line(
    place: Workspace, text: str, says: str
) -> None:
    with pytest.raises(DataError) as refused:
        record_pasted_contacts(place, COMMAND_LINE, "spring", text)
    assert says in translated(refused.value.message, "ja")

"""Contacts and refusals that people note: what is stored, what is refused, and what never moves."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.errors import Forbidden, UnknownCustomer, UsageError
from features.events.history import events_of_kinds
from serving.application.customers.overview import customer_overview
from serving.application.customers.record_contact import record_contact
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.customers.take_back_note import take_back_note
from serving.application.customers.timeline import customer_timeline
from serving.application.lists.at_risk import list_at_risk
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace
from serving.experiments.assignment import CONTROL
from serving.experiments.campaign_file import load
from serving.experiments.held_back import assignment_file
from serving.lists.filters import ListFilter
from serving.scoring.batch import score
from serving.state.active_model import ActiveModel
from serving.state.audit_log import audit_entries
from serving.state.campaigns.campaign_index import campaign
from tests.serving.campaign_shop import at
from training.data.coverage import data_coverage

TOKEN = "a-word-of-the-form-1234"
MARKETER = person("mari", "marketer")


def note(shop: Workspace, customer: str = "c0006", **other: object) -> object:
    """Note a call of the day before."""
    values = {"kind": "call_made", "at": "2025-02-05T10:30", "token": TOKEN} | other
    return record_contact(shop, MARKETER, customer, **values)  # type: ignore[arg-type]


def calls(shop: Workspace, **known: str) -> int:
    """How many calls to a customer are known at a moment."""
    key = int(shop.store.customers.keys(pa.array(["c0006"]))[0])
    moments = {name: shop.project.timeline.instant(when) for name, when in known.items()}
    history = shop.store.history_of([key], **moments)  # type: ignore[arg-type]
    return int(events_of_kinds(history, ("call_made",)).sum())


def arm(shop: Workspace, code: int) -> str:
    """The first customer of an arm of the campaign."""
    keys = load(assignment_file(shop.project, campaign(shop.database, "spring")))
    return str(shop.store.customers.names(keys.keys[keys.arm == code][:1]).to_pylist()[0])


def test_a_noted_contact_is_an_event_of_the_company_with_what_was_said_beside_it(shop: Workspace) -> None:
    note(shop, text="  Wants\na call\x07 in spring ", cost=120.5, channel="電話")
    newest = customer_timeline(shop, COMMAND_LINE, "c0006").entries[0]
    assert (newest.kind, newest.channel, newest.value, newest.by_company) == (
        "call_made",
        "phone",
        "cost 120.50",
        True,
    )
    assert (newest.note, newest.noted) == ("Wants a call in spring", True)
    (entry, *_) = audit_entries(shop.database)
    assert (entry.who, entry.action, entry.customers, entry.details) == (
        "mari",
        "record contact",
        1,
        "call_made",
    )


def test_sending_a_form_twice_stores_one_contact(shop: Workspace) -> None:
    before = shop.store.events
    first, second = note(shop, text="spoke"), note(shop, text="spoke")
    assert (first.changed, second.changed) == (True, False)  # type: ignore[attr-defined]
    assert shop.store.events == before + 2
    assert [one.action for one in audit_entries(shop.database)].count("record contact") == 1


def test_a_form_that_is_corrected_and_sent_again_takes_the_place_of_the_first(shop: Workspace) -> None:
    before = shop.store.events
    note(shop, text="spoke", cost=10.0)
    assert note(shop, text="spoke twice", cost=12.0).changed  # type: ignore[attr-defined]
    assert shop.store.events == before + 2
    newest, *others = customer_timeline(shop, COMMAND_LINE, "c0006").entries
    assert (newest.note, newest.value) == ("spoke twice", "cost 12.00")
    assert [one.kind for one in others if one.noted] == []


def test_a_noted_contact_is_known_from_now_on_alone(shop: Workspace) -> None:
    note(shop)
    assert calls(shop, until="2025-02-05T12:00") == 0
    assert calls(shop, until="2025-02-07") == 1


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("at", {"at": "2025-02-07"}),
        ("at", {"at": "1999-01-01"}),
        ("kind", {"kind": "purchase"}),
        ("kind", {"kind": "attribute.plan"}),
        ("cost", {"cost": float("nan")}),
        ("cost", {"cost": -1.0}),
        ("text", {"text": "x" * 501}),
        ("channel", {"channel": "x" * 61}),
        ("token", {"token": "short"}),
        ("token", {"token": "noted:all/../../..."}),
        ("campaign", {"campaign": "autumn"}),
        ("at", {"campaign": "spring", "at": "2024-09-30"}),
    ],
)
def test_what_is_no_contact_is_refused_by_its_field_and_stores_nothing(
    shop: Workspace, field: str, wrong: dict[str, object]
) -> None:
    before = shop.store.version
    customer = arm(shop, CONTROL) if "campaign" in wrong else "c0006"
    with pytest.raises(UsageError) as refused:
        note(shop, customer, **wrong)
    assert refused.value.field == field
    assert shop.store.version == before


def test_a_contact_of_a_control_customer_is_kept_and_said(shop: Workspace) -> None:
    control = arm(shop, CONTROL)
    said = note(shop, control, campaign="spring")
    assert said.is_control  # type: ignore[attr-defined]
    (mine,) = customer_overview(shop, COMMAND_LINE, control).campaigns
    assert (mine.name, mine.is_control, mine.contacts) == ("spring", True, 1)


def test_a_refusal_takes_effect_in_the_list_and_no_source_lifts_it(shop: Workspace) -> None:
    listed = next(iter(list_at_risk(shop, COMMAND_LINE, ListFilter(limit=1)).customers)).customer_id
    refuse_contact(shop, MARKETER, listed, token=TOKEN, text="asked on the phone")
    row = next(
        one for one in list_at_risk(shop, COMMAND_LINE, ListFilter()).customers if one.customer_id == listed
    )
    assert (row.outcome, row.refused_channels) == ("do_not_contact", ["all"])
    permission = pa.table(
        {
            "customer_id": [listed],
            "occurred_at": ["2025-02-06T01:00:00Z"],
            "kind": ["attribute.do_not_contact"],
            "detail": ["no"],
        }
    )
    timeline, later = shop.project.timeline, at(shop, "2025-02-08")
    shop.store.add(permission, source="crm", timeline=timeline, now=later.clock())
    now = customer_overview(later, COMMAND_LINE, listed)
    assert (now.outcome, now.refused_channels, now.refusal_noted) == ("do_not_contact", ("all",), True)
    assert now.plan is None or now.plan.action is None


def test_a_refusal_of_one_channel_forbids_that_channel_alone(shop: Workspace) -> None:
    refuse_contact(shop, MARKETER, "c0006", token=TOKEN, channels=["メール", "phone", "email"])
    assert customer_overview(shop, COMMAND_LINE, "c0006").refused_channels == ("email", "phone")
    other = customer_overview(shop, COMMAND_LINE, "c0009")
    assert (other.refused_channels, other.refusal_noted) == ((), False)


def test_a_refusal_that_is_sent_twice_is_kept_once(shop: Workspace) -> None:
    assert refuse_contact(shop, MARKETER, "c0006", token=TOKEN, text="asked").changed
    before, later = shop.store.version, at(shop, "2025-02-07")
    assert not refuse_contact(later, MARKETER, "c0006", token=TOKEN, text="asked").changed
    assert shop.store.version == before


def refusals(shop: Workspace) -> dict[str, str]:
    """The refusals noted of a customer that count now, each with when it was noted."""
    key = int(shop.store.customers.keys(pa.array(["c0006"]))[0])
    history = shop.store.history_of([key])
    timeline = shop.project.timeline
    kinds = [history.kind_names[kind] for kind in history.kinds.tolist()]
    return {
        kind.rpartition("contact_refusal")[2]: timeline.name(instant)
        for kind, instant in zip(kinds, history.instants.tolist(), strict=True)
        if "contact_refusal" in kind
    }


def test_what_a_corrected_refusal_still_refuses_is_never_away(shop: Workspace) -> None:
    refuse_contact(shop, MARKETER, "c0006", token=TOKEN, channels=("email",), text="angry")
    first = refusals(shop)
    later = at(shop, "2025-02-07")
    said = refuse_contact(
        later, MARKETER, "c0006", token=TOKEN, channels=("email", "phone"), text="very angry"
    )
    assert said.changed
    assert refusals(later) == {**first, ".phone": "2025-02-07"}, "the refusal of e-mail is the first one"
    assert refuse_contact(later, MARKETER, "c0006", token=TOKEN, text="very angry").changed
    assert refusals(later) == {"": "2025-02-07"}


def test_what_was_noted_by_mistake_is_taken_back_and_stays_known_for_before(shop: Workspace) -> None:
    note(shop, text="spoke")
    refuse_contact(shop, MARKETER, "c0006", token=TOKEN + "x")
    before = shop.store.events
    (refusal, contact, *_) = customer_timeline(shop, COMMAND_LINE, "c0006").entries
    later = at(shop, "2025-02-07")
    assert take_back_note(later, MARKETER, "c0006", refusal.event_id).changed
    assert customer_overview(later, COMMAND_LINE, "c0006").refused_channels == ()
    assert take_back_note(later, MARKETER, "c0006", contact.event_id).changed
    assert not take_back_note(later, MARKETER, "c0006", contact.event_id).changed
    assert later.store.events == before - 3
    assert "call_made" not in {one.kind for one in customer_timeline(later, COMMAND_LINE, "c0006").entries}
    assert (calls(later), calls(later, known_at="2025-02-06T12:00")) == (0, 1)
    note(later, text="spoke")
    assert customer_timeline(later, COMMAND_LINE, "c0006").entries[0].note == "spoke"


def test_what_a_source_said_and_what_is_noted_of_others_cannot_be_taken_back(shop: Workspace) -> None:
    note(shop)
    with pytest.raises(UsageError) as refused:
        take_back_note(shop, MARKETER, "c0006", "o17")
    assert refused.value.field == "event_id"
    before = shop.store.version
    assert not take_back_note(shop, MARKETER, "c0009", f"noted:{TOKEN}").changed
    assert shop.store.version == before


def test_noting_needs_its_permission(shop: Workspace) -> None:
    for role in ("viewer", "analyst"):
        with pytest.raises(Forbidden):
            record_contact(shop, person("v", role), "c0006", kind="call_made", at="2025-02-05", token=TOKEN)  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            refuse_contact(shop, person("v", role), "c0006", token=TOKEN)  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            take_back_note(shop, person("v", role), "c0006", "noted:x")  # type: ignore[arg-type]


def test_of_an_erased_customer_nothing_can_be_noted(shop: Workspace) -> None:
    shop.store.erase("c0006")
    for call in (
        lambda: note(shop),
        lambda: refuse_contact(shop, MARKETER, "c0006", token=TOKEN),
        lambda: take_back_note(shop, MARKETER, "c0006", f"noted:{TOKEN}"),
    ):
        with pytest.raises(UnknownCustomer):
            call()


def test_no_note_moves_the_as_of_date_or_makes_anybody_look_gone(shop: Workspace) -> None:
    later = at(shop, "2025-06-01")  # months after the record ends
    project, bundle = shop.project, shop.scores.current().bundle

    def scored() -> tuple[int, int | None, list[int]]:
        coverage = data_coverage(
            later.store, project.churn, project.indicators, project.timeline, now=later.clock()
        )
        assert coverage is not None
        as_of = coverage.as_of(later.clock())
        answers, facts = score(later.store, ActiveModel("1", bundle), as_of, later.clock())

        return as_of, facts.data_until, np.bincount(answers.status).tolist()

    before = scored()
    note(later, "c0006", at="2025-05-30T10:00", text="spoke")
    refuse_contact(later, MARKETER, "c0009", token=TOKEN + "x", channels=["email"])
    assert scored() == before
    assert before[0] == project.timeline.instant("2025-02-04"), "the first midnight after the last order"

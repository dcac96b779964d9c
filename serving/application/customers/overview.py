"""One customer: risk and how sure it is, why, what changed, what to do, campaigns and consent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np

from features.catalog.definitions import company_kinds
from features.errors import UnknownCustomer
from features.events.attributes import CONTACT_NOTE, is_noted_refusal
from features.events.consent import ALL_BY_NAME
from features.events.history import events_of_kinds
from features.events.schema import ATTRIBUTE
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.actions.plan_lookup import planned_actions
from serving.actions.plan_recheck import allowed_again, recheck_plan
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.contact_log import DEFAULT_KIND
from serving.lists.customers.customer_campaigns import customer_campaigns
from serving.lists.customers.known_customer import KnownCustomer
from serving.lists.customers.risk_certainty import certainty
from serving.lists.customers.timeline_rows import told_events
from serving.lists.score_reader import ScoreReader
from serving.presentation.customer_timeline import CONTACT_CHANNELS, EventWords, outcome_words
from serving.presentation.i18n import listed_channels
from serving.schemas.customer_responses import CustomerOverview, KnownAttribute, NamedChoice
from serving.schemas.plan_responses import CustomerOutcome, PlannedAction
from serving.schemas.responses import ExplainReply
from serving.state.campaigns.campaign_index import campaigns
from training.bundle.model_card_file import load_model_card


@use_case("read_customer")
def customer_overview(
    workspace: Workspace, actor: Actor, customer_id: str, language: str | None = None
) -> CustomerOverview:
    """What is known about a customer now, with the stored score where there is one.

    Consent and contacts are read from the customer's own events at this moment, so that what a person noted a
    moment ago counts. Raises `UnknownCustomer` for one who is not known, or was erased.
    """
    workspace = workspace.pinned()
    found, words = workspace.customer(customer_id), workspace.language(language)
    workspace.record_access(actor.name, "customer", np.array([found.key], np.int64))
    project, history, now = workspace.project, found.history, workspace.clock()
    reader = workspace.scores_or_none()  # without scores what is known is shown without a risk
    scored = _explained(workspace, reader, found, words)
    plan, outcome, again = _outcome(workspace, reader, found, words, now)
    company = company_kinds(project.indicators)
    keys = (found.key, *found.earlier_keys)
    assigned = tuple(customer_campaigns(project, campaigns(workspace.database), keys, history, company, now))
    holds = [one.hold_until for one in assigned if one.is_control and one.hold_until is not None]
    attributes = [one for one in history.kind_names if one.startswith(ATTRIBUTE)]
    own = ~events_of_kinds(history, {*company, *attributes})
    shows_identity = "contact" in actor.permissions
    spoken = EventWords(history, project.indicators, project.words, words, shows_identity)
    customer = None if scored is None else scored.customer
    row = None if reader is None else reader.scores.row(found.key)
    return CustomerOverview(
        customer_id=found.customer_id,
        scored=customer is not None,
        source=None if reader is None or customer is None else reader.provenance,
        status="unknown" if customer is None else customer.status,
        churn_probability=None if customer is None else customer.churn_probability,
        tier=None if customer is None else customer.tier,
        predicted_tier=None if customer is None else customer.predicted_tier,
        expected_value=None if customer is None else customer.expected_value,
        value_at_risk=None if customer is None else customer.value_at_risk,
        lifetime_value=() if customer is None else tuple(customer.lifetime_value),
        reasons=() if customer is None else tuple(customer.reasons),
        previous=None if scored is None else scored.previous,
        changes=() if scored is None else tuple(scored.changes),
        certainty=None
        if reader is None or row is None or customer is None or customer.churn_probability is None
        else certainty(
            reader.bundle,
            load_model_card(project.state, reader.scores.facts.model_version),
            reader.scores,
            row,
            project.settings.capacity.contacts,
        ),
        plan=plan,
        outcome=outcome.outcome,
        left_out_because=outcome.left_out_because,
        allowed_again=again,
        refused_channels=outcome.refused_channels,
        refused_words=listed_channels(outcome.refused_channels, words),
        refusal_noted=any(
            is_noted_refusal(kind.removeprefix(ATTRIBUTE)) and bool(events_of_kinds(history, (kind,)).any())
            for kind in attributes
        ),
        campaigns=assigned,
        control_until=max(holds, default=None),
        always_control=reader is not None and bool(reader.held.globally(np.array(keys, np.int64)).any()),
        attributes=tuple(_attributes(found, spoken)),
        first_event=int(history.instants[0]),
        last_event=int(history.instants[own].max()) if own.any() else None,
        events=int(told_events(history).sum()),
        horizon_days=None if reader is None else reader.bundle.churn.horizon.days,
        contact_kinds=tuple(NamedChoice(kind, spoken.title(kind)) for kind in _ordered(company)),
        contact_channels=tuple(NamedChoice(one, spoken.channel(one)) for one in CONTACT_CHANNELS),
    )


def _ordered(kinds: Collection[str]) -> list[str]:
    """The kinds of contact, a call first: it is what people note most."""
    return sorted(kinds, key=lambda kind: (kind != DEFAULT_KIND, kind))


def _explained(
    workspace: Workspace, reader: ScoreReader | None, found: KnownCustomer, language: str
) -> ExplainReply | None:
    """The stored score with its reasons and changes; None for a customer who is new since then."""
    if reader is None:
        return None
    try:
        return reader.explain(found.customer_id, language, workspace.store)
    except UnknownCustomer:
        return None


def _outcome(
    workspace: Workspace, reader: ScoreReader | None, found: KnownCustomer, language: str, now: int
) -> tuple[PlannedAction | None, CustomerOutcome, bool]:
    """The plan's row for the customer, whether somebody should act, checked against this moment, and whether
    the plan leaves them out for a refusal that was taken back."""
    stored = None if reader is None else reader.plan
    playbook = None if stored is None else stored.playbook
    register = ContactRegister(
        consent_rules(workspace.project, playbook), () if playbook is None else playbook.contact_kinds
    )
    contacts = register.state_of(found.history, now)
    keys = np.array([found.key], np.int64)
    if reader is None:
        (refused,) = contacts.refused_channels(keys)
        outcome = "do_not_contact" if refused == ALL_BY_NAME else None
        return None, CustomerOutcome(outcome, outcome_words(outcome, language), refused), False
    again = False
    if stored is not None:
        rows = stored.rows(keys)
        stored = replace(stored, table=stored.table.take(rows[rows >= 0]))
        stored = recheck_plan(stored, contacts)
        again = bool(allowed_again(stored, contacts).any())
    mine = replace(reader, plan=stored, contacts=contacts)
    (plan,) = planned_actions(stored, keys, language)
    (outcome_now,) = mine.outcomes(keys, language)
    return plan, outcome_now, again


def _attributes(found: KnownCustomer, words: EventWords) -> Iterator[KnownAttribute]:
    """The last value of each attribute, by name; what people noted is shown elsewhere."""
    history = found.history
    for kind in sorted(one for one in history.kind_names if one.startswith(ATTRIBUTE)):
        name = kind.removeprefix(ATTRIBUTE)
        rows = np.flatnonzero(events_of_kinds(history, (kind,)))
        if not len(rows) or name == CONTACT_NOTE or is_noted_refusal(name):
            continue
        value = words.attribute_value(name, int(rows[-1]))
        if value != "":
            yield KnownAttribute(name, words.attribute(name), value, int(history.instants[rows[-1]]))

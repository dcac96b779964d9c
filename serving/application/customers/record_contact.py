"""A contact that a person notes: it becomes an event of the company's doing."""

from __future__ import annotations

import numpy as np

from features.catalog.definitions import company_kinds
from features.errors import UsageError
from serving.actions.contact_notes import (
    ContactNote,
    checked_channel,
    checked_cost,
    checked_text,
    checked_token,
    contact_events,
)
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.contact_log import CHANNEL_OF
from serving.lists.customers.customer_campaigns import customer_campaigns
from serving.lists.customers.noted_events import keep_noted
from serving.schemas.customer_responses import NotedContact
from serving.state.audit_log import record_action
from serving.state.campaigns.campaign_index import campaigns
from serving.state.scores.score_index import record_noted_versions


@use_case("record_contact")
def record_contact(
    workspace: Workspace,
    actor: Actor,
    customer_id: str,
    *,
    kind: str,
    at: str,
    token: str,
    channel: str = "",
    text: str = "",
    cost: float | None = None,
    campaign: str = "",
) -> NotedContact:
    """Keep a contact with a customer as events, which count for no engagement and move no as-of date.

    `token` is a word of the form: sending it twice keeps one contact. `at` is a moment in the project's zone,
    neither in the future nor before anything is known of the customer, nor before the campaign, of which the
    customer must be. Raises `UsageError` naming the field, `UnknownCustomer`.
    """
    project, now = workspace.project, workspace.clock()
    token, text, cost = checked_token(token), checked_text(text), checked_cost(cost)
    channel = checked_channel(channel) or CHANNEL_OF.get(kind, "")
    company = company_kinds(project.indicators)
    if kind not in company:
        raise UsageError(
            f"cannot note a contact of the kind '{kind}': write {' or '.join(sorted(company))}.", field="kind"
        )
    found = workspace.customer(customer_id)
    instant = project.timeline.instant(at)
    if instant > now:
        raise UsageError(
            f"cannot note a contact at {at}: it has not come yet. Give when it happened.", field="at"
        )
    first = int(found.history.instants[0])
    if instant < first:
        raise UsageError(
            f"cannot note a contact at {at}: nothing is known of the customer before "
            f"{project.timeline.name(first)}. Correct the date.",
            field="at",
        )
    is_control = False
    if campaign:
        keys = (found.key, *found.earlier_keys)
        records = [one for one in campaigns(workspace.database) if one.name == campaign]
        mine = list(customer_campaigns(project, records, keys, found.history, company, now))
        if not mine:
            raise UsageError(
                f"cannot note a contact of the campaign '{campaign}': the customer is not in it. "
                "Choose one of theirs, or none.",
                field="campaign",
            )
        if instant < mine[0].started_at:
            raise UsageError(
                f"cannot note a contact at {at}: the campaign '{campaign}' started on "
                f"{project.timeline.name(mine[0].started_at)}. Correct the date, or choose no campaign.",
                field="at",
            )
        is_control = mine[0].is_control
    note = ContactNote(kind, instant, channel, text, cost, campaign)
    events = contact_events(found.customer_id, note, token, now)
    changes = keep_noted(workspace.store, found, events, project.timeline, now)
    workspace.record_access(actor.name, "record contact", np.array([found.key], np.int64))
    if changes:
        with workspace.database.writing() as connection:
            record_noted_versions(connection, changes, now)
            details = f"{kind} {campaign}".strip()
            record_action(connection, actor.name, "record contact", now, customer=found.key, details=details)
    return NotedContact(found.customer_id, bool(changes), is_control)

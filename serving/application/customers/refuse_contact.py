"""A customer who asked not to be contacted: from now on no list hands them out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from serving.actions.contact_notes import ALL, checked_channel, checked_text, checked_token, refusal_events
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.customers.noted_events import keep_noted
from serving.presentation.i18n import listed_channels
from serving.schemas.customer_responses import NotedContact
from serving.state.audit_log import record_action
from serving.state.scores.score_index import record_noted_versions


@use_case("record_contact")
def refuse_contact(
    workspace: Workspace,
    actor: Actor,
    customer_id: str,
    *,
    token: str,
    channels: Sequence[str] = (),
    text: str = "",
    language: str | None = None,
) -> NotedContact:
    """Keep that a customer must not be contacted, over some channels or over all where none is named.

    It holds beside all that sources say, whatever they say later: only taking it back lifts it. `token` is a
    word of the form: sending it twice keeps one. Raises `UsageError` naming the field, `UnknownCustomer`.
    """
    now = workspace.clock()
    token, text = checked_token(token), checked_text(text)
    named = tuple(dict.fromkeys(filter(None, map(checked_channel, channels))))
    named = () if ALL in named else named
    found = workspace.customer(customer_id)
    events = refusal_events(found.customer_id, named, text, token, now)
    changes = keep_noted(workspace.store, found, events, workspace.project.timeline, now)
    workspace.record_access(actor.name, "refuse contact", np.array([found.key], np.int64))
    if changes:
        with workspace.database.writing() as connection:
            record_noted_versions(connection, changes, now)
            details = " ".join(named) or ALL
            record_action(connection, actor.name, "refuse contact", now, customer=found.key, details=details)
    words = listed_channels(named, workspace.language(language))
    return NotedContact(found.customer_id, bool(changes), False, words)

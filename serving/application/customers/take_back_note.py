"""Taking back what a person noted by mistake: a contact, or a refusal of contact."""

from __future__ import annotations

import numpy as np

from features.errors import UsageError
from features.ingestion.identity.scopes import SENT
from serving.actions.contact_notes import is_noted, noted_together
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.schemas.customer_responses import NotedContact
from serving.state.audit_log import record_action
from serving.state.scores.score_index import record_noted_versions


@use_case("record_contact")
def take_back_note(workspace: Workspace, actor: Actor, customer_id: str, event_id: str) -> NotedContact:
    """Retract what was noted with one form: it counts no more from now on, and stays known for earlier dates.

    A second call changes nothing. Raises `UsageError` for an event that nobody noted, `UnknownCustomer`.
    """
    now = workspace.clock()
    if not is_noted(event_id):
        raise UsageError(
            "cannot take this back: it came from a source, not from a person. Correct it in the source.",
            field="event_id",
        )
    found = workspace.customer(customer_id)
    ids = noted_together(event_id, [str(one) for one in found.history.event_ids])
    change = workspace.store.retract(found.key, ids, source=SENT, now=now) if ids else None
    retracted = change if change is not None and change.events else None
    workspace.record_access(actor.name, "take back note", np.array([found.key], np.int64))
    if retracted is not None:
        with workspace.database.writing() as connection:
            record_noted_versions(connection, [retracted], now)
            record_action(connection, actor.name, "take back note", now, customer=found.key)
    return NotedContact(found.customer_id, retracted is not None, False)

"""Keeping who was really contacted in a campaign, when, how and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from features.ingestion.identity.scopes import SENT
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.assignment import CONTROL, TREATMENT
from serving.experiments.contact_log import (
    PASTED,
    ContactRows,
    contact_events,
    known_contacts,
    read_contact_rows,
    read_pasted_contacts,
)
from serving.experiments.held_back import assignment_today
from serving.state.campaigns.campaign_index import campaign, missing_assignment, record_contacts
from serving.state.scores.score_index import record_noted_versions


@dataclass(frozen=True)
class RecordedContacts:
    """What became of the rows of a file of contacts."""

    read: int
    stored: int
    already_there: int
    unknown_customer: int
    """Rows of customers who have no event in the store, or were erased: not stored."""
    before_start: int
    """Not stored: they cannot be this campaign's."""
    in_future: int
    """Not stored: they have not happened yet."""
    other_campaign: int
    """Not stored: they name another campaign."""
    not_assigned: int
    """Stored: customers who are in neither arm."""
    treated_reached: int
    """Customers of the treatment arm with a contact in this file."""
    controls_contacted: int
    """Contamination: customers of the control group with a contact in this file; stored like others."""

    @property
    def left_out(self) -> int:
        """Rows that were not stored, whatever the reason, but for those already there."""
        return self.unknown_customer + self.before_start + self.in_future + self.other_campaign


@use_case("contact")
def record_campaign_contacts(workspace: Workspace, actor: Actor, name: str, file: Path) -> RecordedContacts:
    """Store the contacts of a file as events of the campaign; the same file again adds nothing.

    Raises `UsageError` for no campaign, `DataError` for a draft and for a file that does not fit.
    """
    return _record(workspace, actor, name, partial(read_contact_rows, file), file.name)


@use_case("contact")
def record_pasted_contacts(workspace: Workspace, actor: Actor, name: str, text: str) -> RecordedContacts:
    """The same for contacts that were pasted as text; a `DataError` names the line that does not fit."""
    return _record(workspace, actor, name, partial(read_pasted_contacts, text), PASTED)


def _record(
    workspace: Workspace,
    actor: Actor,
    name: str,
    read: Callable[[str, Collection[str], Callable[[str], int]], ContactRows],
    origin: str,
) -> RecordedContacts:
    project, store, now = workspace.project, workspace.store, workspace.clock()
    record = campaign(workspace.database, name)
    if record.started_at is None or not record.file:
        raise missing_assignment(name, record.state)
    kinds = {kind for one in project.indicators if one.origin == "company" for kind in one.kinds}
    rows = read(name, kinds, project.timeline.instant)
    assignment = assignment_today(project, record, store.customers.aliases)
    keys = store.customers.keys(rows.customer_ids)
    free = np.ones(len(rows), np.bool_)
    left_out = {}
    for reason, found in (
        ("other_campaign", rows.other_campaign),
        ("unknown_customer", keys < 0),
        ("in_future", rows.instants > now),
        ("before_start", rows.instants < record.started_at),
    ):
        left_out[reason] = int((free & found).sum())
        free &= ~found
    arms = assignment.assignment.arms_of(keys)
    known = known_contacts(store, kinds, name, keys[free]) if free.any() else frozenset()
    new = [
        row
        for row in np.flatnonzero(free).tolist()
        if (int(keys[row]), int(rows.instants[row]), rows.kinds[row]) not in known
    ]
    if new:
        events = contact_events(rows, new, name)
        change = store.add_noted(events, source=SENT, timeline=project.timeline, now=now)
        with workspace.database.writing() as connection:
            record_noted_versions(connection, [change], now)
    result = RecordedContacts(
        len(rows),
        len(new),
        int(free.sum()) - len(new),
        left_out["unknown_customer"],
        left_out["before_start"],
        left_out["in_future"],
        left_out["other_campaign"],
        int((free & (arms < 0)).sum()),
        len(np.unique(keys[free & (arms == TREATMENT)])),
        len(np.unique(keys[free & (arms == CONTROL)])),
    )
    record_contacts(workspace.database, name, actor.name, now, f"{len(new)} contacts from {origin}")
    return result

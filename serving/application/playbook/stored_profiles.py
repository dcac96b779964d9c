"""The profiles of customers for a playbook that is only tried: those of the plan in use, if they fit.

A profile depends on few lines of a playbook: how long ago a customer came back, how long an inquiry is open,
the loyalty programmes, and the attribute and kinds of contact that decide who may be contacted. While these
are the plan's, the profiles stored with it are right and are taken in milliseconds. Else they are computed
from the events, which takes as long as `kizuna plan`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.events.consent import ChannelBits
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.actions.customer_profiles import CustomerProfiles, customer_profiles, with_contacts, with_stages
from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import Playbook
from serving.application.workspace import Progress, Workspace
from serving.lists.score_reader import ScoreReader

_CONTACTED = "contacted_"
_NO_CONTACTS = -1


@dataclass(frozen=True, eq=False)
class ProfileSource:
    """Gives the profiles of the scored customers, rows in the order of the scores."""

    workspace: Workspace
    reader: ScoreReader

    def has(self, playbook: Playbook) -> bool:
        """Whether the plan in use has the profiles that a playbook needs."""
        plan = self.reader.plan
        if plan is None or not np.array_equal(plan.keys, self.reader.scores.answers.key):
            return False
        made = plan.playbook
        same_profile = (
            made.stages.returned_days == playbook.stages.returned_days
            and made.open_inquiry_days == playbook.open_inquiry_days
            and made.loyalty == playbook.loyalty
        )
        project = self.workspace.project
        same_consent = consent_rules(project, made) == consent_rules(project, playbook)
        known = self.reader.contacts is not None or plan.origin.attributes is not None
        return same_profile and same_consent and known and None not in _touches(made, playbook)

    def profiles(self, playbook: Playbook, progress: Progress | None = None) -> CustomerProfiles:
        """The profiles by a playbook, from the plan in use where it has them, else from the events."""
        reader, project = self.reader, self.workspace.project
        if reader.plan is not None and self.has(playbook):
            return self._from_plan(reader.plan, playbook)
        store = self.workspace.store.pinned()
        register = ContactRegister(consent_rules(project, playbook), playbook.contact_kinds)
        contacts = register.state(store, self.workspace.clock())
        return customer_profiles(
            store, reader.scores, reader.bundle, playbook, project.indicators, progress, contacts
        )

    def _from_plan(self, plan: StoredPlan, playbook: Playbook) -> CustomerProfiles:
        table, origin, reader = plan.table, plan.origin, self.reader
        if reader.contacts is None:
            rules = consent_rules(self.workspace.project, playbook)
            bits = ChannelBits(rules.for_attributes(origin.attributes or ()))
        else:
            bits = reader.contacts.bits
            named = ("do_not_contact", "forbidden_channels")
            old = [name for name in table.column_names if name.startswith(_CONTACTED) or name in named]
            table = with_contacts(table.drop_columns(old), reader.contacts)
        table = _with_touches(table, plan.playbook, playbook)
        return CustomerProfiles(
            with_stages(table, reader.scores, playbook), origin.reasons, origin.channels or (), bits
        )


def _with_touches(table: pa.Table, made: Playbook, playbook: Playbook) -> pa.Table:
    """The table with the contacts of each touch model of a playbook, in the place of those of another."""
    old = [name for name in table.column_names if name.startswith(_CONTACTED)]
    nothing = pa.nulls(len(table), pa.timestamp("us", "UTC"))
    columns = [
        nothing if place == _NO_CONTACTS else table.column(f"{_CONTACTED}{place}")
        for place in _touches(made, playbook)
    ]
    table = table.drop_columns(old)
    for number, column in enumerate(columns):
        table = table.append_column(f"{_CONTACTED}{number}", column)
    return table


def _touches(made: Playbook, playbook: Playbook) -> list[int | None]:
    """For each touch model of a playbook one of another that counts the same contacts, None for none.

    `_NO_CONTACTS` for one without a cool-down.
    """
    there = [frozenset(kinds) for kinds in made.contact_kinds]
    found: list[int | None] = []
    for touch in playbook.touch.values():
        kinds = frozenset(touch.kinds)
        if not kinds or not touch.cool_down_days:
            found.append(_NO_CONTACTS)
        else:
            found.append(there.index(kinds) if kinds in there else None)
    return found

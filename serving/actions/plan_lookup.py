"""The plan of the scores in use: what it has in mind for each customer, checked against what is known now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.consent import ConsentRules
from serving.actions import plan_text
from serving.actions.contact_rules import consent_rules, fingerprint
from serving.actions.contact_state import ContactRegister, ContactState
from serving.actions.control_group import (
    Held,
    hold_control_group,
    nobody_held,
    release_control_group,
)
from serving.actions.plan_file import FOLDER, REFUSED_CHANNELS, StoredPlan, find
from serving.actions.plan_recheck import recheck_plan
from serving.project.settings import Project
from serving.schemas.plan_responses import PlannedAction


@dataclass(frozen=True, eq=False)
class CheckedPlan:
    """A plan whose outcomes hold now, and who may be contacted where none was made."""

    plan: StoredPlan | None
    contacts: ContactState | None
    """None where the plan is of the store as it is, so that its outcomes say it."""


def plan_of(project: Project, scores: str) -> StoredPlan | None:
    """The plan made for a score file, None where `kizuna plan` has not made one."""
    plan = find(project.state / FOLDER / scores)
    return None if plan is None else replace(plan, words=project.words)


@dataclass(eq=False)
class PlanLookup:
    """Finds plans and checks them again; keeps what it read, so that only changed buckets are read again."""

    project: Project
    _register: ContactRegister | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def checked(
        self, scores: str, store: EventStore, now: int | None = None, held: Held = nobody_held
    ) -> CheckedPlan:
        """The plan for a score file with the outcomes that hold now, at the store's newest version.

        `held` says who is a control customer now.
        """
        plan, store = plan_of(self.project, scores), store.pinned()
        rules = consent_rules(self.project, None if plan is None else plan.playbook)
        is_new = plan is not None and REFUSED_CHANNELS in plan.table.column_names
        if plan is not None and is_new and plan.origin.contacts == contacts_version(store, rules):
            return CheckedPlan(hold_control_group(release_control_group(plan, held), held), None)
        kinds = () if plan is None else plan.playbook.contact_kinds
        with self._lock:
            if self._register is None or (self._register.rules, self._register.contact_kinds) != (
                rules,
                kinds,
            ):
                self._register = ContactRegister(rules, kinds)
            contacts = self._register.state(store, now)
        if plan is None:
            return CheckedPlan(None, contacts)
        rechecked = recheck_plan(release_control_group(plan, held), contacts)
        return CheckedPlan(hold_control_group(rechecked, held), contacts)


def contacts_version(store: EventStore, rules: ConsentRules) -> str:
    """What changes whenever somebody's consent or contacts may have."""
    return f"{store.version} {fingerprint(rules)}"


def planned_actions(
    plan: StoredPlan | None, keys: NDArray[np.int64], language: str
) -> Iterator[PlannedAction | None]:
    """What the plan has in mind for each customer; None for those it does not have."""
    if plan is None:
        yield from (None for _ in range(len(keys)))
        return
    rows = plan.rows(keys)
    actions = plan_text.planned_actions(plan, rows[rows >= 0], language)
    for row in rows.tolist():
        yield next(actions) if row >= 0 else None

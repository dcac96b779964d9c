"""A plan checked again: who must not be contacted by now is planned no more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.events.consent import ALL_CHANNELS
from serving.actions.contact_state import ContactState, cooling_down
from serving.actions.plan_file import StoredPlan
from serving.actions.rules.rule_matching import channel_bits
from serving.schemas.terms import ASKED_NOT_TO, COOLING_DOWN, PLANNED


def recheck_plan(plan: StoredPlan, contacts: ContactState) -> StoredPlan:
    """The plan without those planned who refuse its channel by now, or were contacted meanwhile.

    Nobody else's outcome changes: whoever is left out stays so until the next `kizuna plan`.
    """
    outcome = plan.table.column("outcome").to_numpy().copy()
    rule, planned = plan.table.column("rule").to_numpy(), outcome == PLANNED
    touches = list(plan.playbook.touch)
    for number, one in enumerate(plan.playbook.rules):
        days = 0 if one.touch is None else plan.playbook.touch[one.touch].cool_down_days
        if one.touch is None or not days:
            continue
        nearest = contacts.nearest_contacts(plan.keys, touches.index(one.touch))
        outcome[(rule == number) & planned & cooling_down(nearest, days, contacts.now)] = COOLING_DOWN
    outcome[planned & refused_rows(plan, contacts)] = ASKED_NOT_TO
    return plan.with_outcomes(outcome)


def allowed_again(plan: StoredPlan, contacts: ContactState) -> NDArray[np.bool_]:
    """bool[n]: whom the plan leaves out for a refusal that does not hold any more.

    They may be contacted over the channel of their rule; the next plan says whether anybody should.
    """
    refused = refused_rows(plan, contacts) | (contacts.masks(plan.keys) == ALL_CHANNELS)
    allowed: NDArray[np.bool_] = (plan.table.column("outcome").to_numpy() == ASKED_NOT_TO) & ~refused
    return allowed


def refused_rows(plan: StoredPlan, contacts: ContactState) -> NDArray[np.bool_]:
    """bool[n]: who refuses the channel of their rule now; False for one whom no rule fits."""
    rule, masks = plan.table.column("rule").to_numpy(), contacts.masks(plan.keys)
    refused = np.zeros(len(masks), np.bool_)
    for number, one in enumerate(plan.playbook.rules):
        mine = rule == number
        if mine.any():
            refused |= mine & ((masks & channel_bits(plan.playbook, one, contacts.bits, plan.table)) != 0)
    return refused

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
    rule = plan.table.column("rule").to_numpy()
    masks = contacts.masks(plan.keys)
    touches = list(plan.playbook.touch)
    for number, one in enumerate(plan.playbook.rules):
        mine = (rule == number) & (outcome == PLANNED)
        if one.touch is None or not mine.any():
            continue
        days = plan.playbook.touch[one.touch].cool_down_days
        if days:
            nearest = contacts.nearest_contacts(plan.keys, touches.index(one.touch))
            outcome[mine & cooling_down(nearest, days, contacts.now)] = COOLING_DOWN
        outcome[mine & ((masks & channel_bits(plan.playbook, one, contacts.bits, plan.table)) != 0)] = (
            ASKED_NOT_TO
        )
    return plan.with_outcomes(outcome)


def allowed_again(plan: StoredPlan, contacts: ContactState) -> NDArray[np.bool_]:
    """bool[n]: whom the plan leaves out for a refusal that does not hold any more.

    They may be contacted over the channel of their rule; the next plan says whether anybody should.
    """
    outcome, rule = plan.table.column("outcome").to_numpy(), plan.table.column("rule").to_numpy()
    masks = contacts.masks(plan.keys)
    refused = masks == ALL_CHANNELS
    for number, one in enumerate(plan.playbook.rules):
        mine = rule == number
        if mine.any():
            refused |= mine & ((masks & channel_bits(plan.playbook, one, contacts.bits, plan.table)) != 0)
    allowed: NDArray[np.bool_] = (outcome == ASKED_NOT_TO) & ~refused
    return allowed

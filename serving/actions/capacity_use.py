"""How the places of each touch model are used: given when the plan was made, and free by now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.actions.plan_file import StoredPlan
from serving.schemas.plan_responses import TouchUse
from serving.schemas.terms import NO_ROOM, OUTCOMES, PLANNED


@dataclass(frozen=True)
class PlaceCounts:
    """How the places of a touch model are used: a `TouchUse` in no language."""

    touch: str
    capacity: int | None
    given: int
    planned: int
    no_room: int
    left_since: dict[str, int]
    joined_since: int

    def in_words(self, words: str) -> TouchUse:
        """With the words of the touch model."""
        return TouchUse(touch_words=words, **vars(self))


def capacity_use(plan: StoredPlan, language: str) -> tuple[TouchUse, ...]:
    """The use of each touch model in words, in the order of the playbook."""
    touches = plan.playbook.touch
    return tuple(one.in_words(touches[one.touch].say(language)) for one in place_counts(plan))


def place_counts(plan: StoredPlan) -> tuple[PlaceCounts, ...]:
    """The use of each touch model, in the order of the playbook.

    Places are given once, when a plan is made. Who may not be contacted any more leaves a place that stays
    empty until the next plan: nobody comes onto a plan by itself.
    """
    rules = plan.playbook.rules
    touches = list(plan.playbook.touch)
    of_rule = np.array([*(touches.index(one.touch) if one.touch else -1 for one in rules), -1])
    touch = of_rule[np.asarray(plan.table.column("rule"))]
    made, now = plan.made_outcomes, np.asarray(plan.table.column("outcome"))
    found = []
    for number, (name, model) in enumerate(plan.playbook.touch.items()):
        mine = touch == number
        was, is_now = made[mine], now[mine]
        left = np.bincount(is_now[(was == PLANNED) & (is_now != PLANNED)], minlength=len(OUTCOMES))
        found.append(
            PlaceCounts(
                touch=name,
                capacity=model.capacity,
                given=int((was == PLANNED).sum()),
                planned=int((is_now == PLANNED).sum()),
                no_room=int((is_now == NO_ROOM).sum()),
                left_since={OUTCOMES[place]: n for place, n in enumerate(left.tolist()) if n},
                joined_since=int(((was != PLANNED) & (is_now == PLANNED)).sum()),
            )
        )
    return tuple(found)

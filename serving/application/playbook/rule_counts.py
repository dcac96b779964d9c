"""How many customers each rule of a plan takes: by outcome, and with what there is to take up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from serving.actions.capacity_use import PlaceCounts, place_counts
from serving.actions.plan_file import StoredPlan
from serving.lists.planned.plan_columns import has_hook
from serving.schemas.terms import HOOKS, LAPSED, OUTCOMES, PLANNED

_COUNTED: WeakKeyDictionary[StoredPlan, PlanCounts] = WeakKeyDictionary()
"""A plan does not change, and a page is asked for often: each is counted once."""


@dataclass(frozen=True)
class RuleCounts:
    """The customers that a rule takes."""

    customers: int
    planned: int
    listed: int
    """Those planned who can still leave, and so are on the list."""
    outcomes: tuple[tuple[str, int], ...]
    """Customers by outcome, those other than planned, where there are any."""
    hooks: tuple[tuple[str, int], ...]
    """Those planned by what there is to take up with them, the most frequent first."""


@dataclass(frozen=True)
class PlanCounts:
    """A whole plan, counted."""

    customers: int
    outcomes: tuple[tuple[str, int], ...]
    """Customers by outcome, where there are any."""
    rules: Mapping[str, RuleCounts]
    """By the rule's name."""
    touches: Mapping[str, PlaceCounts]
    """By touch model, how its places are used."""

    @staticmethod
    def of(plan: StoredPlan) -> PlanCounts:
        """Count a plan; each is counted once."""
        found = _COUNTED.get(plan)
        if found is None:
            found = _COUNTED[plan] = _counted(plan)
        return found

    @staticmethod
    def table(rule: NDArray[np.integer], outcome: NDArray[np.integer], rules: int) -> NDArray[np.int64]:
        """int64[rules + 1, outcomes]: customers by rule and outcome; the last row is of those without one."""
        place = np.where(rule < 0, rules, rule).astype(np.int64) * len(OUTCOMES) + outcome
        counts = np.bincount(place, minlength=(rules + 1) * len(OUTCOMES))
        return counts.reshape(rules + 1, len(OUTCOMES)).astype(np.int64)


def _counted(plan: StoredPlan) -> PlanCounts:
    rules = plan.playbook.rules
    rule, outcome = (np.asarray(plan.table.column(name)) for name in ("rule", "outcome"))
    table = PlanCounts.table(rule, outcome, len(rules))
    planned = outcome == PLANNED
    hooks = {hook: np.bincount(rule[planned & has_hook(plan, hook)], minlength=len(rules)) for hook in HOOKS}
    can_leave = np.asarray(plan.table.column("stage")) != LAPSED
    listed = np.bincount(rule[planned & can_leave & (rule >= 0)], minlength=len(rules))
    by_rule = {}
    for number, one in enumerate(rules):
        row = table[number].tolist()
        there = [(hook, int(counts[number])) for hook, counts in hooks.items() if counts[number]]
        by_rule[one.name] = RuleCounts(
            sum(row),
            row[PLANNED],
            int(listed[number]),
            tuple((OUTCOMES[place], n) for place, n in enumerate(row) if n and place != PLANNED),
            tuple(sorted(there, key=lambda found: -found[1])),
        )
    totals = table.sum(axis=0).tolist()
    return PlanCounts(
        len(rule),
        tuple((OUTCOMES[place], n) for place, n in enumerate(totals) if n),
        by_rule,
        {one.touch: one for one in place_counts(plan)},
    )

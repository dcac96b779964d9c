"""A plan under running campaigns: control customers are planned for nothing but service."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from serving.actions.plan_file import StoredPlan
from serving.schemas.terms import IN_CONTROL, PLANNED

Held = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""For customers by key, whether each is held back now as a control customer."""


def nobody_held(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[n]: of a project without campaigns, all False."""
    return np.zeros(len(keys), np.bool_)


def release_control_group(plan: StoredPlan, held: Held) -> StoredPlan:
    """The plan in which those planned for are so again whose hold has ended since it was made."""
    outcome = plan.table.column("outcome").to_numpy()
    return plan.with_outcomes(np.where((outcome == IN_CONTROL) & ~held(plan.keys), PLANNED, outcome))


def hold_control_group(plan: StoredPlan, held: Held) -> StoredPlan:
    """The plan in which everybody held back has the outcome `control_group`, whatever it was.

    A customer whose rule is marked `service` keeps theirs: answers and duties go on for both arms.
    """
    outcome = plan.table.column("outcome").to_numpy()
    return plan.with_outcomes(np.where(held(plan.keys) & ~serviced(plan), IN_CONTROL, outcome))


def serviced(plan: StoredPlan) -> NDArray[np.bool_]:
    """bool[n]: whose rule is marked `service`."""
    of_rule = np.array([*(rule.service for rule in plan.playbook.rules), False])
    marked: NDArray[np.bool_] = of_rule[plan.table.column("rule").to_numpy()]
    return marked

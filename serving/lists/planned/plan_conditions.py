"""The filters of the list that the plan decides: the condition of each field of `ListFilter` that reads what
`kizuna plan` keeps of each customer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import PREFERRED
from serving.lists.planned.plan_columns import has_hook, plan_column, preferred_channels
from serving.schemas.terms import ATTITUDES, HOOKS, OUTCOMES, PLANNED, STAGES

if TYPE_CHECKING:
    from serving.lists.filters import ListFilter

Mask = NDArray[np.bool_]


def _stages(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.stages
    return np.isin(plan_column(plan, "stage"), _numbers(names, STAGES, "stage", "stages"))


def _touch_models(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.touch_models
    _numbers(names, list(plan.playbook.touch), "touch model", "touch_models")
    return _acted_on(choice, plan) & _by_rule(plan, [rule.touch in names for rule in plan.playbook.rules])


def _actions(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.actions
    _numbers(names, list(plan.playbook.actions), "action", "actions")
    return _acted_on(choice, plan) & _by_rule(plan, [rule.action in names for rule in plan.playbook.rules])


def _channels(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.channels
    rules = plan.playbook.rules
    codes, own = preferred_channels(plan)
    known = {*(rule.channel for rule in rules), *own} - {PREFERRED}
    _numbers(names, sorted(name for name in known if name), "channel", "channels")
    matching = np.array([name in names for name in own], dtype=np.bool_)[codes]
    named = _by_rule(plan, [rule.channel in names for rule in rules])
    preferred = _by_rule(plan, [rule.channel == PREFERRED for rule in rules])
    mask: Mask = _acted_on(choice, plan) & (named | preferred & matching)
    return mask


def _acted_on(choice: ListFilter, plan: StoredPlan) -> Mask:
    """bool[n]: who has an action to be filtered by: those planned, unless outcomes are asked for by name.

    A list of everyone to call must not hold those who must not be called. With `outcomes` the filter is by
    the rule, such as who waits for a place in a touch model.
    """
    if choice.outcomes:
        return np.ones(len(plan.keys), dtype=np.bool_)
    mask: Mask = plan_column(plan, "outcome") == PLANNED
    return mask


def _outcomes(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.outcomes
    return np.isin(plan_column(plan, "outcome"), _numbers(names, OUTCOMES, "outcome", "outcomes"))


def _attitudes(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.attitudes
    return np.isin(plan_column(plan, "attitude"), _numbers(names, ATTITUDES, "attitude", "attitudes"))


def _hooks(choice: ListFilter, plan: StoredPlan) -> Mask:
    names = choice.hooks
    _numbers(names, HOOKS, "hook", "hooks")
    mask: Mask = np.any([has_hook(plan, name) for name in names], axis=0)
    return mask


PLAN_CONDITIONS: dict[str, Callable[[ListFilter, StoredPlan], Mask]] = {
    "stages": _stages,
    "touch_models": _touch_models,
    "actions": _actions,
    "channels": _channels,
    "outcomes": _outcomes,
    "attitudes": _attitudes,
    "hooks": _hooks,
}
"""Filters that the plan decides: the filter and the plan → bool[n], which of its rows fit."""


def _by_rule(plan: StoredPlan, fits: Sequence[bool]) -> Mask:
    """bool[n]: whose rule fits."""
    return np.isin(plan_column(plan, "rule"), np.flatnonzero(fits))


def _numbers(names: Collection[str], known: Sequence[str], what: str, field: str) -> list[int]:
    for name in names:
        if name not in known:
            raise UsageError(
                f"cannot list the {what} '{name}': there is none of that name. There are {', '.join(known)}.",
                field=field,
            )
    return [known.index(name) for name in names]

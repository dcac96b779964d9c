"""The values that each filter of the list can have today, and how many customers each would show.

Counted once for a score file, and once for each state of its plan: a form that offers the values scans
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import PREFERRED
from serving.lists.filtered_rows import in_one_thread
from serving.lists.filters import Rows
from serving.lists.list_address import SEGMENT
from serving.lists.planned.plan_columns import has_hook, plan_column, preferred_channels
from serving.schemas.terms import ATTITUDES, HOOKS, NO_RULE, OUTCOMES, PLANNED, STAGES
from serving.state.scores.score_file import Scores

ValueCounts = Mapping[str, int]
"""How many customers of the list have each value; values that nobody has are not in it."""


def filter_values(scores: Scores, subjects: Sequence[str], plan: StoredPlan | None) -> dict[str, ValueCounts]:
    """The values that somebody has, of each filter by its field, of attributes by `segment.NAME`."""
    if scores not in _OF_SCORES or (plan is not None and plan not in _OF_PLANS):
        in_one_thread(lambda: _count(scores, subjects, plan))
    return {**_OF_SCORES[scores], **({} if plan is None else _OF_PLANS[plan])}


def _count(scores: Scores, subjects: Sequence[str], plan: StoredPlan | None) -> None:
    if scores not in _OF_SCORES:
        _OF_SCORES[scores] = _score_values(scores, subjects)
    if plan is not None and plan not in _OF_PLANS:
        _OF_PLANS[plan] = _plan_values(scores, plan)


_OF_SCORES: WeakKeyDictionary[Scores, dict[str, ValueCounts]] = WeakKeyDictionary()
_OF_PLANS: WeakKeyDictionary[StoredPlan, dict[str, ValueCounts]] = WeakKeyDictionary()


def _score_values(scores: Scores, subjects: Sequence[str]) -> dict[str, ValueCounts]:
    answers, cohort = scores.answers, scores.cohort
    main = answers.reason_features[cohort, 0]
    about: dict[str, int] = {}
    for subject, count in zip(subjects, _counts(main, len(subjects)), strict=True):
        about[subject] = about.get(subject, 0) + count
    return {
        "tiers": _named(scores.facts.tiers, answers.tier[cohort]),
        "indicators": _of_somebody(about),
        **{
            SEGMENT + name: _named(values, answers.attributes[name][cohort])
            for name, values in scores.facts.attributes.items()
        },
    }


def _plan_values(scores: Scores, plan: StoredPlan) -> dict[str, ValueCounts]:
    rows = plan.rows(scores.answers.key)[scores.cohort]
    rows = rows[rows >= 0]
    return {name: _of_somebody(count(plan, rows)) for name, count in PLAN_COUNTS.items()}


def _stages(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return _named(STAGES, plan_column(plan, "stage")[rows])


def _outcomes(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return _named(OUTCOMES, plan_column(plan, "outcome")[rows])


def _touch_models(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return _by_rule(plan, rows, [rule.touch for rule in plan.playbook.rules])


def _actions(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return _by_rule(plan, rows, [rule.action for rule in plan.playbook.rules])


def _channels(plan: StoredPlan, rows: Rows) -> ValueCounts:
    rules = plan.playbook.rules
    fixed = _by_rule(plan, rows, [None if rule.channel == PREFERRED else rule.channel for rule in rules])
    chosen = np.array([*(rule.channel == PREFERRED for rule in rules), False])
    codes, names = preferred_channels(plan)
    planned = _planned(plan, rows)
    mine = codes[planned[chosen[plan_column(plan, "rule")[planned]]]]
    counts = dict(fixed)
    for name, count in zip(names, _counts(mine, len(names)), strict=True):
        if name is not None:
            counts[name] = counts.get(name, 0) + count
    return counts


def _attitudes(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return _named(ATTITUDES, plan_column(plan, "attitude")[rows])


def _hooks(plan: StoredPlan, rows: Rows) -> ValueCounts:
    return {name: int(np.count_nonzero(has_hook(plan, name)[rows])) for name in HOOKS}


PLAN_COUNTS: dict[str, Callable[[StoredPlan, Rows], ValueCounts]] = {
    "stages": _stages,
    "touch_models": _touch_models,
    "actions": _actions,
    "channels": _channels,
    "outcomes": _outcomes,
    "attitudes": _attitudes,
    "hooks": _hooks,
}
"""Filters that the plan decides: the plan and its rows on the list → how many have each value."""


def _by_rule(plan: StoredPlan, rows: Rows, values: Sequence[str | None]) -> ValueCounts:
    """How many are planned by the rules that have each value: only those have something to do."""
    rules = plan_column(plan, "rule")[_planned(plan, rows)]
    counts: dict[str, int] = {}
    for value, count in zip(values, _counts(rules[rules != NO_RULE], len(values)), strict=True):
        if value is not None:
            counts[value] = counts.get(value, 0) + count
    return counts


def _planned(plan: StoredPlan, rows: Rows) -> Rows:
    planned: Rows = rows[plan_column(plan, "outcome")[rows] == PLANNED]
    return planned


def _named(names: Sequence[str], codes: NDArray[np.signedinteger]) -> dict[str, int]:
    return _of_somebody(dict(zip(names, _counts(codes, len(names)), strict=True)))


def _counts(codes: NDArray[np.signedinteger], many: int) -> list[int]:
    """How often each code from 0 on stands there; -1 stands for none."""
    counts: list[int] = np.bincount(codes.astype(np.int64) + 1, minlength=many + 1)[1:].tolist()
    return counts


def _of_somebody(counts: ValueCounts) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}

"""The filters of the list: a field of `ListFilter` each, with its condition.

The options of the command line, the fields of requests and the query parameters of the file derive from the
fields. To add a filter, add its field and its condition in `SCORE_CONDITIONS` or `PLAN_CONDITIONS`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from features.errors import UsageError
from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import PREFERRED
from serving.lists.plan_columns import has_hook, plan_column, preferred_channels
from serving.schemas.requests import Shape, Text
from serving.schemas.terms import ATTITUDES, HOOKS, OUTCOMES, PLANNED, STAGES
from serving.state.score_file import Scores, UpliftColumn
from training.bundle.list_policy import ListOrder

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
RowCondition = Callable[[Rows], Mask]


@dataclass(frozen=True)
class CliOption:
    """How a filter is given on the command line."""

    flag: str
    help: str
    choices: tuple[str, ...] = ()
    value: str = ""
    """What to write, for the error of a value that does not fit; pydantic's own words where it is empty."""


Names = Annotated[tuple[Text, ...], Strict(False)]


class ListFilter(Shape):
    """Which customers are on the list, in which order; an empty field filters nothing."""

    limit: int | None = Field(default=None, ge=1, description="how many customers")
    min_probability: Annotated[
        float,
        CliOption(
            "--min-probability",
            "Only who is at least so likely to leave.",
            value="write a share from 0 to 1, such as 0.3",
        ),
    ] = Field(default=0.0, ge=0.0, le=1.0, description="only who is at least so likely to leave")
    tiers: Annotated[Names, CliOption("--tier", "Only this engagement tier.")] = Field(
        default_factory=tuple, max_length=20, description="names of current tiers"
    )
    order_by: ListOrder | None = Field(
        default=None, description="by value at risk where events carry amounts, when absent"
    )
    min_value_at_risk: Annotated[
        float | None,
        CliOption(
            "--min-value-at-risk",
            "Only who has at least so much at stake.",
            value="write an amount, such as 5000",
        ),
    ] = Field(default=None, description="only who has at least so much at stake")
    min_uplift: Annotated[
        float | None,
        CliOption(
            "--min-uplift",
            "Only who gains at least so much from contact.",
            value="write a difference, such as 0.01",
        ),
    ] = Field(default=None, description="only who gains at least so much from contact; needs an uplift model")
    max_uplift: Annotated[
        float | None,
        CliOption(
            "--max-uplift",
            "Only who gains at most so much from contact.",
            value="write a difference, such as 0",
        ),
    ] = Field(default=None, description="only who gains at most so much from contact; needs an uplift model")
    min_incremental_value: Annotated[
        float | None,
        CliOption(
            "--min-incremental-value",
            "Only whose contact is expected to gain at least so much money.",
            value="write an amount, such as 100",
        ),
    ] = Field(
        default=None, description="only whose contact gains at least so much money; needs an uplift model"
    )
    indicators: Annotated[
        Names, CliOption("--indicator", "Only whose main reason is about this indicator.")
    ] = Field(
        default_factory=tuple,
        max_length=20,
        description="what the main reason is about",
        examples=[["inquiry"]],
    )
    segment: Annotated[
        dict[Text, Names], CliOption("--segment", "Only whose attribute NAME has this VALUE: NAME=VALUE.")
    ] = Field(default_factory=dict, max_length=20, description="for an attribute, the values wanted")
    stages: Annotated[Names, CliOption("--stage", "Only this nurture stage.", STAGES)] = Field(
        default_factory=tuple,
        max_length=20,
        description="nurture stages of the plan",
        examples=[["growing"]],
    )
    touch_models: Annotated[Names, CliOption("--touch", "Only this touch model.")] = Field(
        default_factory=tuple, max_length=20, description="touch models of the plan"
    )
    actions: Annotated[Names, CliOption("--action", "Only this action.")] = Field(
        default_factory=tuple, max_length=20, description="actions of the plan"
    )
    channels: Annotated[Names, CliOption("--channel", "Only actions over this channel.")] = Field(
        default_factory=tuple, max_length=20, description="channels of the planned action"
    )
    outcomes: Annotated[
        Names, CliOption("--outcome", "Only those planned, or left out for this reason.", OUTCOMES)
    ] = Field(default_factory=tuple, max_length=20, description="planned, or why there is no action")
    attitudes: Annotated[Names, CliOption("--attitude", "Only who last answered like this.", ATTITUDES)] = (
        Field(
            default_factory=tuple,
            max_length=20,
            description="by the last NPS answer within a year: promoter, passive, detractor, unknown",
            examples=[["detractor"]],
        )
    )
    hooks: Annotated[Names, CliOption("--hook", "Only with this to take up.", HOOKS)] = Field(
        default_factory=tuple,
        max_length=20,
        description="what there is to take up; one of them is enough",
    )

    @property
    def fingerprint(self) -> str:
        """What tells this filter from others, whatever its limit."""
        values = {name: getattr(self, name) for name in ListFilter.model_fields if name != "limit"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    def alone(self) -> ListFilter:
        """A plain `ListFilter`, without the fields that a request class adds."""
        return ListFilter.model_construct(**{name: getattr(self, name) for name in ListFilter.model_fields})


@dataclass(frozen=True, eq=False)
class FilteredScores:
    """What conditions read: the scores, and what each column of the bundle is about."""

    scores: Scores
    subjects: Sequence[str]


def _min_probability(choice: ListFilter, data: FilteredScores) -> RowCondition:
    return lambda rows: data.scores.answers.churn_probability[rows] >= choice.min_probability


def _min_value_at_risk(choice: ListFilter, data: FilteredScores) -> RowCondition:
    least = -np.inf if choice.min_value_at_risk is None else choice.min_value_at_risk
    return lambda rows: data.scores.answers.value_at_risk[rows] >= least


def _min_uplift(choice: ListFilter, data: FilteredScores) -> RowCondition:
    values = _uplift(data.scores, "uplift", "min_uplift")
    least = -np.inf if choice.min_uplift is None else choice.min_uplift
    return lambda rows: values[rows] >= least


def _max_uplift(choice: ListFilter, data: FilteredScores) -> RowCondition:
    values = _uplift(data.scores, "uplift", "max_uplift")
    most = np.inf if choice.max_uplift is None else choice.max_uplift
    return lambda rows: values[rows] <= most


def _min_incremental_value(choice: ListFilter, data: FilteredScores) -> RowCondition:
    values = _uplift(data.scores, "incremental_value", "min_incremental_value")
    least = -np.inf if choice.min_incremental_value is None else choice.min_incremental_value
    return lambda rows: values[rows] >= least


def _uplift(scores: Scores, column: UpliftColumn, field: str) -> NDArray[np.float64]:
    if scores.facts.uplift is None:
        raise UsageError(
            f"cannot filter the list by {field}: no uplift model was in use when these scores were made. Run "
            "`kizuna campaign learn` after a campaign has reached a review date, then `kizuna score`.",
            field=field,
        )
    return scores.uplift_column(column)


def _tiers(choice: ListFilter, data: FilteredScores) -> RowCondition:
    codes = [_place(data.scores.facts.tiers, name, "tier", "tiers") for name in choice.tiers]
    return lambda rows: np.isin(data.scores.answers.tier[rows], codes)


def _indicators(choice: ListFilter, data: FilteredScores) -> RowCondition:
    names = choice.indicators
    known = tuple(dict.fromkeys(data.subjects))
    for name in names:
        _place(known, name, "indicator", "indicators")
    # The last entry is for the column -1, which stands for no reason.
    about = np.array([*(subject in names for subject in data.subjects), False])
    return lambda rows: about[data.scores.answers.reason_features[rows, 0]]


def _segment(choice: ListFilter, data: FilteredScores) -> RowCondition:
    answers, known, codes = data.scores.answers, data.scores.facts.attributes, {}
    for name, values in choice.segment.items():
        _place(tuple(known), name, "attribute", "segment")
        codes[name] = [_place(known[name], value, name, f"segment.{name}") for value in values]

    def condition(rows: Rows) -> Mask:
        fits = np.ones(len(rows), dtype=np.bool_)
        for name, wanted in codes.items():
            fits &= np.isin(answers.attributes[name][rows], wanted)
        return fits

    return condition


SCORE_CONDITIONS: dict[str, Callable[[ListFilter, FilteredScores], RowCondition]] = {
    "min_probability": _min_probability,
    "min_value_at_risk": _min_value_at_risk,
    "min_uplift": _min_uplift,
    "max_uplift": _max_uplift,
    "min_incremental_value": _min_incremental_value,
    "tiers": _tiers,
    "indicators": _indicators,
    "segment": _segment,
}
"""Filters that the scores decide: the filter and the scores → which of some rows fit."""


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


DEFAULTS = {
    name: field.get_default(call_default_factory=True, validated_data={})
    for name, field in ListFilter.model_fields.items()
}
"""The values that filter nothing."""


def check_names(scores: Scores, choice: ListFilter, subjects: Sequence[str], plan: StoredPlan | None) -> None:
    """Raise `UsageError` where a filter asks for what scores or plan do not have; reads no customer."""
    for name, by_plan in PLAN_CONDITIONS.items():
        if getattr(choice, name):
            by_plan(choice, _needed(plan, name).without_customers)
    for name, condition in SCORE_CONDITIONS.items():
        if getattr(choice, name) != DEFAULTS[name]:
            condition(choice, FilteredScores(scores, subjects))


class FilterMatcher:
    """Which rows of the scores a filter lets through; the names it has are looked up once.

    Raises `UsageError` for a name that nothing has, and for a filter of the plan where there is none.
    """

    def __init__(
        self, scores: Scores, choice: ListFilter, subjects: Sequence[str], plan: StoredPlan | None
    ) -> None:
        self._conditions: list[RowCondition] = []
        self._planned: Mask | None = None
        data = FilteredScores(scores, subjects)
        for name, by_plan in PLAN_CONDITIONS.items():
            if getattr(choice, name):
                mask = by_plan(choice, _needed(plan, name))
                self._planned = mask if self._planned is None else self._planned & mask
        if plan is not None and self._planned is not None:
            self._planned = np.append(self._planned, False)[plan.rows(scores.answers.key)]
        for name, condition in SCORE_CONDITIONS.items():
            if getattr(choice, name) != DEFAULTS[name]:
                self._conditions.append(condition(choice, data))

    def __call__(self, rows: Rows) -> Mask:
        """bool[n]: which of these rows fit."""
        fits = np.ones(len(rows), dtype=np.bool_) if self._planned is None else self._planned[rows]
        for condition in self._conditions:
            fits &= condition(rows)
        return fits


def _needed(plan: StoredPlan | None, field: str) -> StoredPlan:
    if plan is None:
        raise UsageError(
            f"cannot filter the list by {field}: no plan was made for these scores. Run `kizuna plan` first.",
            field=field,
        )
    return plan


def _by_rule(plan: StoredPlan, fits: Sequence[bool]) -> Mask:
    """bool[n]: whose rule fits."""
    return np.isin(plan_column(plan, "rule"), np.flatnonzero(fits))


def _place(names: Sequence[str], name: str, what: str, field: str) -> int:
    if name not in names:
        plural = {"tier": "tiers", "indicator": "indicators", "attribute": "attributes"}.get(what, "values")
        known = f"The {plural} are {', '.join(names[:20])}." if names else "There are none."
        raise UsageError(f"cannot list the {what} '{name}': there is none of that name. {known}", field=field)
    return names.index(name)


def _numbers(names: Collection[str], known: Sequence[str], what: str, field: str) -> list[int]:
    for name in names:
        if name not in known:
            raise UsageError(
                f"cannot list the {what} '{name}': there is none of that name. There are {', '.join(known)}.",
                field=field,
            )
    return [known.index(name) for name in names]

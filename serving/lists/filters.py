"""The filters of the list: a field of `ListFilter` each, with its condition.

The options of the command line, the fields of requests and the query parameters of the file derive from the
fields. To add a filter, add its field and its condition in `SCORE_CONDITIONS` or `PLAN_CONDITIONS`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from features.errors import UsageError
from serving.actions.plan_file import StoredPlan
from serving.lists.planned.plan_conditions import PLAN_CONDITIONS
from serving.schemas.lifetime_words import NO_LIFETIME_VALUE
from serving.schemas.requests import Shape, Text
from serving.schemas.terms import ATTITUDES, HOOKS, OUTCOMES, STAGES
from serving.state.scores.score_file import Scores
from serving.state.scores.score_table import UpliftColumn
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
    min_lifetime_value: Annotated[
        float | None,
        CliOption(
            "--min-lifetime-value",
            "Only who is expected to spend at least so much, over the fewest months of [value] months.",
            value="write an amount, such as 50000",
        ),
    ] = Field(
        default=None,
        description="only whose lifetime value over the fewest months of `[value] months` is at least so "
        "much",
    )
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


def _min_lifetime_value(choice: ListFilter, data: FilteredScores) -> RowCondition:
    if data.scores.answers.lifetime is None:
        raise UsageError(
            f"cannot filter the list by min_lifetime_value: {NO_LIFETIME_VALUE}. Leave the filter out.",
            field="min_lifetime_value",
        )
    values, least = data.scores.lifetime_value, choice.min_lifetime_value or 0.0
    return lambda rows: values[rows] >= least


def _of_uplift(
    field: str, column: UpliftColumn, *, least: bool
) -> Callable[[ListFilter, FilteredScores], RowCondition]:
    """The condition that a limit on a column of uplift makes, refused where no uplift model was in use."""

    def condition(choice: ListFilter, data: FilteredScores) -> RowCondition:
        if data.scores.facts.uplift is None:
            raise UsageError(
                f"cannot filter the list by {field}: no uplift model was in use when these scores were "
                "made. Run `kizuna campaign learn` after a campaign has reached a review date, then "
                "`kizuna score`.",
                field=field,
            )
        values, limit = data.scores.uplift_column(column), getattr(choice, field)
        return lambda rows: values[rows] >= limit if least else values[rows] <= limit

    return condition


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
    "min_lifetime_value": _min_lifetime_value,
    "min_uplift": _of_uplift("min_uplift", "uplift", least=True),
    "max_uplift": _of_uplift("max_uplift", "uplift", least=False),
    "min_incremental_value": _of_uplift("min_incremental_value", "incremental_value", least=True),
    "tiers": _tiers,
    "indicators": _indicators,
    "segment": _segment,
}
"""Filters that the scores decide: the filter and the scores → which of some rows fit."""


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
        # A plan has the customers of its scores, so that the two are mostly row by row the same.
        if (
            plan is not None
            and self._planned is not None
            and not np.array_equal(plan.keys, scores.answers.key)
        ):
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


def _place(names: Sequence[str], name: str, what: str, field: str) -> int:
    if name not in names:
        plural = {"tier": "tiers", "indicator": "indicators", "attribute": "attributes"}.get(what, "values")
        known = f"The {plural} are {', '.join(names[:20])}." if names else "There are none."
        raise UsageError(f"cannot list the {what} '{name}': there is none of that name. {known}", field=field)
    return names.index(name)

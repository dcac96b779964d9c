"""The shapes of answers of the API."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serving.schemas.requests import Shape


class Provenance(Shape):
    """Where an answer came from."""

    as_of: str = Field(description="the instant for which the answer holds")
    model_version: str = Field(description="the champion that said it")
    data_version: str = Field(description="changes with every event that the store holds")
    freshness: str | None = Field(description="the newest event behind the answer")
    evidence: Literal["normal", "low"] = Field(description="low: learned from few who left or stayed")


class Reason(Shape):
    feature: str
    indicator: str
    value: float | str | None
    typical: float | None = Field(description="the cohort's median")
    direction: Literal["raises", "lowers"]
    actionable: bool = Field(
        description="whether it can be changed; time as a customer, attributes and the season cannot"
    )
    sentence: str


class Customer(Shape):
    """One customer; numbers are null outside the cohort."""

    customer_id: str
    churn_probability: float | None
    tier: str | None
    predicted_tier: str | None
    expected_value: float | None = Field(
        description="what they would spend over the horizon if they stayed; null without amounts"
    )
    value_at_risk: float | None
    reasons: list[Reason]


class ScoredCustomer(Customer):
    status: Literal["cohort", "lapsed", "new", "unknown"]


class Inquiry(Shape):
    topic: str | None
    on: str | None
    answered: bool


class SurveyAnswer(Shape):
    kind: str
    score: float | None
    about: str | None
    on: str | None


class Anniversary(Shape):
    on: str | None
    years: int


class Loyalty(Shape):
    """A customer's place in a loyalty programme."""

    programme: str
    level: str | None
    level_words: str | None
    purchases: int | None
    amount: float | None
    next_level: str | None
    next_level_words: str | None
    purchases_to_next: int | None
    amount_to_next: float | None
    lasts_until: str | None = Field(description="when the level is lost without another purchase")
    in_two_programmes: bool


class Hooks(Shape):
    """What a personal approach can take up; null where the history says nothing."""

    favourite_category: str | None
    stopped_category: str | None
    next_category: str | None
    unused_feature: str | None
    preferred_channel: str | None
    preferred_hour: int | None
    anniversary: Anniversary | None
    birthday: str | None
    last_inquiry: Inquiry | None
    last_survey: SurveyAnswer | None
    loyalty: Loyalty | None
    today: str


class PlannedAction(Shape):
    """What the playbook has in mind for a customer."""

    stage: str
    stage_words: str
    attitude: str
    attitude_words: str
    rule: str | None = Field(description="the rule that decided")
    touch: str | None
    touch_words: str | None
    action: str | None
    action_words: str | None
    action_channel: str | None
    action_channel_words: str | None
    owner: str | None
    deadline: str | None
    outcome: str
    left_out_because: str | None
    hooks: Hooks
    hook_sentences: list[str]


class Planned(Shape):
    plan: PlannedAction | None = Field(
        description="what `kizuna plan` has in mind; null before it was run for these scores"
    )


class ListedCustomer(Customer, Planned):
    rank: int


class PlannedCustomer(ScoredCustomer, Planned):
    pass


class ScoreReply(Provenance):
    customers: list[PlannedCustomer]


class Appended(Shape):
    """What became of the events that were sent to be kept."""

    new: int
    already_there: int
    corrected: int = Field(description="events that were known by their event_id and now say something else")
    erased: int = Field(
        description="events of erased customers, which are left out until they are readmitted"
    )


class PredictReply(Provenance):
    customers: list[ScoredCustomer]
    appended: Appended | None = Field(description="null unless `append` was asked for")
    ignored_kinds: dict[str, int] = Field(description="kinds of event the model does not know, and how many")


class AtRiskReply(Provenance):
    customers: list[ListedCustomer]
    next_cursor: str | None = Field(description="for the next page; null on the last one")


class ChangeEvent(Shape):
    """An event behind a change."""

    role: Literal["entered", "left", "last"] = Field(
        description="`entered` counts now and did not before, `left` has fallen out of the window, `last` is "
        "the newest one where none entered and none left"
    )
    occurred_at: str
    kind: str
    value: float | None
    channel: str | None
    place: str | None
    detail: str | None


class Change(Shape):
    feature: str
    indicator: str
    before: float | str | None
    after: float | str | None
    direction: Literal["raised", "lowered"]
    actionable: bool
    sentence: str
    entered: int = Field(description="how many events count now and did not before")
    left: int = Field(description="how many events have fallen out of the window")
    events: list[ChangeEvent] = Field(description="the newest of them, at most five of each role")


class Previous(Shape):
    as_of: str
    model_version: str
    status: Literal["cohort", "lapsed", "new"]
    churn_probability: float | None
    tier: str


class ExplainReply(Provenance):
    customer: PlannedCustomer
    previous: Previous | None = Field(description="the scores before; null when there are none yet")
    changes: list[Change]


class Comparison(Shape):
    """How a figure differs from an earlier one."""

    value: float = Field(description="the earlier figure")
    change: float
    low: float | None = Field(None, description="95 % interval of the change")
    high: float | None = None


class Figure(Shape):
    value: float | None
    low: float | None = Field(description="95 % interval")
    high: float | None
    units: float | None = Field(description="how many of what is counted, as orders or answers")
    customers: int | None
    against_previous: Comparison | None
    against_last_year: Comparison | None


class MonthFigure(Figure):
    month: str


class Group(Shape):
    cut: str = Field(description="what the groups are groups of: channel, place, a segment")
    cut_words: str
    group: str
    figure: Figure
    by_month: list[MonthFigure]


class LeftOut(Shape):
    reason: str
    words: str
    count: int


class MeasureReply(Shape):
    name: str
    words: str
    formula: str
    source: str
    unit: str
    falling_is_good: bool
    missing_input: str | None = Field(description="which events the measure needs and does not have")
    figure: Figure | None
    by_month: list[MonthFigure]
    groups: list[Group]
    left_out: list[LeftOut]


class Flow(Shape):
    """Customers who went from one tier to another within the period."""

    from_: str = Field(alias="from")
    to: str
    customers: int


class Cell(Shape):
    """Customers of one behaviour tier and one attitude, and what became of those of the period's start."""

    tier: str
    tier_words: str
    attitude: str
    attitude_words: str
    words: str = Field(description="what such customers are called")
    customers: int
    customers_at_start: int
    churn_rate: float | None
    churn_rate_low: float | None
    churn_rate_high: float | None
    value_per_customer: float | None
    value_low: float | None
    value_high: float | None


class ReportReply(Shape):
    """How customers are engaged."""

    as_of: str
    period: str
    months: int
    previous_period: str | None
    last_year_period: str | None
    data_version: str
    model_version: str | None = Field(description="whose tiers they are; null without a champion")
    freshness: str | None
    measures: list[MeasureReply]
    tier_flow: list[Flow]
    axes: list[Cell]


class Error(Shape):
    code: str
    message: str
    field: str | None


class ErrorReply(Shape):
    """The one shape of every error."""

    error: Error

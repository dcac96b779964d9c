"""The shapes of requests and answers of the API.

Unknown fields, NaN and infinity are refused; sizes have limits. Texts of identifiers are kept as sent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from features.errors import UsageError
from features.timeline import parse

MOST_CUSTOMERS = 10_000
MOST_LIVE_CUSTOMERS = 1_000
MOST_EVENTS = 100_000


def _readable(text: str) -> str:
    try:
        parse(text)
    except UsageError as error:
        raise ValueError(error.message) from None
    return text


CustomerId = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(max_length=2_000)]
Moment = Annotated[str, Field(max_length=40)]
"""ISO 8601; it is read where the project's time zone is known."""
Day = Annotated[str, Field(max_length=40), AfterValidator(_readable)]
Language = Literal["en", "ja"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, strict=True)


class ScoreRequest(Shape):
    """Which customers' stored scores are wanted."""

    customer_ids: list[CustomerId] = Field(
        min_length=1, max_length=MOST_CUSTOMERS, examples=[["1031", "2467"]]
    )
    language: Language | None = Field(None, description="the language of the reasons")


class EventRequest(Shape):
    """Something that happened to a customer."""

    occurred_at: Moment = Field(description="ISO 8601; without an offset it is in the project's time zone")
    kind: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["purchase"])
    value: float | None = None
    channel: Text | None = None
    place: Text | None = None
    detail: Text | None = None
    recorded_at: Moment | None = Field(None, description="when the company learned of it")
    event_id: Text | None = None


class LiveCustomer(Shape):
    """A customer, known by the events sent and nothing else."""

    customer_id: CustomerId
    events: list[EventRequest] = Field(max_length=MOST_EVENTS)
    attributes: dict[str, float | Text] = Field(
        default_factory=dict, max_length=200, description="what is known about the customer besides events"
    )


class PredictRequest(Shape):
    """Customers to score from the events sent."""

    customers: list[LiveCustomer] = Field(min_length=1, max_length=MOST_LIVE_CUSTOMERS)
    stored: bool = Field(
        False,
        description="score from all that is stored together with the events sent, and keep nothing; needs a "
        "key with the scope `read` too",
    )
    append: bool = Field(
        False,
        description="keep the events in the store first, and score from all that is stored; sending them "
        "again keeps nothing twice; needs a key with the scope `write`",
    )
    as_of: Day | None = Field(
        None, description="a date or a moment, not in the future; now, when absent", examples=["2017-12-01"]
    )
    language: Language | None = Field(None, description="the language of the reasons")


class AtRiskRequest(Shape):
    """What is wanted of the list."""

    limit: int | None = Field(
        None, ge=1, le=MOST_CUSTOMERS, description="how many customers; the capacity, when absent"
    )
    min_probability: float = Field(0.0, ge=0.0, le=1.0)
    tiers: list[Text] = Field(default_factory=list, max_length=20, description="names of current tiers")
    order_by: Literal["value_at_risk", "churn_probability"] | None = Field(
        None, description="by value at risk where events carry amounts, when absent"
    )
    min_value_at_risk: float | None = None
    indicators: list[Text] = Field(
        default_factory=list,
        max_length=20,
        description="what the main reason is about",
        examples=[["inquiry"]],
    )
    segment: dict[Text, list[Text]] = Field(
        default_factory=dict, max_length=20, description="for an attribute, the values wanted"
    )
    stages: list[Text] = Field(
        default_factory=list, max_length=20, description="nurture stages of the plan", examples=[["growing"]]
    )
    touch_models: list[Text] = Field(
        default_factory=list, max_length=20, description="touch models of the plan"
    )
    actions: list[Text] = Field(default_factory=list, max_length=20, description="actions of the plan")
    channels: list[Text] = Field(
        default_factory=list, max_length=20, description="channels of the planned action"
    )
    outcomes: list[Text] = Field(
        default_factory=list, max_length=20, description="planned, or why there is no action"
    )
    hooks: list[Text] = Field(
        default_factory=list, max_length=20, description="what there is to take up; one of them is enough"
    )
    language: Language | None = Field(None, description="the language of the reasons")


class AtRiskPageRequest(AtRiskRequest):
    """What is wanted of the list, a page at a time."""

    cursor: Annotated[str, Field(max_length=1_000)] | None = Field(
        None,
        description="`next_cursor` of the page before, with the same filters; it goes on in the same scores, "
        "whatever was scored since",
    )


class WholeListRequest(AtRiskRequest):
    """What is wanted of the list as a file: all of it unless a limit is given."""

    model_config = ConfigDict(strict=False)  # an address holds texts only

    limit: int | None = Field(None, ge=1)
    columns: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="the columns of another system: salesforce, hubspot, or a map of kizuna.toml"
    )


class ExplainRequest(Shape):
    """Which customer is to be explained."""

    customer_id: CustomerId
    language: Language | None = Field(None, description="the language of the reasons")


class ReportRequest(Shape):
    """Over which whole months the report is wanted."""

    months: Literal[3, 6, 12] = 3
    language: Language | None = Field(None, description="the language of names and formulas")


class Source(Shape):
    """Where an answer came from."""

    as_of: str = Field(description="the instant for which the answer holds")
    model_version: str
    data_version: str
    freshness: str | None = Field(description="the newest event behind the answer")
    evidence: Literal["normal", "low"]


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


class Survey(Shape):
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
    last_survey: Survey | None
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


class ScoreReply(Source):
    customers: list[PlannedCustomer]


class Appended(Shape):
    """What became of the events that were sent to be kept."""

    new: int
    already_there: int
    corrected: int = Field(description="events that were known by their event_id and now say something else")
    erased: int = Field(
        description="events of erased customers, which are left out until they are readmitted"
    )


class PredictReply(Source):
    customers: list[ScoredCustomer]
    appended: Appended | None = Field(description="null unless `append` was asked for")
    ignored_kinds: dict[str, int] = Field(description="kinds of event the model does not know, and how many")


class AtRiskReply(Source):
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


class ExplainReply(Source):
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

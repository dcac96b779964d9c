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
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


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

    limit: int | None = Field(None, ge=1)
    columns: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="the columns of another system: salesforce, hubspot, or a map of kizuna.toml"
    )


class ExplainRequest(Shape):
    """Which customer is to be explained."""

    customer_id: CustomerId
    language: Language | None = Field(None, description="the language of the reasons")


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


class ListedCustomer(Customer):
    rank: int


class ScoreReply(Source):
    customers: list[ScoredCustomer]


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
    customer: ScoredCustomer
    previous: Previous | None = Field(description="the scores before; null when there are none yet")
    changes: list[Change]


class Error(Shape):
    code: str
    message: str
    field: str | None


class ErrorReply(Shape):
    """The one shape of every error."""

    error: Error

"""The shapes of requests of the API; those of its answers stand in `answers`.

Unknown fields, NaN and infinity are refused; sizes have limits. Texts of identifiers are kept as sent.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

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


# A hundred of them come with one request, and dictionaries take half the time of models.
@with_config(Shape.model_config)
class EventRequest(TypedDict):
    """Something that happened to a customer."""

    occurred_at: Annotated[
        Moment, Field(description="ISO 8601; without an offset it is in the project's time zone")
    ]
    kind: Annotated[str, Field(min_length=1, max_length=200, examples=["purchase"])]
    value: NotRequired[float | None]
    channel: NotRequired[Text | None]
    place: NotRequired[Text | None]
    detail: NotRequired[Text | None]
    recorded_at: NotRequired[Annotated[Moment | None, Field(description="when the company learned of it")]]
    event_id: NotRequired[Text | None]


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
    min_probability: float = Field(0.0, ge=0.0, le=1.0, description="only who is at least so likely to leave")
    tiers: list[Text] = Field(default_factory=list, max_length=20, description="names of current tiers")
    order_by: Literal["value_at_risk", "churn_probability"] | None = Field(
        None, description="by value at risk where events carry amounts, when absent"
    )
    min_value_at_risk: float | None = Field(None, description="only who has at least so much at stake")
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

    limit: int | None = Field(None, ge=1, description="how many customers; everyone, when absent")
    columns: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="the columns of another system: salesforce, hubspot, or a map of kizuna.toml"
    )


class ExplainRequest(Shape):
    """Which customer is to be explained."""

    customer_id: CustomerId
    language: Language | None = Field(None, description="the language of the reasons")


class ReportRequest(Shape):
    """Over which whole months the report is wanted."""

    months: Literal[3, 6, 12] = Field(3, description="how many months the period has")
    language: Language | None = Field(None, description="the language of names and formulas")

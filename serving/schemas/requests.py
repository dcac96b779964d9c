"""The shapes of requests of the API; those of its answers stand in `answers`.

Unknown fields, NaN and infinity are refused; sizes have limits. Texts of identifiers stay as sent.
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
    value: NotRequired[
        Annotated[
            float | None,
            Field(description="the amount; that of a contract per month, or per the project's unit"),
        ]
    ]
    channel: NotRequired[Text | None]
    place: NotRequired[Text | None]
    detail: NotRequired[Text | None]
    recorded_at: NotRequired[Annotated[Moment | None, Field(description="when the company learned of it")]]
    contract_id: NotRequired[
        Annotated[Text | None, Field(description="which of the customer's contracts it is about")]
    ]
    currency: NotRequired[Annotated[Text | None, Field(description="of the value, such as `JPY`")]]
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


class ExplainRequest(Shape):
    """Which customer is to be explained."""

    customer_id: CustomerId
    language: Language | None = Field(None, description="the language of the reasons")


class ReportRequest(Shape):
    """Over which whole months the report is wanted."""

    months: Literal[3, 6, 12] = Field(3, description="how many months the period has")
    language: Language | None = Field(None, description="the language of names and formulas")

"""The shapes of the engagement report; each is built, published and checked as those in `responses`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from training.bundle.level_uncertainty import ExpectedLeavers

CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


@with_config(CONFIG)
@dataclass(frozen=True)
class Comparison:
    """How a figure differs from an earlier one."""

    value: Annotated[float, Field(description="the earlier figure")]
    change: float
    low: Annotated[float | None, Field(description="95 % interval of the change")] = field(
        default=None, metadata={"omit_none": True}
    )
    high: float | None = field(default=None, metadata={"omit_none": True})

    def __post_init__(self) -> None:
        # A count has no interval, and no keys for one: orjson writes the instance's dictionary.
        if self.low is None:
            del self.__dict__["low"], self.__dict__["high"]


@with_config(CONFIG)
@dataclass(frozen=True)
class Figure:
    """A measure over one period, and how it differs from earlier ones."""

    value: float | None
    low: Annotated[float | None, Field(description="95 % interval")]
    high: float | None
    units: Annotated[float | None, Field(description="how many of what is counted, as orders or answers")]
    customers: int | None
    against_previous: Comparison | None
    against_last_year: Comparison | None


@dataclass(frozen=True)
class _Month:
    month: str


# The fields of the last base come first: month, then the figure.
@with_config(CONFIG)
@dataclass(frozen=True)
class MonthFigure(Figure, _Month):
    """A measure over one month."""


@with_config(CONFIG)
@dataclass(frozen=True)
class Group:
    """A measure over the customers or events of one group."""

    cut: Annotated[str, Field(description="what the groups are groups of: channel, place, a segment")]
    cut_words: str
    group: Annotated[str, Field(description="its name in the data; a tier in the language of the answer")]
    group_words: Annotated[str, Field(description="its name as people call it, by the project's names")]
    figure: Figure
    by_month: list[MonthFigure]


@with_config(CONFIG)
@dataclass(frozen=True)
class LeftOut:
    """Why some of the data is not in a measure, and how much of it."""

    reason: str
    words: str
    count: int


@with_config(CONFIG)
@dataclass(frozen=True)
class MeasureReply:
    """One measure of the report."""

    name: str
    words: str
    formula: str
    source: str
    unit: str
    falling_is_good: bool
    missing_input: Annotated[
        str | None, Field(description="which events the measure needs and does not have")
    ]
    figure: Figure | None
    by_month: list[MonthFigure]
    groups: list[Group]
    left_out: list[LeftOut]


# `from` is no name of Python's, so the functional form and a dictionary.
Flow = TypedDict("Flow", {"from": str, "to": str, "customers": int})
Flow.__doc__ = "Customers who went from one tier to another within the period."
Flow.__pydantic_config__ = CONFIG  # type: ignore[attr-defined]


@with_config(CONFIG)
@dataclass(frozen=True)
class Cell:
    """Customers of one behaviour tier and one attitude, and what became of those of the period's start."""

    tier: str
    tier_words: str
    attitude: str
    attitude_words: str
    words: Annotated[str, Field(description="what such customers are called")]
    customers: int
    customers_at_start: int
    churn_rate: float | None
    churn_rate_low: float | None
    churn_rate_high: float | None
    value_per_customer: float | None
    value_low: float | None
    value_high: float | None


@with_config(CONFIG)
@dataclass(frozen=True)
class LifetimeGroup:
    """What a group of customers is expected to spend within so many months of the scores' as-of date."""

    cut: Annotated[str, Field(description="all, tier, joined (month of joining) or a segment")]
    cut_words: str
    group: str
    group_words: str
    months: int
    customers: int
    total: float
    low: Annotated[
        float | None,
        Field(
            description="range of the level of the total, from how far such totals lay off before; null of "
            "a group too small for one"
        ),
    ]
    high: float | None
    per_customer: float
    per_customer_low: Annotated[float | None, Field(description="the same range for each customer")]
    per_customer_high: float | None
    evidence: Annotated[
        Literal["normal", "low"],
        Field(description="low: no earlier customers' spend over so many months is known yet"),
    ]


@with_config(CONFIG)
@dataclass(frozen=True)
class MonthRange:
    """Whole months of a report, such as 2024-02 to 2025-01."""

    first: str
    last: str


@with_config(CONFIG)
@dataclass(frozen=True)
class ReportReply:
    """How customers are engaged."""

    as_of: str
    period: str
    months: int
    previous_period: str | None
    last_year_period: str | None
    period_months: MonthRange
    previous_months: MonthRange | None
    last_year_months: MonthRange | None
    model_version: Annotated[str | None, Field(description="whose tiers they are; null without a champion")]
    data_version: str
    freshness: str | None
    measures: list[MeasureReply]
    tier_flow: list[Flow]
    axes: list[Cell]
    notes: Annotated[
        list[str], Field(description="which source or indicator ended before the rest, and on which day")
    ] = field(default_factory=list)
    currency: Annotated[
        str | None, Field(description="the currency of amounts, where the project has one")
    ] = None
    expected_leavers: Annotated[
        ExpectedLeavers | None,
        Field(
            description="how many of all customers in the scores in use are expected to leave, with an 80 % "
            "interval; null without such scores"
        ),
    ] = None
    lifetime: Annotated[
        list[LifetimeGroup],
        Field(
            description="lifetime value (LTV) of the customers in the scores in use, by engagement tier, "
            "segment and month of joining; empty without it"
        ),
    ] = field(default_factory=list)

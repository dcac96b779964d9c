"""The shape of the answer of `kizuna doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FLATTEN = {"flatten": True}
OMIT_NONE = {"omit_none": True}
"""How `json_text.to_json` writes a field."""


@dataclass(frozen=True)
class RefusedRows:
    """Rows in quarantine: from which source and why."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True)
class IndicatorSummary:
    """The events of one indicator."""

    name: str
    origin: str
    kinds: list[str]
    events: int
    customers: int
    days_with_events: int


@dataclass(frozen=True)
class KindSummary:
    """The events of one kind."""

    name: str
    indicators: list[str]
    events: int
    customers: int
    with_value: int
    negative: int
    first: str
    newest: str


@dataclass(frozen=True)
class DataSummary:
    """What the event store holds."""

    data_version: str
    rows: int
    events: int
    attributes: int
    customers: int
    customers_with_one_event: int
    first: str
    newest: str
    days: float
    timezone: str
    quarantined: int
    quarantined_share: float
    without_customer: int
    without_customer_share: float
    refused: list[RefusedRows]
    indicators: list[IndicatorSummary]
    kinds: list[KindSummary]


@dataclass(frozen=True)
class FindingEntry:
    """Something about the data that wants a look, with the figures behind it."""

    name: str
    sentence: str
    figures: dict[str, str | float | list[str] | None] = field(metadata=FLATTEN)


@dataclass(frozen=True)
class ChurnDefinition:
    """What churn means: the keys of `[churn]`, those of its type only."""

    type: Literal["inactivity", "contract"]
    indicators: list[str] | None = field(metadata=OMIT_NONE)
    started_by: list[str] | None = field(metadata=OMIT_NONE)
    ended_by: list[str] | None = field(metadata=OMIT_NONE)
    completed_by: list[str] | None = field(metadata=OMIT_NONE)
    active_days: int
    horizon_days: int
    lead_days: int


@dataclass(frozen=True)
class DateRange:
    """How many as-of dates there are, the first and the last of them."""

    dates: int
    first: str
    last: str


@dataclass(frozen=True)
class LeadTimeFigure:
    """How well recency alone ranks customers so many days ahead."""

    lead_days: int
    recency_auc: float


@dataclass(frozen=True)
class FeasibleHorizon:
    """A churn definition that the data can decide, and what the past says about it."""

    definition: ChurnDefinition = field(metadata=FLATTEN)
    configured: bool
    fits: Literal[True]
    cohort: int
    churned: int
    base_rate: float
    base_rate_lowest: float
    base_rate_highest: float
    came_back: float | None
    came_back_within_days: int | None
    foresight: list[LeadTimeFigure]
    evidence: str
    labelled: DateRange
    fit: DateRange
    calibrate: DateRange
    test: DateRange


@dataclass(frozen=True)
class InfeasibleHorizon:
    """A churn definition for which the data is too short."""

    definition: ChurnDefinition = field(metadata=FLATTEN)
    configured: bool
    fits: Literal[False]
    needed_days: int


@dataclass(frozen=True)
class RecommendedChurn:
    """The recommended definition, why, and the block to paste into kizuna.toml."""

    enough_data: bool
    churn: ChurnDefinition | None
    sentences: list[str]
    block: str | None


@dataclass(frozen=True)
class DoctorReply:
    """The examination of a project's data, its sentences in one language."""

    data: DataSummary
    findings: list[FindingEntry]
    horizons: list[FeasibleHorizon | InfeasibleHorizon]
    customers_examined: int
    recommendation: RecommendedChurn

"""The shapes of what the page of one customer shows; instants are microseconds UTC."""

from __future__ import annotations

from dataclasses import dataclass

from serving.schemas.change_responses import Change
from serving.schemas.lifetime_responses import Evidence, LifetimeValue
from serving.schemas.plan_responses import PlannedAction
from serving.schemas.responses import CustomerStatus, Previous, Provenance, Reason


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened, or several equal ones of a day as one."""

    occurred_at: int
    """Of several the last one's."""
    event_id: str
    kind: str
    indicator: str
    """Its indicator; `profile` for what is known about the customer, `other` for a kind of no indicator."""
    title: str
    count: int
    """How many events it stands for."""
    value: str | None
    """An amount, a length of time or an answer in words."""
    channel: str | None
    channel_words: str | None
    place: str | None
    """As people call it; so are the details."""
    details: tuple[str, ...]
    more_details: int
    """How many further details there are."""
    taken_back: bool
    """Whether it takes something back, such as a refund."""
    by_company: bool
    noted: bool
    """Whether a person noted it, so that it can be taken back."""
    note: str
    """What the person noted about it."""


@dataclass(frozen=True)
class NamedChoice:
    """What can be chosen in a form, and how people call it."""

    name: str
    words: str


@dataclass(frozen=True)
class TimelineChoice:
    """What a timeline can be narrowed by, and how many events there are of it."""

    name: str
    words: str
    events: int


@dataclass(frozen=True)
class TimelinePage:
    """A part of a customer's timeline, the newest first."""

    customer_id: str
    entries: tuple[TimelineEntry, ...]
    next_cursor: str | None
    """Where older entries begin; None where there are none."""
    events: int
    """How many events fit what was asked for, on all pages."""
    all_events: int
    indicators: tuple[TimelineChoice, ...]
    kinds: tuple[TimelineChoice, ...]
    channels: tuple[TimelineChoice, ...]


@dataclass(frozen=True)
class ScorePoint:
    """A customer's stored score at one as-of date."""

    as_of: int
    model_version: str
    other_model: bool
    """Whether another model scored than at the date before."""
    status: CustomerStatus
    churn_probability: float | None
    tier: str
    tier_place: int
    """From 0, the lowest tier."""
    tiers: int
    expected_value: float | None
    value_at_risk: float | None


@dataclass(frozen=True)
class ScoreHistory:
    """A customer's stored scores over time, the oldest first."""

    customer_id: str
    points: tuple[ScorePoint, ...]
    files: int
    """How many score files were asked; they are few for long-ago months."""


@dataclass(frozen=True)
class Certainty:
    """How far a customer's risk can be relied on, by the held-out test of the model that scored."""

    evidence: Evidence
    """`low`: the model learned from few who left or stayed."""
    error: float | None
    """The mean distance between a predicted probability and the share that left."""
    error_high: float | None
    """The upper end of its 95 % interval."""
    tested: int | None
    """Customers of the test."""
    predicted: float | None
    """The mean probability of the test's customers of the same tier."""
    observed: float | None
    """The share of them who left."""
    observed_low: float | None
    observed_high: float | None
    """Its 95 % interval."""
    list_by_value: bool
    """Whether the list is ordered by value at risk, not by churn probability."""
    list_observed: float | None
    """For who is on the list that can be contacted: the share of such lists of the test, in this order, who
    left. None where the list of the test was not kept in this order."""
    list_low: float | None
    list_high: float | None
    value_error: float | None
    """The mean distance between the predicted and the actual spend of those who stayed."""


@dataclass(frozen=True)
class CustomerCampaign:
    """A campaign that a customer was assigned to."""

    name: str
    is_control: bool
    started_at: int
    hold_until: int | None
    """Until when control customers are held back; None where nobody is any more."""
    contacts: int
    """Contacts of the customer in its name."""


@dataclass(frozen=True)
class KnownAttribute:
    """What is known about a customer besides events."""

    name: str
    words: str
    value: str | None
    """None where the asker may not see it."""
    known_at: int


@dataclass(frozen=True)
class CustomerOverview:
    """Everything about one customer but the timeline and the scores over time."""

    customer_id: str
    scored: bool
    """Whether the scores in use have the customer."""
    source: Provenance | None
    """Where the score came from."""
    status: CustomerStatus
    churn_probability: float | None
    tier: str | None
    predicted_tier: str | None
    expected_value: float | None
    value_at_risk: float | None
    lifetime_value: tuple[LifetimeValue, ...]
    """Over each number of months, shortest first; empty where there is none."""
    reasons: tuple[Reason, ...]
    previous: Previous | None
    changes: tuple[Change, ...]
    certainty: Certainty | None
    plan: PlannedAction | None
    outcome: str | None
    """As of now: `planned`, or why nobody should act; None where no plan was made and nothing forbids it."""
    left_out_because: str | None
    allowed_again: bool
    """Whether the plan leaves them out for a refusal that does not hold any more: the next one does not."""
    refused_channels: tuple[str, ...]
    """Over which channels nobody may contact them now; `all` for all of them."""
    refused_words: str
    """The same in words."""
    refusal_noted: bool
    """Whether a person noted a refusal."""
    campaigns: tuple[CustomerCampaign, ...]
    control_until: int | None
    """Until when they are held back as a control customer; None where they are not."""
    always_control: bool
    """Whether they are of the standing control group."""
    attributes: tuple[KnownAttribute, ...]
    first_event: int
    last_event: int | None
    """The last thing they did themselves."""
    events: int
    """As many as the timeline tells."""
    horizon_days: int | None
    """Within how many days the risk is to leave."""
    contact_kinds: tuple[NamedChoice, ...]
    """What a noted contact can be."""
    contact_channels: tuple[NamedChoice, ...]
    """The usual channels."""


@dataclass(frozen=True)
class NotedContact:
    """What became of a note."""

    customer_id: str
    changed: bool
    """Whether anything was stored or taken back; False for what was sent twice."""
    is_control: bool
    """Whether a control customer of the campaign was contacted, which counts as contamination."""
    stopped_words: str = ""
    """The channels that were stopped, in words; empty where all were, or none."""

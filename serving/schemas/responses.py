"""The shapes of the answers of the API and of `kizuna --json`; they are built, published and checked.

Each is a plain dataclass: pydantic publishes its JSON Schema, orjson writes its fields in their order.
Rows of which an answer holds thousands are not frozen, and no class has slots: freezing costs 0.8 µs a row,
and orjson writes 1,000 customers with their reasons in 0.7 ms without slots and in 2.7 ms with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, with_config

from serving.schemas.change_responses import Change
from serving.schemas.lifetime_responses import Evidence, LifetimeValueList
from serving.schemas.plan_responses import Plan, PlannedAction, TouchUse
from serving.schemas.report_responses import CONFIG, ReportReply
from training.bundle.level_uncertainty import ExpectedLeavers

KnownStatus = Literal["cohort", "lapsed", "new"]
Contacts = Literal["as_they_were", "without_contact"]
CustomerStatus = Literal[KnownStatus, "unknown"]


@with_config(CONFIG)
@dataclass(frozen=True)
class UpliftBasis:
    """The campaigns that the customers' uplift was learned from."""

    outcome: Annotated[str, Field(description="what contact changes: `retained`, `spend` and so on")]
    months: Annotated[int, Field(description="how long after the start of the campaign")]
    campaigns: tuple[str, ...]
    learned_at: str


@with_config(CONFIG)
@dataclass(frozen=True)
class Provenance:
    """Where an answer came from."""

    as_of: Annotated[str, Field(description="the instant for which the answer holds")]
    model_version: Annotated[str, Field(description="the version of the model that scored")]
    data_version: Annotated[str, Field(description="changes with every event that the store holds")]
    freshness: Annotated[str | None, Field(description="the newest event behind the answer")]
    evidence: Annotated[Evidence, Field(description="low: learned from few who left or stayed")]
    currency: Annotated[str | None, Field(description="the currency of amounts, where the project has one")]
    contacts: Annotated[
        Contacts,
        Field(
            description="which risk the model learned: with contacts as they were, or if no campaign "
            "contacts the customer"
        ),
    ]
    uplift: Annotated[
        UpliftBasis | None,
        Field(description="what `uplift` is about; null where no uplift model was in use"),
    ]
    expected_leavers: Annotated[
        ExpectedLeavers | None,
        Field(
            description="how many of all customers scored are expected to leave, with an 80 % interval "
            "from how far past levels missed; null for a live answer and for scores from before it was kept"
        ),
    ]
    lifetime_months: Annotated[
        tuple[int, ...],
        Field(description="the months that `lifetime_value` looks ahead, shortest first; empty without it"),
    ]


@with_config(CONFIG)
@dataclass
class Reason:
    """What raises or lowers a customer's risk; the feature `uplift` is what contact did in past campaigns."""

    feature: str
    indicator: str
    value: float | str | None
    typical: Annotated[float | None, Field(description="the cohort's median")]
    direction: Literal["raises", "lowers"]
    actionable: Annotated[
        bool,
        Field(description="whether it can be changed; time as a customer, attributes and the season cannot"),
    ]
    sentence: str
    aspect: Annotated[
        str,
        Field(
            description="what of the indicator it is about: rhythm, amount, variety; lists show one of each"
        ),
    ] = ""


RefusedChannels = Annotated[
    list[str],
    Field(description="over which channels nobody may contact them now, by name; `all` for all of them"),
]
CurrentOutcome = Annotated[
    str | None,
    Field(
        description="that of the plan; before one was made `control_group` for who is held back by a "
        "campaign, `do_not_contact` for who must not be contacted, else null"
    ),
]
ExpectedValue = Annotated[
    float | None,
    Field(description="what they would spend over the horizon if they stayed; null without amounts"),
]
Uplift = Annotated[
    float | None,
    Field(
        description="how much contact changes the outcome that the answer's `uplift` names, positive where "
        "it helps; of a rate a difference of probabilities from -1 to 1; null without an uplift model"
    ),
]
IncrementalValue = Annotated[
    float | None,
    Field(description="the money that contact is expected to gain; null without uplift or amounts"),
]


@with_config(CONFIG)
@dataclass
class ScoredCustomer:
    """One customer and what they are at the as-of date; numbers are null outside the cohort."""

    customer_id: str
    status: CustomerStatus
    churn_probability: float | None
    tier: str | None
    predicted_tier: str | None
    expected_value: ExpectedValue
    value_at_risk: float | None
    uplift: Uplift
    incremental_value: IncrementalValue
    lifetime_value: LifetimeValueList
    reasons: list[Reason]


@with_config(CONFIG)
@dataclass
class ListedCustomer:
    """One customer of the list, with their place on it."""

    rank: int
    customer_id: str
    churn_probability: float | None
    tier: str | None
    predicted_tier: str | None
    expected_value: ExpectedValue
    value_at_risk: float | None
    uplift: Uplift
    incremental_value: IncrementalValue
    lifetime_value: LifetimeValueList
    reasons: list[Reason]
    plan: Plan
    outcome: CurrentOutcome = None
    left_out_because: Annotated[str | None, Field(description="the same in words; null where planned")] = None
    refused_channels: RefusedChannels = field(default_factory=list)


@with_config(CONFIG)
@dataclass
class PlannedCustomer(ScoredCustomer):
    """One customer with the stored score and the plan."""

    plan: Plan
    refused_channels: RefusedChannels
    outcome: CurrentOutcome = None
    left_out_because: Annotated[str | None, Field(description="the same in words; null where planned")] = None


@with_config(CONFIG)
@dataclass(frozen=True)
class ScoreReply(Provenance):
    """Stored scores, in the order of the request."""

    customers: list[PlannedCustomer]


@with_config(CONFIG)
@dataclass(frozen=True)
class Appended:
    """What became of the events that were sent to be stored."""

    new: int
    already_there: int
    corrected: Annotated[
        int, Field(description="events that were known by their event_id and now say something else")
    ]
    erased: Annotated[
        int, Field(description="events of erased customers, which are left out until they are readmitted")
    ]


@with_config(CONFIG)
@dataclass
class PredictedCustomer(ScoredCustomer):
    """One customer with a live score."""

    outcome: Annotated[
        str | None,
        Field(description="`control_group` for a customer whom a campaign holds back now, else null"),
    ] = None
    left_out_because: Annotated[str | None, Field(description="the same in words")] = None


@with_config(CONFIG)
@dataclass(frozen=True)
class PredictReply(Provenance):
    """Scores computed from the events sent."""

    customers: list[PredictedCustomer]
    ignored_kinds: Annotated[
        dict[str, int], Field(description="kinds of event the model does not know, and how many")
    ]
    did_you_mean: Annotated[
        dict[str, str], Field(description="the known kind that an ignored one is nearly written like")
    ]
    appended: Annotated[Appended | None, Field(description="null without `append`")]


@with_config(CONFIG)
@dataclass(frozen=True)
class ListReply(Provenance):
    """The whole list, as `kizuna at-risk` prints it."""

    customers: list[ListedCustomer]


@with_config(CONFIG)
@dataclass(frozen=True)
class AtRiskReply(ListReply):
    """A page of the list."""

    next_cursor: Annotated[str | None, Field(description="for the next page; null on the last one")]


@with_config(CONFIG)
@dataclass(frozen=True)
class Previous:
    """A customer's score at the as-of date before."""

    as_of: str
    model_version: str
    status: KnownStatus
    churn_probability: float | None
    tier: str


@with_config(CONFIG)
@dataclass(frozen=True)
class ExplainReply(Provenance):
    """One customer's score and reasons, and what changed since the scores before."""

    customer: PlannedCustomer
    previous: Annotated[Previous | None, Field(description="the scores before; null when there are none yet")]
    changes: list[Change]


@dataclass
class _Ranked:
    rank: int


# The fields of the last base come first: rank, score, plan.
@dataclass
class PlanEntry(PlannedAction, ScoredCustomer, _Ranked):
    """One customer of the list that `kizuna plan` prints: place, score, action, hooks, refused channels."""

    refused_channels: RefusedChannels = field(default_factory=list)


@dataclass(frozen=True)
class UnclearConsent:
    """Customers whose consent cannot be read; they are not contacted."""

    attribute: str
    word: str | None
    """Neither a yes nor a no; None where the attribute says both at one instant."""
    customers: int


@dataclass(frozen=True)
class PlanReply(Provenance):
    """The list with actions, as `kizuna plan` prints it."""

    customers: list[PlanEntry]
    matching: int
    outcomes: dict[str, int]
    unclear_consent: list[UnclearConsent]
    touch_models: list[TouchUse]


Answer = ScoreReply | AtRiskReply | ExplainReply | PredictReply | ReportReply
"""What a call of the API answers."""


@with_config(CONFIG)
@dataclass(frozen=True)
class Error:
    """What went wrong."""

    code: str
    message: str
    field: str | None


@with_config(CONFIG)
@dataclass(frozen=True)
class ErrorReply:
    """The one shape of every error."""

    error: Error

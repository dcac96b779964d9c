"""The shapes of a campaign's record and of its report, as they are stored, published and shown.

Shares are between 0 and 1, amounts in the project's currency, dates in its time zone. Numbers that cannot be
told are null: an interval where an arm has one customer, a ratio to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, with_config

from serving.schemas.report_responses import CONFIG

EffectUnit = Literal["share", "amount", "days", "tier", "score"]


@with_config(CONFIG)
@dataclass(frozen=True)
class PlainDifference:
    """The difference of the arms without any adjustment."""

    treatment: float
    control: float
    difference: float
    low: Annotated[float | None, Field(description="null between review dates and within groups")]
    high: float | None


@with_config(CONFIG)
@dataclass(frozen=True)
class OutcomeEffect:
    """The effect on one outcome by intention to treat: treatment less control, whoever was reached."""

    outcome: str
    unit: EffectUnit
    customers: Annotated[int, Field(description="customers of whom the outcome is known")]
    treatment: float
    control: float
    difference: float
    low: Annotated[float | None, Field(description="95 % interval")]
    high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    method: Annotated[
        str, Field(description="regression, difference (not adjusted) or newcombe (few events)")
    ]
    unadjusted: PlainDifference


@with_config(CONFIG)
@dataclass(frozen=True)
class ReachedCustomersEffect:
    """The effect on customers who were reached because they were assigned to treatment."""

    outcome: str
    unit: EffectUnit
    reached_treatment: Annotated[float, Field(description="share of the treatment arm that was reached")]
    reached_control: float
    difference: float | None
    low: float | None
    high: float | None
    weak: Annotated[bool, Field(description="whether so few were reached that it says nothing")]


@with_config(CONFIG)
@dataclass(frozen=True)
class AmountWithInterval:
    """A figure of the whole treatment arm with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


@with_config(CONFIG)
@dataclass(frozen=True)
class CampaignGain:
    """What the campaign gained by a date in its whole treatment arm, and what it cost."""

    customers_kept: AmountWithInterval
    money_gained: Annotated[AmountWithInterval | None, Field(description="null without amounts")]
    cost: Annotated[float, Field(description="of the campaign's contacts whose cost is known")]
    unpriced_contacts: int
    net: AmountWithInterval | None
    return_on_cost: Annotated[
        AmountWithInterval | None, Field(description="money gained per unit of cost; null without cost")
    ]
    priced_contacts: Annotated[
        int | None, Field(description="contacts that `cost` adds up; null where it was not counted")
    ] = None


@with_config(CONFIG)
@dataclass(frozen=True)
class GroupEffect:
    """The effects within one group of customers, as of the day of assignment."""

    by: Annotated[str, Field(description="tier, risk_decile, touch, or segment: and an attribute")]
    group: str
    declared: Annotated[bool, Field(description="laid down before the start; else exploratory")]
    treatment: int
    control: int
    effects: list[OutcomeEffect]


@with_config(CONFIG)
@dataclass(frozen=True)
class GroupDifference:
    """Whether an effect differs between the groups of one kind: p-value of equal effects."""

    by: str
    outcome: str
    p_value: float


@with_config(CONFIG)
@dataclass(frozen=True)
class NeededCustomers:
    """How many customers, with the same share of control, would show a rise of retention: power 80 %."""

    rise: Annotated[float, Field(description="of the retained share, 0.05 or half of the churn")]
    customers: int


@with_config(CONFIG)
@dataclass(frozen=True)
class ReviewResult:
    """The effects at one review date; their intervals hold at all declared review dates together."""

    months: int
    date: str
    after_hold: Annotated[bool, Field(description="whether the control group was no longer held back then")]
    effects: list[OutcomeEffect]
    reached: list[ReachedCustomersEffect]
    gain: CampaignGain | None
    groups: list[GroupEffect]
    group_differences: list[GroupDifference]
    needed: Annotated[
        NeededCustomers | None, Field(description="null where no number would, or it was not computed")
    ] = None


@with_config(CONFIG)
@dataclass(frozen=True)
class PendingReview:
    """A review date that the data do not reach yet."""

    months: int
    date: str


@with_config(CONFIG)
@dataclass(frozen=True)
class SequenceLook:
    """A look between review dates: intervals of a confidence sequence, which hold at all looks together."""

    months: Annotated[int | None, Field(description="whole months after the start; null for the newest day")]
    date: str
    effects: list[OutcomeEffect]


@with_config(CONFIG)
@dataclass(frozen=True)
class ArmSummary:
    """One arm: who was assigned, who of them is counted, and who was contacted."""

    arm: Literal["treatment", "control"]
    assigned: Annotated[int, Field(description="at the start")]
    erased: Annotated[int, Field(description="erased since; they are in no figure")]
    merged: Annotated[int, Field(description="rows of persons who are in the campaign under another id")]
    counted: int
    reached: Annotated[int, Field(description="contacted by the campaign")]
    contacts: int
    other_contacts: Annotated[int, Field(description="contacts that name neither the campaign nor service")]
    withdrawn: Annotated[int, Field(description="who may no longer be contacted; they stay in their arm")]
    service_contacts: Annotated[
        int, Field(description="contacts that name a rule of the playbook with `service = true`")
    ] = 0
    """Of reports that were stored before it was counted, 0."""


@with_config(CONFIG)
@dataclass(frozen=True)
class SampleRatioResult:
    """Whether the arms have the sizes that were declared."""

    declared: float
    share: float
    p_value: float
    mismatch: bool


@with_config(CONFIG)
@dataclass(frozen=True)
class CampaignReport:
    """What a campaign did: effects by intention to treat at its review dates."""

    campaign: str
    state: str
    started_at: str
    hold_ends: str
    as_of: Annotated[str, Field(description="until when the data say what customers did")]
    computed_at: str
    data_version: str
    model_version: str
    currency: str | None
    horizon_days: int
    tiers: Annotated[list[str], Field(description="the tiers that the outcome `tier` counts, from 1")]
    arms: list[ArmSummary]
    contaminated: Annotated[int, Field(description="control customers contacted, or merged from both arms")]
    sample_ratio: SampleRatioResult
    review_months: list[int]
    reviews: list[ReviewResult]
    pending: list[PendingReview]
    sequence: list[SequenceLook]
    covariates: Annotated[list[str], Field(description="by what the differences are adjusted")]
    notes: list[str]
    method_notes: Annotated[
        list[str], Field(description="how the differences were adjusted, such as covariates left out")
    ] = field(default_factory=list)


@with_config(CONFIG)
@dataclass(frozen=True)
class StoredCampaignReply:
    """A campaign as it is recorded."""

    name: str
    state: Annotated[str, Field(description="draft, running, stopped, or loaded: run elsewhere")]
    source: Annotated[str, Field(description="list, plan, or table: the table that was loaded")]
    created_at: str
    started_at: str | None
    hold_until: str | None
    stopped_at: str | None
    control_share: float
    hold_days: int
    review_months: list[int]
    touch_models: list[str]
    segments: list[str]
    treatment: int
    control: int
    who: str
    computed_at: Annotated[str | None, Field(description="when its report was last computed")]


@with_config(CONFIG)
@dataclass(frozen=True)
class CampaignsReply:
    """All campaigns, the newest first."""

    campaigns: list[StoredCampaignReply]

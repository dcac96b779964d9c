"""The shapes of what is stored of a campaign: its report, or the effects of one that was run elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, with_config

from serving.schemas.campaign_responses import CampaignReport, EffectUnit, StoredCampaignReply
from serving.schemas.report_responses import CONFIG


@with_config(CONFIG)
@dataclass(frozen=True)
class UnadjustedReply:
    """The plain difference of an outcome's means."""

    difference: float
    low: float | None
    high: float | None


@with_config(CONFIG)
@dataclass(frozen=True)
class LoadedEffectReply:
    """The effect of one treatment on one outcome."""

    outcome: str
    treated: Annotated[str, Field(description="the arm, or `all` for several taken together")]
    control: str
    unit: EffectUnit
    difference: float
    low: Annotated[float | None, Field(description="95 % interval")]
    high: float | None
    treated_mean: float
    control_mean: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    method: str
    unadjusted: UnadjustedReply


@with_config(CONFIG)
@dataclass(frozen=True)
class UpliftReply:
    """Whether contact helps some more than others; figures are per 1,000 treated customers."""

    outcome: str
    treated: str
    control: str
    used: bool
    reason: str
    qini: float | None
    low: float | None
    high: float | None
    response_qini: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    per: int


@with_config(CONFIG)
@dataclass(frozen=True)
class LoadedCampaignReply:
    """What a campaign that was run elsewhere did."""

    campaign: str
    arms: Annotated[dict[str, int], Field(description="customers of every arm in the table")]
    effects: list[LoadedEffectReply]
    notes: list[str]
    uplift: Annotated[UpliftReply | None, Field(description="only where it was asked")]


@with_config(CONFIG)
@dataclass(frozen=True)
class GlobalResultReply:
    """The last computed report on the standing control group; it says of which day it is."""

    report: Annotated[CampaignReport | None, Field(description="null before the first")]


@with_config(CONFIG)
@dataclass(frozen=True)
class CampaignResultReply:
    """A campaign with its last computed report."""

    campaign: StoredCampaignReply
    report: Annotated[CampaignReport | None, Field(description="null before the first")] = field(default=None)
    loaded: Annotated[
        LoadedCampaignReply | None, Field(description="the result of a campaign that was run elsewhere")
    ] = field(default=None)

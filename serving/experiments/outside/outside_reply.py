"""A campaign that was run elsewhere, and the evidence of its uplift models, in the shapes that are stored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from serving.schemas.campaign_results import (
    LoadedCampaignReply,
    LoadedEffectReply,
    UnadjustedReply,
    UpliftReply,
)

if TYPE_CHECKING:
    from serving.experiments.outside.outside_campaign import LoadedCampaign, LoadedEffect
    from training.causal.uplift_evidence import UpliftAssessment

REASONS = {
    "used": "contact helps some more than others, "
    "and the uplift model ranks them better than a response model.",
    "qini_not_above_zero": "no evidence that contact helps some more than others: "
    "the interval of the Qini coefficient does not lie above zero.",
    "not_better_than_response": "no evidence that contact helps some more than others: "
    "the uplift model is not surely better than a plain response model.",
    "empty_arm": "no evidence that contact helps some more than others: "
    "in one of the arms the outcome is known of nobody.",
    "too_few_customers": "no evidence that contact helps some more than others: "
    "the outcome is known of fewer than 100 customers.",
    "too_few_outcomes": "no evidence that contact helps some more than others: "
    "in an arm fewer than 10 customers have another outcome than most.",
    "no_features": "no evidence that contact helps some more than others: no feature tells customers apart.",
}


def loaded_reply(loaded: LoadedCampaign) -> LoadedCampaignReply:
    """The effects of a campaign that was run elsewhere, as they are printed, stored and answered."""
    asked = loaded.uplift
    return LoadedCampaignReply(
        loaded.campaign,
        loaded.arms,
        [_effect(one, loaded.control) for one in loaded.effects],
        list(loaded.notes),
        None
        if asked is None
        else uplift_reply(asked.outcome, asked.treated, loaded.control, asked.assessment),
    )


def _effect(one: LoadedEffect, control: str) -> LoadedEffectReply:
    effect, plain = one.adjusted, one.plain
    return LoadedEffectReply(
        one.outcome,
        one.treated,
        control,
        "share" if one.rate else "amount",
        effect.difference,
        effect.low,
        effect.high,
        effect.treatment,
        effect.control,
        effect.ratio,
        effect.ratio_low,
        effect.ratio_high,
        effect.method,
        UnadjustedReply(plain.difference, plain.low, plain.high),
    )


def uplift_reply(outcome: str, treated: str, control: str, found: UpliftAssessment) -> UpliftReply:
    """The evidence whether contact helps some more than others; no figures where nothing could be fitted."""
    from training.causal.uplift_metrics import PER, QiniIntervals

    qini = found.intervals or QiniIntervals(*[math.nan] * 7)
    return UpliftReply(
        outcome=outcome,
        treated=treated,
        control=control,
        used=found.used,
        reason=REASONS[found.reason],
        qini=_defined(qini.qini),
        low=_defined(qini.low),
        high=_defined(qini.high),
        response_qini=_defined(qini.other),
        difference=_defined(qini.difference),
        difference_low=_defined(qini.difference_low),
        difference_high=_defined(qini.difference_high),
        per=PER,
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value

"""The reason that comes from past campaigns: what contact did to customers like this one, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.schemas.responses import Reason, UpliftBasis
from serving.schemas.terms import months_words
from serving.state.scores.score_metadata import ScoreMetadata
from training.explanation.quantities import WHOLE, with_currency

UPLIFT = "uplift"
"""The feature, the indicator and the aspect of the reason: it is about no indicator of engagement."""
MOST_CAMPAIGNS = 2
"""Campaigns that a sentence names; how many more there are is a number."""
POINTS = ("retained", "response")
"""Outcomes whose uplift is a difference of probabilities, shown in percentage points."""
MONEY = ("spend", "churned_value")

_ENGLISH = {
    "retained": ("contact helped customers like this", "contact drove customers like this away", "retained"),
    "response": ("contact moved customers like this", "contact put customers like this off", "who respond"),
    "spend": ("contact helped customers like this", "contact put customers like this off", "of spend"),
    "churned_value": ("contact helped customers like this", "contact drove customers like this away", "kept"),
    "active_days": (
        "contact helped customers like this",
        "contact put customers like this off",
        "active days",
    ),
    "nps": ("contact helped customers like this", "contact put customers like this off", "points of NPS"),
}
"""Of each outcome: what contact did where it helped and where it did not, and what the figure is of."""
_JAPANESE = {
    "retained": ("離反が{}ポイント減りました", "離反が{}ポイント増えました"),
    "response": ("反応率が{}ポイント上がりました", "反応率が{}ポイント下がりました"),
    "spend": ("購買額が{}増えました", "購買額が{}減りました"),
    "churned_value": ("離反で失う金額が{}減りました", "離反で失う金額が{}増えました"),
    "active_days": ("利用日数が{}日増えました", "利用日数が{}日減りました"),
    "nps": ("NPSが{}ポイント上がりました", "NPSが{}ポイント下がりました"),
}


def uplift_basis(facts: ScoreMetadata, timeline: Timeline) -> UpliftBasis | None:
    """What the uplift of scores is about, None where they have none."""
    source = facts.uplift
    if source is None:
        return None
    return UpliftBasis(source.outcome, source.months, source.campaigns, timeline.name(source.learned_at))


def uplift_reason(uplift: float, basis: UpliftBasis, language: str, currency: str = "") -> Reason | None:
    """The reason of a customer's uplift; None where it is not known or rounds to nothing."""
    if math.isnan(uplift):
        return None
    figure = uplift_figure(abs(uplift), basis.outcome, language, currency)
    if not any(digit in "123456789" for digit in figure):
        return None
    helped = uplift > 0
    return Reason(
        feature=UPLIFT,
        indicator=UPLIFT,
        value=uplift,
        typical=None,
        direction="lowers" if helped else "raises",
        actionable=True,
        sentence=_sentence(figure, basis, language, helped=helped),
        aspect=UPLIFT,
    )


def uplift_figure(amount: float, outcome: str, language: str, currency: str = "") -> str:
    """The size of an uplift without its sign: in percentage points, money, days or points of the outcome."""
    if outcome in POINTS:
        return f"{amount * 100:.1f}"
    if outcome in MONEY:
        whole = amount >= 1000 or currency in WHOLE
        return with_currency(f"{amount:,.0f}" if whole else f"{amount:,.2f}", currency, language)
    return f"{amount:.1f}"


def risk_reasons(reasons: Sequence[Reason]) -> list[Reason]:
    """The reasons of the risk, without the one that comes from past campaigns."""
    return [reason for reason in reasons if reason.feature != UPLIFT]


def _sentence(figure: str, basis: UpliftBasis, language: str, *, helped: bool) -> str:
    named, more = basis.campaigns[:MOST_CAMPAIGNS], len(basis.campaigns) - MOST_CAMPAIGNS
    english = ", ".join(named) + (f" and {more} more" if more > 0 else "")
    japanese = "、".join(named) + (f"ほか{more}件" if more > 0 else "")
    did, drove, of = _ENGLISH[basis.outcome]
    months = months_words(basis.months, language)
    unit = f" points {of}" if basis.outcome in POINTS else f" {of}"
    change = _JAPANESE[basis.outcome][0 if helped else 1].format(figure)
    return in_language(
        language,
        f"In past campaigns {did if helped else drove}: {'+' if helped else '−'}{figure}{unit} "
        f"after {months} ({english})",
        f"これまでの施策（{japanese}）では、同じような顧客は連絡すると{months}後までに{change}",
    )

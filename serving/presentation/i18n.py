"""Words and numbers that lists, explanations and plans share, in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.messages.catalog import translated
from serving.schemas.lifetime_words import shows_value
from serving.schemas.terms import channel_words
from training.explanation.quantities import WHOLE, with_currency
from training.explanation.text import tier_words

if TYPE_CHECKING:
    from features.profiling.finding import CheckFinding
    from features.profiling.profile import DataProfile
    from serving.schemas.lifetime_responses import LifetimeValue

STATUS_WORDS = {
    "cohort": ("current customer", "現在の顧客"),
    "lapsed": ("already left", "離反済み"),
    "new": ("new: not active yet", "新規（まだ活動なし）"),
    "unknown": ("not known", "不明"),
}


def tier_or_empty(tier: str | None, language: str) -> str:
    """A tier as people call it, empty where there is none; names of one's own stay as they are."""
    return "" if tier is None else tier_words(tier, language)


def money(value: float | None, currency: str | None = None, language: str = "en") -> str:
    """An amount: ¥1,235 · 1,235円 · $12.30 · 12.30 without a currency · – where it is not known."""
    if value is None:
        return "–"
    whole = abs(value) >= 1000 or currency in WHOLE
    return with_currency(f"{value:,.0f}" if whole else f"{value:,.2f}", currency or "", language)


def lifetime_text(one: LifetimeValue | None, currency: str | None, language: str) -> str:
    """A lifetime value; where the evidence is low its range alone, as no level over so long is known yet."""
    if one is None:
        return "–"
    if shows_value(one.evidence):
        return money(one.value, currency, language)
    return amount_range(one.low, one.high, currency, language)


def amount_range(low: float | None, high: float | None, currency: str | None, language: str) -> str:
    """From one amount to another: ¥1,235–¥2,000 · 1,235円〜2,000円."""
    ends = (money(end, currency, language) for end in (low, high))
    return in_language(language, "–", "〜").join(ends)


def finding_sentence(finding: CheckFinding, profile: DataProfile, language: str) -> str:
    """A finding of the doctor; why rows were refused, which it quotes, is in the same language."""
    sentence = in_language(language, finding.english, finding.japanese)
    for refused in profile.refused:
        sentence = sentence.replace(refused.reason, translated(refused.reason, language))
    return sentence


def rounded_amount(value: float | None) -> float | int | None:
    """An amount as a file for people holds it: whole from 1,000 on, else with two decimals."""
    if value is None:
        return None
    return round(value) if abs(value) >= 1000 else round(value, 2)


def rounded_share(value: float | None) -> float | None:
    """A share as a file for people holds it: with four decimals, which is a hundredth of a percent."""
    return None if value is None else round(value, 4)


def percent(probability: float | None) -> str:
    """A share: 12.3% · –."""
    return "–" if probability is None else f"{probability:.1%}"


def listed_channels(channels: Sequence[str], language: str) -> str:
    """Channels as people call them, one after the other."""
    return in_language(language, ", ", "、").join(channel_words(one, language) for one in channels)

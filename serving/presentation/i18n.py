"""Words and numbers that lists, explanations and plans share, in both languages."""

from __future__ import annotations

from training.explanation.text import tier_words

STATUS_WORDS = {
    "cohort": ("can still leave", "離反の可能性あり"),
    "lapsed": ("already left", "離反済み"),
    "new": ("new: not active yet", "新規（まだ活動なし）"),
    "unknown": ("not known", "不明"),
}


def tier_or_empty(tier: str | None, language: str) -> str:
    """A tier as people call it, empty where there is none; names of one's own stay as they are."""
    return "" if tier is None else tier_words(tier, language)


def money(value: float | None) -> str:
    """An amount without its currency: 1,235 · 12.30 · –."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def percent(probability: float | None) -> str:
    """A share: 12.3% · –."""
    return "–" if probability is None else f"{probability:.1%}"

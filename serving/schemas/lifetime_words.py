"""Lifetime value (顧客生涯価値, LTV) in words."""

from __future__ import annotations

from features.catalog.display_names import in_language

EVIDENCE = "_evidence"
"""How the name of the column ends that says how sure the level is."""
EVIDENCE_WORDS = {"normal": "通常", "low": "限定的"}
"""How sure the level is, in Japanese."""
NO_LIFETIME_VALUE = (
    "these scores tell no lifetime value, because the events carry no amounts, too few customers came back, "
    "[value] months asks for none, or the model is from before it was told"
)
"""Why there is none, as errors say it after what was asked for."""
_ENDS = {
    "": ("", ""),
    "_low": (", low", "下限"),
    "_high": (", high", "上限"),
    EVIDENCE: (", evidence", "根拠"),
}


def lifetime_words(months: int, end: str, language: str) -> str:
    """What the lifetime value over so many months is called; `end` is that of its interval, or empty."""
    english, japanese = _ENDS[end]
    return in_language(
        language,
        f"Lifetime value, {months} months{english}",
        f"顧客生涯価値（{months_words(months, language)}）{japanese}",
    )


def months_words(months: int, language: str) -> str:
    """So many months: 12 months, 12か月."""
    return in_language(language, f"{months} month{'' if months == 1 else 's'}", f"{months}か月")

"""Lifetime value (顧客生涯価値, LTV) in words."""

from __future__ import annotations

from features.catalog.display_names import in_language
from serving.schemas.terms import months_words

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
        f"Lifetime value, {months_words(months, language)}{english}",
        f"顧客生涯価値（{months_words(months, language)}）{japanese}",
    )


def shows_value(evidence: str) -> bool:
    """Whether people read one number as a lifetime value; where its level is not known, its range alone.

    `evidence` is `normal` or `low`. The API tells the number too, with its evidence.
    """
    return evidence == "normal"


def range_words(status: str, language: str) -> str:
    """What the range of a customer's lifetime value is called, by the customer's status.

    Who can still leave has an interval of what they will spend. Of who left it would say that they spend
    nothing, so theirs is how far the level of all values may lie off, as it is of groups.
    """
    if status == "cohort":
        return in_language(language, "80% interval", "80%区間")
    return level_range_words(language)


def level_range_words(language: str) -> str:
    """What the range of a value is called that says how far the level of all values may lie off."""
    return in_language(language, "range of the level", "水準の範囲")

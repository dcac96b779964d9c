"""The expected number of leavers in words."""

from __future__ import annotations

from features.catalog.display_names import in_language
from training.bundle.level_uncertainty import ExpectedLeavers


def expected_leavers_words(leavers: ExpectedLeavers, language: str) -> str:
    """How many of all scored customers are expected to leave, with the 80 % interval."""
    expected, low, high = (f"{round(number):,}" for number in (leavers.expected, leavers.low, leavers.high))
    return in_language(
        language,
        f"About {expected} of all customers scored are expected to leave (80% interval: {low} to {high}).",
        f"離反が見込まれる顧客は全体で約{expected}名です（80%区間：{low}〜{high}名）。",
    )

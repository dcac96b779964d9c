"""Every measure of the rhythm has a sentence in both languages."""

from __future__ import annotations

import pytest

from features.catalog.display_names import INDICATOR_WORDS
from features.engine.kernel import OPERATIONS
from training.explanation.rhythm_text import rhythm_sentence

LIFETIME = [name for name, (family, _) in OPERATIONS.items() if family == OPERATIONS["alive"][0]]


@pytest.mark.parametrize("aggregate", [*LIFETIME, "silence", "overdue", "days_since_last"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_measure_of_the_rhythm_is_a_sentence(aggregate: str, language: str) -> None:
    words = INDICATOR_WORDS["purchase"]
    sentence = rhythm_sentence(aggregate, words, 30, "12", language)
    assert sentence is not None
    assert "12" in sentence
    assert (words.ja if language == "ja" else words.one) in sentence
    assert "{" not in sentence


def test_a_prefix_goes_with_a_single_word_only() -> None:
    purchase, response = INDICATOR_WORDS["purchase"], INDICATOR_WORDS["response"]
    assert rhythm_sentence("days_since_last", purchase, None, "3日", "ja") == "最終購買から3日"
    assert rhythm_sentence("days_since_last", response, None, "3日", "ja") == "最後の施策への反応から3日"


def test_other_measures_are_told_elsewhere() -> None:
    assert rhythm_sentence("sum", INDICATOR_WORDS["purchase"], 30, "12", "en") is None

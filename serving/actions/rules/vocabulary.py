"""The words that conditions of rules may use in a project, and rules that use others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from serving.actions.playbook import PlaybookFile, PlaybookRefusal
from serving.actions.rules.likely_values import likely_word
from serving.reports.behaviour_attitude import band
from serving.schemas.lifetime_words import NO_LIFETIME_VALUE
from serving.schemas.terms import (
    ATTITUDE_WORDS,
    ATTITUDES,
    BAND_WORDS,
    CHANNEL_WORDS,
    INQUIRIES,
    INQUIRY_WORDS,
    MOVEMENT_WORDS,
    MOVEMENTS,
    NONE,
    STAGE_WORDS,
    STAGES,
)
from serving.state.scores.score_file import Scores
from serving.state.scores.score_table import UPLIFT_COLUMNS

BANDS = ("low", "middle", "high")
WORDS = ("tier", "movement", "attitude", "stage", "loyalty", "reason", "channel", "inquiry")
_JAPANESE: Mapping[str, Mapping[str, Sequence[str]]] = {
    "tier": {name: (japanese[:2], japanese) for name, (_, japanese) in BAND_WORDS.items()},
    "movement": MOVEMENT_WORDS,
    "attitude": ATTITUDE_WORDS,
    "stage": STAGE_WORDS,
    "channel": {name: (japanese,) for name, japanese in CHANNEL_WORDS.items()},
    "inquiry": INQUIRY_WORDS,
}
"""What people read instead of the words of a condition, and so may write."""


@dataclass(frozen=True)
class RuleVocabulary:
    """The words that conditions may use in a project."""

    tiers: tuple[str, ...]
    reasons: tuple[str, ...]
    """Indicators and `tenure`."""
    channels: tuple[str, ...]
    """The usual ones and those of the project's events, whether or not anybody prefers them at present."""
    programmes: tuple[tuple[str, ...], ...]
    """The levels of each loyalty programme."""
    uplift: tuple[str, ...] = ()
    """Those of `UPLIFT_COLUMNS` that are known of anybody: none without an uplift model in use."""
    lifetime_value: bool = True
    """Whether anybody has a lifetime value."""

    @staticmethod
    def of(
        written: PlaybookFile,
        scores: Scores,
        indicators: Sequence[str],
        subjects: Sequence[str],
        channels: Collection[str],
    ) -> RuleVocabulary:
        """The words of a project: tiers, indicators, channels, what reasons are about, what has uplift."""
        return RuleVocabulary(
            tiers=scores.facts.tiers,
            uplift=tuple(name for name in UPLIFT_COLUMNS if scores.knows(name))
            if scores.facts.uplift
            else (),
            lifetime_value=scores.answers.lifetime is not None,
            reasons=tuple(dict.fromkeys((*indicators, *(name for name in subjects if name != NONE)))),
            channels=tuple(sorted({*CHANNEL_WORDS, *channels})),
            programmes=tuple(tuple(level.name for level in one.levels) for one in written.playbook.loyalty),
        )

    @property
    def loyalty(self) -> tuple[str, ...]:
        """Every level there is."""
        return tuple(dict.fromkeys(name for levels in self.programmes for name in levels))

    def words(self, condition: str) -> tuple[str, ...]:
        """The words of a condition."""
        return {
            "tier": (*BANDS, *self.tiers),
            "movement": tuple(MOVEMENTS),
            "attitude": ATTITUDES,
            "stage": STAGES,
            "loyalty": (*self.loyalty, NONE),
            "reason": (*self.reasons, NONE),
            "channel": (*self.channels, NONE),
            "inquiry": INQUIRIES,
        }[condition]

    def tier_numbers(self, words: Sequence[str]) -> set[int]:
        """The tiers that words stand for: names, or a third of all."""
        return {
            number
            for number, name in enumerate(self.tiers)
            if name in words or BANDS[band(number, len(self.tiers))] in words
        }


def unknown_uplift(written: PlaybookFile, vocabulary: RuleVocabulary) -> Iterator[PlaybookRefusal]:
    """Each condition on uplift where nobody has one."""
    for number, rule in enumerate(written.playbook.rules):
        for asked in UPLIFT_COLUMNS:
            if getattr(rule.when, asked) is not None and asked not in vocabulary.uplift:
                yield written.refusal(
                    ("rules", number, "when", asked),
                    f"`when.{asked}` of the rule '{rule.name}' asks for what nobody has: "
                    + (
                        "no uplift model was in use when the scores were made. Run `kizuna campaign learn` "
                        "after a campaign has reached a review date, then `kizuna score`; or remove the "
                        "condition."
                        if not vocabulary.uplift
                        else "the events carry no amounts, or the uplift model is about another outcome. "
                        "Write when.uplift instead, or remove the condition."
                    ),
                )


def unknown_lifetime(written: PlaybookFile, vocabulary: RuleVocabulary) -> Iterator[PlaybookRefusal]:
    """Each condition on lifetime value where nobody has one."""
    for number, rule in enumerate(written.playbook.rules):
        if rule.when.lifetime_value is not None and not vocabulary.lifetime_value:
            yield written.refusal(
                ("rules", number, "when", "lifetime_value"),
                f"`when.lifetime_value` of the rule '{rule.name}' asks for what nobody has: "
                f"{NO_LIFETIME_VALUE}. Run `kizuna train` and `kizuna score`, or remove the condition.",
            )


def unknown_words(written: PlaybookFile, vocabulary: RuleVocabulary) -> Iterator[PlaybookRefusal]:
    """Each word of a condition that the project does not have, with the nearest that it has."""
    for number, rule in enumerate(written.playbook.rules):
        for condition in WORDS:
            known = vocabulary.words(condition)
            for word in getattr(rule.when, condition) or ():
                if word not in known:
                    near = likely_word(word, [one for one in known if one != NONE], _JAPANESE.get(condition))
                    advice = (
                        f"Write one of {', '.join(known)}."
                        if near is None
                        else f'Write "{near}" instead, or another of {", ".join(known)}.'
                    )
                    yield written.refusal(
                        ("rules", number, "when", condition),
                        f"`when.{condition}` of the rule '{rule.name}' names '{word}', which there is not. "
                        f"{advice}",
                    )

"""Static validation of rules: unknown words, rules that can never match, and rules that contradict.

A condition is a set of words or an interval of a number. The limits that rules name divide each number into
finitely many intervals, so there are finitely many kinds of customer, and the rules are compared exactly on
every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.actions.playbook import NUMBERS, PlaybookFile, PlaybookRefusal, PlaybookRule, StageRules
from serving.actions.rules.conditions import NumberCondition
from serving.actions.rules.toml_positions import line_of, places
from serving.actions.rules.vocabulary import (
    WORDS,
    RuleVocabulary,
    unknown_lifetime,
    unknown_uplift,
    unknown_words,
)
from serving.schemas.terms import (
    CONSIDERING,
    ESTABLISHED,
    GROWING,
    LAPSED,
    MOVEMENTS,
    NONE,
    ONBOARDING,
    RETURNED,
    STAGES,
)

Flags = NDArray[np.bool_]
Piece = str | int | float
"""A word, the number of a tier, or the lower end of a piece of a number."""
Fits = Callable[[Piece, Piece], bool]
OTHER = "(other)"
"""A channel that no rule names."""
MOST_KINDS = 40_000_000
"""Beyond so many kinds of customer, rules are compared two by two only."""


def validate_rules(written: PlaybookFile, vocabulary: RuleVocabulary) -> None:
    """Refuse, with its line, an unknown word, a rule that can never match, and rules that contradict.

    A condition on uplift is refused where nobody has one: a rule that is to leave alone whom contact drives
    away would else do nothing, in silence.
    """
    for refusal in rule_refusals(written, vocabulary):
        raise refusal


def rule_refusals(written: PlaybookFile, vocabulary: RuleVocabulary) -> Iterator[PlaybookRefusal]:
    """All that `validate_rules` refuses; rules are compared only where every word is known."""
    rules = written.playbook.rules
    unknown = [
        *unknown_uplift(written, vocabulary),
        *unknown_lifetime(written, vocabulary),
        *unknown_words(written, vocabulary),
    ]
    yield from unknown
    if unknown:
        return
    space = _Space.of(rules, written.playbook.stages, vocabulary)
    covered = [space.covers(rule) for rule in rules]
    pairs = list(_same_conditions(written, covered))
    yield from pairs
    if pairs or space.size > MOST_KINDS:
        return
    possible = space.possible()
    left = possible.copy()
    for number, (rule, parts) in enumerate(zip(rules, covered, strict=True)):
        mine = space.spread(parts) & possible
        if not mine.any():
            yield written.refusal(
                ("rules", number),
                f"the rule '{rule.name}' can never match: its conditions exclude each other. Loosen one.",
            )
        elif not (mine & left).any():
            takers = [
                other.name
                for other, theirs in zip(rules[:number], covered, strict=False)
                if (space.spread(theirs) & mine).any()
            ]
            yield written.refusal(
                ("rules", number),
                f"the rule '{rule.name}' can never match: everyone it is for is taken by the rules before it "
                f"({', '.join(takers)}). Move it up, or remove it.",
            )
        left &= ~mine


def _same_conditions(
    written: PlaybookFile, covered: Sequence[Mapping[str, Flags]]
) -> Iterator[PlaybookRefusal]:
    rules, lines = written.playbook.rules, places(written.text)
    for number, parts in enumerate(covered):
        for earlier in range(number):
            if all(np.array_equal(parts[name], covered[earlier][name]) for name in parts):
                other, line = rules[earlier], line_of(lines, ("rules", earlier))
                relation = "says the same as" if other.outcome == rules[number].outcome else "contradicts"
                yield written.refusal(
                    ("rules", number),
                    f"the rule '{rules[number].name}' {relation} '{other.name}' on line {line}: both are for "
                    "the same customers. Keep one of them.",
                )
                break


@dataclass(frozen=True)
class _Space:
    """Every kind of customer that the rules can tell apart: an axis for each condition that is used."""

    vocabulary: RuleVocabulary
    stages: StageRules
    axes: Mapping[str, list[Piece]] = field(default_factory=dict)

    @staticmethod
    def of(rules: Sequence[PlaybookRule], stages: StageRules, vocabulary: RuleVocabulary) -> _Space:
        axes: dict[str, list[Piece]] = {}
        used = {name for rule in rules for name in (*WORDS, *NUMBERS) if getattr(rule.when, name) is not None}
        for name in NUMBERS:
            bounds = [getattr(rule.when, name) for rule in rules if getattr(rule.when, name) is not None]
            if name == "probability" and ("stage" in used or bounds):
                bounds.append(stages.considering_leaving)
            if bounds:
                floor, roof = (0.0, 1.0) if name == "probability" else (-np.inf, np.inf)
                axes[name] = _pieces([b.low for b in bounds] + [b.high for b in bounds], floor, roof)
                axes[f"{name} rank"] = _pieces(
                    [b.rank_low for b in bounds] + [b.rank_high for b in bounds], 0.0, 1.0
                )
        named = {channel for rule in rules for channel in rule.when.channel or ()} - {NONE}
        everything: dict[str, tuple[Piece, ...]] = {
            "tier": tuple(range(len(vocabulary.tiers))),
            "movement": (*MOVEMENTS, NONE),
            "channel": (*sorted(named), OTHER, NONE),
        }
        for name in WORDS:
            if name in used or (name == "movement" and "stage" in used):
                axes[name] = list(everything.get(name, vocabulary.words(name)))
        return _Space(vocabulary, stages, axes)

    @property
    def size(self) -> int:
        return int(np.prod([len(axis) for axis in self.axes.values()], dtype=np.float64)) if self.axes else 1

    def covers(self, rule: PlaybookRule) -> dict[str, Flags]:
        """Along each axis, which pieces a rule is for."""
        found: dict[str, Flags] = {}
        for name, axis in self.axes.items():
            number = name.removesuffix(" rank")
            condition = getattr(rule.when, number)
            if condition is None:
                found[name] = np.ones(len(axis), dtype=np.bool_)
            elif isinstance(condition, NumberCondition):
                low, high = condition.low, condition.high
                of_rank = name.endswith(" rank")
                if of_rank:
                    low, high = condition.rank_low, condition.rank_high
                unranked = of_rank and not condition.by_rank
                found[name] = np.array(
                    [unranked or (isinstance(at, float) and low <= at < high) for at in axis], dtype=np.bool_
                )
            else:
                words = self.vocabulary.tier_numbers(condition) if name == "tier" else set(condition)
                found[name] = np.array([piece in words for piece in axis], dtype=np.bool_)
        return found

    def spread(self, parts: Mapping[str, Flags]) -> Flags:
        """The kinds of customer where all parts hold."""
        whole = np.ones([len(axis) for axis in self.axes.values()] or [1], dtype=np.bool_)
        for place, name in enumerate(self.axes):
            shape = [1] * whole.ndim
            shape[place] = -1
            whole &= parts[name].reshape(shape)
        return whole

    def possible(self) -> Flags:
        """The kinds of customer that there can be."""
        whole = np.ones([len(axis) for axis in self.axes.values()] or [1], dtype=np.bool_)
        for one, other, fits in self._ties():
            if one in self.axes and other in self.axes:
                table = np.array(
                    [[fits(a, b) for b in self.axes[other]] for a in self.axes[one]], dtype=np.bool_
                )
                first, second = list(self.axes).index(one), list(self.axes).index(other)
                if first > second:
                    table, first, second = table.T, second, first
                shape = [1] * whole.ndim
                shape[first], shape[second] = table.shape
                whole &= table.reshape(shape)
        return whole

    def _ties(self) -> list[tuple[str, str, Fits]]:
        """Pairs of axes and whether two of their pieces go together."""
        leaving = self.stages.considering_leaving
        ranked = leaving.by_rank
        valued = (leaving.low, leaving.high) != (-np.inf, np.inf)
        return [
            ("probability", "probability rank", _both_known),
            *((name, f"{name} rank", _ties_of_rank(name)) for name in NUMBERS if name != "probability"),
            ("stage", "lifetime_value rank", _ranked_unless_lapsed),
            ("probability", "uplift", _both_known),
            ("probability", "movement", _both_known),
            ("stage", "probability", _stage_fits(leaving.low, leaving.high, alone=valued and not ranked)),
            (
                "stage",
                "probability rank",
                _stage_fits(leaving.rank_low, leaving.rank_high, alone=ranked and not valued),
            ),
            ("stage", "movement", _stage_moves),
        ]


def _both_known(one: Piece, other: Piece) -> bool:
    return (one == NONE) == (other == NONE)


def _ties_of_rank(name: str) -> Fits:
    """Whether a number goes with a rank: lapsed customers have a lifetime value and no rank."""
    if name != "lifetime_value":
        return _both_known
    return lambda value, rank: value != NONE or rank == NONE


def _ranked_unless_lapsed(stage: Piece, rank: Piece) -> bool:
    return STAGES.index(str(stage)) != LAPSED or rank == NONE


def _stage_fits(low: float, high: float, *, alone: bool) -> Fits:
    """Whether a stage goes with a probability; `alone`: these bounds decide who considers leaving."""

    def fits(stage: Piece, piece: Piece) -> bool:
        number = STAGES.index(str(stage))
        if not isinstance(piece, float):
            return number in (LAPSED, ONBOARDING)
        inside = low <= piece < high
        if number == CONSIDERING:
            return inside
        return number == RETURNED or (number != LAPSED and not (alone and inside))

    return fits


def _stage_moves(stage: Piece, moved: Piece) -> bool:
    number = STAGES.index(str(stage))
    if number == LAPSED:
        return moved == NONE
    if number == GROWING:
        return moved == "rising"
    return number != ESTABLISHED or moved in ("steady", "falling")


def _pieces(limits: Sequence[float], floor: float, roof: float) -> list[Piece]:
    """The lower ends of the pieces between limits, and the piece of those of whom nothing is known."""
    return [float(floor), *sorted({limit for limit in limits if floor < limit < roof}), NONE]

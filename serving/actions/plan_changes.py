"""What two playbooks decide differently for the same customers: field by field, counted and one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.display_names import in_language
from serving.actions.plan_text import deadline_day
from serving.actions.playbook import BilingualText, Playbook, PlaybookRule
from serving.actions.rules.rule_matching import ActionPlan
from serving.schemas.terms import HELD_BACK, NO_RULE, OUTCOME_WORDS, OUTCOMES, PLANNED, channel_words

FIELDS = ("rule", "action", "touch", "channel", "owner", "deadline", "outcome")
"""What is compared, in the order in which it is told."""


@dataclass(frozen=True)
class FieldChange:
    """One thing that is decided for a customer, before and after; None where nothing is."""

    field: str
    """One of `FIELDS`; of a `deadline` the two sides are dates, of all others they are words."""
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class CountedChange:
    """A change with the number of customers that it is for."""

    field: str
    before: str | None
    after: str | None
    planned: int
    """Those who are planned for before or after it."""
    others: int
    """Those who are left out before and after it, for whom nobody does anything."""


@dataclass(frozen=True)
class _Words:
    """What is decided in one field: its name in the playbook, and what people read."""

    name: str
    en: str
    ja: str

    def say(self, language: str) -> str:
        return in_language(language, self.en, self.ja)


_Decision = tuple[_Words | None, ...]
"""A value for each of `FIELDS` without the outcome."""


@dataclass(frozen=True, eq=False)
class PlanSide:
    """The plan by one playbook."""

    playbook: Playbook
    plan: ActionPlan
    own: pa.DictionaryArray
    """Each customer's preferred channel."""
    today: date
    """The day of the scores, from which deadlines are counted."""

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """int64[n]: each customer's channel in `own`, −1 for none."""
        codes: NDArray[np.int64] = self.own.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return codes.astype(np.int64)

    @cached_property
    def decisions(self) -> list[list[_Decision]]:
        """What is decided by rule and channel; the last rule is of those without one, the last channel none.

        Both lasts are what −1 finds.
        """
        names = [*self.own.dictionary.to_pylist(), None]
        rules = [*self.playbook.rules, None]
        return [[self._decision(rule, name) for name in names] for rule in rules]

    def _decision(self, rule: PlaybookRule | None, own: str | None) -> _Decision:
        if rule is None:
            return _Words("", *OUTCOME_WORDS["no_rule"]), *([None] * 5)
        playbook = self.playbook
        channel = playbook.channel_of(rule, own) if rule.channel is not None else None
        said = (
            None if channel is None else _Words(channel, *(channel_words(channel, x) for x in ("en", "ja")))
        )
        day = None if rule.deadline_days is None else deadline_day(self.today, rule.deadline_days)
        return (
            _Words(rule.name, rule.say("en"), rule.say("ja")),
            _words(rule.action, playbook.actions),
            _words(rule.touch, playbook.touch),
            said,
            _words(rule.owner, playbook.owners),
            None if day is None else _Words(day, day, day),
        )

    def outcome(self, rule: int, outcome: int) -> _Words:
        """What becomes of who has a rule, with the reason that a rule gives for holding back."""
        name = OUTCOMES[outcome]
        english, japanese = OUTCOME_WORDS[name]
        if outcome == HELD_BACK and rule != NO_RULE and (reason := self.playbook.rules[rule].hold_back):
            words = self.playbook.hold_back[reason]
            return _Words(reason, f"{english}: {words.en}", f"{japanese}：{words.ja}")
        return _Words(name, english, japanese)


@dataclass(frozen=True, eq=False)
class PlanChanges:
    """The customers for whom two plans of the same scores differ."""

    before: PlanSide
    after: PlanSide

    @cached_property
    def changed(self) -> NDArray[np.bool_]:
        """bool[n]: for whom anything in `FIELDS` differs."""
        ids: dict[_Decision, int] = {}

        def numbers(side: PlanSide) -> NDArray[np.int64]:
            table = [[ids.setdefault(one, len(ids)) for one in row] for row in side.decisions]
            return np.array(table, dtype=np.int64)[side.plan.rule, side.codes]

        reasons: dict[_Words, int] = {}

        def outcomes(side: PlanSide) -> NDArray[np.int64]:
            table = [
                [reasons.setdefault(side.outcome(rule, one), len(reasons)) for one in range(len(OUTCOMES))]
                for rule in range(-1, len(side.playbook.rules))
            ]
            return np.array(table, dtype=np.int64)[side.plan.rule.astype(np.int64) + 1, side.plan.outcome]

        differ: NDArray[np.bool_] = numbers(self.before) != numbers(self.after)
        differ |= outcomes(self.before) != outcomes(self.after)
        return differ

    @cached_property
    def planned(self) -> NDArray[np.bool_]:
        """bool[n]: who is planned for before or after."""
        sides = [side.plan.outcome == PLANNED for side in (self.before, self.after)]
        planned: NDArray[np.bool_] = sides[0] | sides[1]
        return planned

    def fields(self, row: int, language: str) -> tuple[FieldChange, ...]:
        """All fields of one customer, changed or not."""
        sides = self.before, self.after
        rules = [int(side.plan.rule[row]) for side in sides]
        outcomes = [int(side.plan.outcome[row]) for side in sides]
        return tuple(self._fields(rules, outcomes, int(self.before.codes[row]), language))

    def _fields(
        self, rules: list[int], outcomes: list[int], channel: int, language: str
    ) -> Iterator[FieldChange]:
        was, becomes = (
            (*side.decisions[rule][channel], side.outcome(rule, outcome))
            for side, rule, outcome in zip((self.before, self.after), rules, outcomes, strict=True)
        )
        for field, old, new in zip(FIELDS, was, becomes, strict=True):
            yield FieldChange(field, *_told(old, new, language))

    def counted(self, language: str) -> tuple[CountedChange, ...]:
        """Every change with its customers, the most frequent first."""
        rows = np.flatnonzero(self.changed)
        parts = [
            (side.plan.rule[rows].astype(np.int64) + 1) * len(OUTCOMES) + side.plan.outcome[rows]
            for side in (self.before, self.after)
        ]
        width = (len(self.after.playbook.rules) + 1) * len(OUTCOMES)
        channels = len(self.before.own.dictionary) + 1
        _, first, customers = np.unique(
            (parts[0] * width + parts[1]) * channels + self.before.codes[rows] + 1,
            return_index=True,
            return_counts=True,
        )
        planned, others = (Counter[tuple[str, str | None, str | None]]() for _ in range(2))
        for place, count in zip(first.tolist(), customers.tolist(), strict=True):
            row = int(rows[place])
            counts = planned if self.planned[row] else others
            for one in self.fields(row, language):
                if one.is_changed:
                    counts[one.field, one.before, one.after] += count
        found = [CountedChange(*key, planned[key], others[key]) for key in {**planned, **others}]
        return tuple(sorted(found, key=lambda one: (-one.planned, -one.others, FIELDS.index(one.field))))


def _words(name: str | None, texts: Mapping[str, BilingualText]) -> _Words | None:
    return None if name is None else _Words(name, texts[name].en, texts[name].ja)


def _told(old: _Words | None, new: _Words | None, language: str) -> tuple[str | None, str | None]:
    """Two values as people read them; where these are the same and the values are not, what differs."""
    if old is None or new is None or old == new:
        return (old and old.say(language)) or None, (new and new.say(language)) or None
    ways = ((one.say(language), one.say("en"), one.say("ja"), one.name) for one in (old, new))
    was, becomes = next(pair for pair in zip(*ways, strict=True) if pair[0] != pair[1])
    return was, becomes

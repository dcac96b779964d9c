"""A customer's events in words: what happened, how much, where, in the language of who looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.catalog.definitions import Indicator, amount_kinds, company_kinds, indicator_words
from features.catalog.display_names import DisplayName, in_language, kind_words
from features.events.attributes import (
    CONTACT_NOTE,
    RESERVED_ATTRIBUTES,
    alike,
    attribute_text,
    is_noted_refusal,
)
from features.events.history import Flags, History, is_taken_back
from features.events.schema import ATTRIBUTE
from serving.actions.contact_notes import NOTED, is_noted
from serving.lists.customers.timeline_rows import Rows
from serving.presentation.i18n import money
from serving.schemas.customer_responses import TimelineEntry
from serving.schemas.terms import OUTCOME_WORDS, channel_words
from training.explanation.project_words import ProjectWords
from training.explanation.quantities import length_of_time, number, plural

PROFILE, OTHER = "profile", "other"
"""The indicators of what is known about a customer, and of kinds that no indicator has."""
MOST_DETAILS = 3
CONTACT_CHANNELS = ("phone", "email", "app", "sms", "line", "post", "store", "chat", "web")
"""The usual channels of a contact."""
HIDDEN = frozenset(RESERVED_ATTRIBUTES["contact data"] + RESERVED_ATTRIBUTES["names"])
"""Attributes that say who somebody is, which only those see who may contact them."""


@dataclass(frozen=True, eq=False)
class EventWords:
    """The words of one project in one language, for the events of one history."""

    history: History
    indicators: tuple[Indicator, ...]
    words: ProjectWords
    language: str
    shows_identity: bool
    """Whether contact data and names are shown."""
    shows_text: bool = False
    """Whether what people wrote about a contact is shown."""

    def entries(self, rows: Rows, members: Sequence[Rows]) -> tuple[TimelineEntry, ...]:
        """The entries that are known by these rows, each standing for some events."""
        return tuple(self._entry(row, mine) for row, mine in zip(rows.tolist(), members, strict=True))

    def _entry(self, row: int, members: Rows) -> TimelineEntry:
        history, kind = self.history, self.kind(row)
        channel, place = self._text("channel", row), self._text("place", row)
        if kind.startswith(ATTRIBUTE):
            title, details, more = self._attribute(row, kind.removeprefix(ATTRIBUTE))
            value = None
        else:
            title = self.title(kind, len(members))
            found = [
                self.words.detail(detail, self.language)
                for detail in dict.fromkeys(self._text("detail", one) for one in members.tolist())
                if detail
            ]
            details, more = tuple(found[:MOST_DETAILS]), max(len(found) - MOST_DETAILS, 0)
            value = self._value(members, kind)
        event_id = str(history.event_ids[row])
        return TimelineEntry(
            occurred_at=int(history.instants[row]),
            event_id=event_id,
            kind=kind,
            indicator=self.indicator_of(kind),
            title=title,
            count=len(members),
            value=value,
            channel=channel,
            channel_words=None if channel is None else self.channel(channel),
            place=None if place is None else self.words.place(place, self.language),
            details=details,
            more_details=more,
            taken_back=bool(self._taken_back[row]),
            by_company=kind in self._company,
            noted=is_noted(event_id),
            note=self._notes.get(event_id.removeprefix(NOTED).partition(":")[0], "")
            if is_noted(event_id)
            else "",
        )

    def kind(self, row: int) -> str:
        """The kind of an event."""
        return self.history.kind_names[int(self.history.kinds[row])]

    def title(self, kind: str, count: int = 1) -> str:
        """A kind of event, or several of it: Purchase, 12 visits."""
        if kind.startswith(ATTRIBUTE):
            return self.attribute(kind.removeprefix(ATTRIBUTE))
        words = self._words(kind)
        if count == 1:
            return in_language(self.language, words.one[:1].upper() + words.one[1:], words.ja)
        counter = "件" if words.count.endswith("件数") else "回"
        return in_language(self.language, f"{count:,} {words.many}", f"{words.ja} {count:,}{counter}")

    def indicator(self, name: str) -> str:
        """An indicator as people call it."""
        if name in (PROFILE, OTHER):
            return {
                PROFILE: in_language(self.language, "Profile", "プロフィール"),
                OTHER: in_language(self.language, "Other", "その他"),
            }[name]
        words = next((indicator_words(one) for one in self.indicators if one.name == name), None)
        if words is None:
            return name
        return in_language(self.language, words.many[:1].upper() + words.many[1:], words.ja)

    def indicator_of(self, kind: str) -> str:
        """The indicator of a kind; of several the first."""
        if kind.startswith(ATTRIBUTE):
            return PROFILE
        return self._indicator_of.get(kind, OTHER)

    def channel(self, channel: str) -> str:
        """A channel as people call it."""
        return channel_words(channel, self.language)

    def attribute(self, name: str) -> str:
        """An attribute as people call it."""
        if is_noted_refusal(name):
            channel = name.partition(".")[2]
            where = f" ({self.channel(channel)})" if channel else ""
            where_ja = f"（{self.channel(channel)}）" if channel else ""
            return in_language(
                self.language, f"Asked not to be contacted{where}", f"連絡停止の申し出{where_ja}"
            )
        words = self.words.attribute(name, self.language)
        return words[:1].upper() + words[1:]

    def attribute_value(self, name: str, row: int) -> str | None:
        """The value that an event gives an attribute; None where the asker may not see it."""
        if not self.shows_identity and alike(name) in HIDDEN:
            return None
        value = self.history.values[row] if len(self.history.values) else np.nan
        return self.words.value(name, attribute_text(self._text("detail", row), float(value)), self.language)

    def _attribute(self, row: int, name: str) -> tuple[str, tuple[str, ...], int]:
        if is_noted_refusal(name):
            return self.attribute(name), (), 0
        same = np.flatnonzero(self.history.kinds[:row] == self.history.kinds[row])
        after = self.attribute_value(name, row)
        before = self.attribute_value(name, int(same[-1])) if len(same) else None
        shown = "••••" if after is None else after or in_language(self.language, "empty", "なし")
        return self.attribute(name), ((f"{before} → {shown}" if before else shown),), 0

    def _value(self, members: Rows, kind: str) -> str | None:
        values = self.history.values[members] if len(self.history.values) else np.empty(0)
        known = values[~np.isnan(values)]
        if not len(known):
            return None
        words, language = self._words(kind), self.language
        total, alone = float(known.sum()), len(members) == 1
        if words.unit == "amount":
            codes = self.history.currencies[members] if len(self.history.currencies) else np.full(1, -1)
            if len(np.unique(codes)) > 1:
                return None
            code = int(codes[0])
            currency = self.history.currency_names[code] if code >= 0 else self.words.currency
            amount = money(total, currency or None, language)
            if kind in self._company:
                return in_language(language, f"cost {amount}", f"費用 {amount}")
            return amount
        if words.unit == "minutes":
            if not alone and words.value != "minutes":
                return None  # how long each answer took is no sum
            length, unit, unit_ja = length_of_time(total)
            long = in_language(language, plural(length, unit, f"{unit}s"), f"{number(length)}{unit_ja}")
            if words.value == "minutes":
                return long
            return in_language(language, f"answered after {long}", f"回答まで{long}")
        if not alone:
            return None
        if words.unit == "answer":
            return in_language(language, f"score {number(total)}", f"{number(total)}点")
        if words.unit == "reach":
            return in_language(language, f"reach {number(total)}", f"リーチ {number(total)}")
        return number(total)

    def _text(self, column: str, row: int) -> str | None:
        codes = getattr(self.history, f"{column}s")
        names: tuple[str, ...] = getattr(self.history, f"{column}_names")
        code = int(codes[row]) if len(codes) else -1
        return names[code] if code >= 0 else None

    def _words(self, kind: str) -> DisplayName:
        declared = next((one for one in self.indicators if kind in one.kinds), None)
        return kind_words(kind, None if declared is None else indicator_words(declared))

    @cached_property
    def _indicator_of(self) -> Mapping[str, str]:
        return {kind: one.name for one in reversed(self.indicators) for kind in one.kinds}

    @cached_property
    def _company(self) -> frozenset[str]:
        return company_kinds(self.indicators)

    @cached_property
    def _taken_back(self) -> Flags:
        return is_taken_back(self.history, amount_kinds(self.indicators))

    @cached_property
    def _notes(self) -> Mapping[str, str]:
        """What was noted, by the word of the form that noted it; nothing for who may not see it."""
        kind = ATTRIBUTE + CONTACT_NOTE
        if not self.shows_text or kind not in self.history.kind_names:
            return {}
        rows = np.flatnonzero(self.history.kinds == self.history.kind_names.index(kind)).tolist()
        return {
            str(self.history.event_ids[row]).removeprefix(NOTED).partition(":")[0]: self._text("detail", row)
            or ""
            for row in rows
        }


def outcome_words(outcome: str | None, language: str) -> str | None:
    """Why a customer is left out, in words."""
    return None if outcome is None else in_language(language, *OUTCOME_WORDS[outcome])

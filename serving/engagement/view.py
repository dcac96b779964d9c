"""One bucket seen over the spans of one calendar: events become units, units go onto the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serving.engagement.board import DENSE, WHOLE, Board, Cuts, Floats, Ints, Units, different
from serving.engagement.facts import Facts
from serving.engagement.spans import Calendar

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Picked:
    """Events of one sort that lie within spans, oldest first by customer."""

    places: Ints
    """In the history."""
    span: Ints
    row: Ints

    def where(self, kept: Ints | Flags) -> Picked:
        """Some of these events."""
        return Picked(self.places[kept], self.span[kept], self.row[kept])


@dataclass(frozen=True, eq=False)
class View:
    """A bucket's facts, the calendar they are counted by, and the board they are counted on."""

    facts: Facts
    calendar: Calendar
    board: Board
    segments: Cuts

    @property
    def spans(self) -> int:
        return len(self.calendar)

    @property
    def rows(self) -> int:
        return self.facts.history.customers

    @cached_property
    def _span(self) -> Ints:
        return self.calendar.place(self.facts.history.instants)

    def pick(self, places: Ints) -> Picked:
        """Of these events those within a span."""
        span = self._span[places]
        places = places[span >= 0]
        return Picked(places, self._span[places], self.facts.row[places])

    @cached_property
    def active(self) -> Ints:
        """The active customers: customer × spans + span of whoever did anything, ascending."""
        acts = self.pick(np.flatnonzero(self.facts.behaviour))
        return different(acts.row * self.spans + acts.span, self.rows * self.spans)

    def cut(self, row: Ints) -> Cuts:
        """The segments that units belong to, by their customer."""
        return {f"segment:{name}": (codes[row], names) for name, (codes, names) in self.segments.items()}

    def event_cut(self, cut: str, places: Ints) -> tuple[Ints, Sequence[str]]:
        """The channels, places or details of events."""
        history = self.facts.history
        codes, names = {
            "channel": (history.channels, history.channel_names),
            "place": (history.places, history.place_names),
            "detail": (history.details, history.detail_names),
        }[cut]
        if not len(codes):
            return np.full(len(places), -1, np.int64), ()
        return codes[places].astype(np.int64), names

    def per_event(self, measure: str, events: Picked, y: Floats, by: Sequence[str]) -> None:
        """One unit per event."""
        cuts = dict(self.cut(events.row)) | {cut: self.event_cut(cut, events.places) for cut in by}
        self.board.add(measure, Units(events.span, events.row, y), cuts, self.rows)

    def per_customer(
        self,
        measure: str,
        events: Picked,
        by: Sequence[str],
        *,
        weights: Floats | None = None,
        at_least: int = 0,
        thing: tuple[Ints, int] | None = None,
    ) -> None:
        """One unit per customer with such events: their sum, whether at least so many, or how many things.

        `thing` is a number below a limit for each event, of which the different ones are counted. By
        channel, place or detail, a customer is a unit of each group in which they have events.
        """
        for cut in (WHOLE, *by):
            codes, names = (
                (np.zeros(len(events.places), np.int64), ("",))
                if cut == WHOLE
                else self.event_cut(cut, events.places)
            )
            kept = codes >= 0
            if not kept.any():
                continue
            key = (events.row[kept] * self.spans + events.span[kept]) * len(names) + codes[kept]
            size = self.rows * self.spans * len(names)
            if thing is None:
                key, y = _sums(key, None if weights is None else weights[kept], size)
            else:
                both = different(key * thing[1] + thing[0][kept], size * thing[1]) // thing[1]
                key, y = _sums(both, None, size)
            if at_least:
                y = (y >= at_least).astype(np.float64)
            whose = key // len(names)
            units = Units(whose % self.spans, whose // self.spans, y, alone=True)
            if cut == WHOLE:
                self.board.add(measure, units, self.cut(units.row), self.rows)
            else:
                self.board.add_groups(measure, units, cut, key % len(names), names, self.rows)

    def per_active(
        self,
        measure: str,
        events: Picked,
        by: Sequence[str] = (),
        *,
        weights: Floats | None = None,
        scale: float = 1.0,
        once: bool = False,
    ) -> None:
        """One unit per active customer: scale × how many such events (or their sum, or whether any).

        By channel, place or detail the customers are all active ones.
        """
        key, y = _sums(events.row * self.spans + events.span, weights, self.rows * self.spans)
        y = np.ones(len(y)) if once else scale * y
        everyone = np.union1d(self.active, key)  # a refund alone is money, but makes nobody active
        amounts, active = np.zeros(len(everyone)), np.zeros(len(everyone))
        amounts[np.searchsorted(everyone, key)] = y
        active[np.searchsorted(everyone, self.active)] = 1.0
        units = Units(everyone % self.spans, everyone // self.spans, amounts, active, alone=True)
        self.board.add(measure, units, self.cut(units.row), self.rows)
        for cut in by:
            codes, names = self.event_cut(cut, events.places)
            kept = codes >= 0
            if not kept.any():
                continue
            key = (events.row[kept] * self.spans + events.span[kept]) * len(names) + codes[kept]
            size = self.rows * self.spans * len(names)
            key, y = _sums(key, None if weights is None else weights[kept], size)
            whose = key // len(names)
            units = Units(
                whose % self.spans, whose // self.spans, np.ones(len(y)) if once else scale * y, alone=True
            )
            self.board.add_shares(measure, units, cut, key % len(names), names, self.rows)


def _sums(key: Ints, weights: Floats | None, size: int) -> tuple[Ints, Floats]:
    """The different keys, ascending, and the sum of their weights (or how often they are)."""
    if size <= max(DENSE // 8, 8 * len(key)):
        counts = np.bincount(key, minlength=size)
        at = np.flatnonzero(counts)
        sums = counts if weights is None else np.bincount(key, weights=weights, minlength=size)
        return at, sums[at].astype(np.float64)
    at, inverse = np.unique(key, return_inverse=True)
    return at, np.bincount(inverse, weights=weights, minlength=len(at)).astype(np.float64)

"""One bucket seen over the spans of one calendar: events become units, units go onto the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serving.reports.aggregates import WHOLE, Cuts, Floats, Ints, MetricSums, MetricUnits
from serving.reports.event_index import EventIndex
from serving.reports.kernels import gathered, merged
from serving.reports.periods import PeriodCalendar

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PickedEvents:
    """Events of one sort that lie within spans, oldest first by customer."""

    places: Ints
    """In the history."""
    span: Ints
    row: Ints

    def where(self, kept: Ints | Flags) -> PickedEvents:
        """Some of these events."""
        return PickedEvents(self.places[kept], self.span[kept], self.row[kept])


@dataclass(frozen=True, eq=False)
class BucketView:
    """A bucket's facts, the calendar they are counted by, and the board they are counted on."""

    facts: EventIndex
    calendar: PeriodCalendar
    board: MetricSums
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

    def pick(self, places: Ints) -> PickedEvents:
        """Of these events those within a span."""
        span = self._span[places]
        places = places[span >= 0]
        return PickedEvents(places, self._span[places], self.facts.row[places])

    @cached_property
    def active(self) -> Ints:
        """The active customers: customer × spans + span of whoever did anything, ascending."""
        acts = self.pick(np.flatnonzero(self.facts.behaviour))
        cell = acts.row * self.spans + acts.span
        return cell[np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])] if len(cell) else cell

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

    @staticmethod
    def _alike(events: int) -> tuple[Ints, Sequence[str]]:
        """All of them in one group."""
        return np.zeros(events, np.int64), ("",)

    def per_event(self, measure: str, events: PickedEvents, y: Floats, by: Sequence[str]) -> None:
        """One unit per event."""
        cuts = dict(self.cut(events.row)) | {cut: self.event_cut(cut, events.places) for cut in by}
        self.board.add(measure, MetricUnits(events.span, events.row, y), cuts)

    def per_customer(
        self,
        measure: str,
        events: PickedEvents,
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
        cells = events.row * self.spans + events.span
        for cut in (WHOLE, *by):
            cell, weight, several = cells, weights, thing
            codes, names = self._alike(len(cells)) if cut == WHOLE else self.event_cut(cut, events.places)
            kept = codes >= 0
            if not kept.all():
                cell, codes = cells[kept], codes[kept]
                weight = None if weights is None else weights[kept]
                several = None if thing is None else (thing[0][kept], thing[1])
            if not len(codes):
                continue
            key, y = gathered(cell, codes, len(names), weight, several)
            if at_least:
                y = (y >= at_least).astype(np.float64)
            whose = key // len(names)
            units = MetricUnits(whose % self.spans, whose // self.spans, y, alone=True)
            if cut == WHOLE:
                self.board.add(measure, units, self.cut(units.row))
            else:
                self.board.add_groups(measure, units, cut, key % len(names), names)

    def per_active(
        self,
        measure: str,
        events: PickedEvents,
        by: Sequence[str] = (),
        *,
        weights: Floats | None = None,
        scale: float = 1.0,
        once: bool = False,
    ) -> None:
        """One unit per active customer: scale × how many such events (or their sum, or whether any).

        By channel, place or detail the customers are all active ones.
        """
        cell = events.row * self.spans + events.span
        key, y = gathered(cell, np.zeros(len(cell), np.int64), 1, weights)
        y = np.ones(len(y)) if once else scale * y
        # A refund alone is money, but makes nobody active.
        everyone, amounts, active = merged(self.active, key, y)
        units = MetricUnits(everyone % self.spans, everyone // self.spans, amounts, active, alone=True)
        self.board.add(measure, units, self.cut(units.row))
        for cut in by:
            codes, names = self.event_cut(cut, events.places)
            kept = codes >= 0
            if not kept.any():
                continue
            key, y = gathered(cell[kept], codes[kept], len(names), None if weights is None else weights[kept])
            whose = key // len(names)
            units = MetricUnits(
                whose % self.spans, whose // self.spans, np.ones(len(y)) if once else scale * y, alone=True
            )
            self.board.add_shares(measure, units, cut, key % len(names), names)

"""One bucket of customers over the periods of one calendar: turns events into the units that metrics sum."""

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
from serving.schemas.terms import SEGMENT

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PickedEvents:
    """Chosen events that lie within periods, with period and customer of each; oldest first by customer."""

    places: Ints
    """Rows of the history."""
    span: Ints
    row: Ints

    def where(self, chosen: Ints | Flags) -> PickedEvents:
        """Some of these events."""
        return PickedEvents(self.places[chosen], self.span[chosen], self.row[chosen])


@dataclass(frozen=True, eq=False)
class BucketView:
    """A bucket's events, the calendar of periods, and the sums that units are added to."""

    index: EventIndex
    calendar: PeriodCalendar
    sums: MetricSums
    segments: Cuts

    @property
    def spans(self) -> int:
        return len(self.calendar)

    @property
    def rows(self) -> int:
        return self.index.history.customers

    @cached_property
    def _span(self) -> Ints:
        return self.calendar.place(self.index.history.instants)

    def pick(self, places: Ints) -> PickedEvents:
        """Those of these events that lie within a period."""
        span = self._span[places]
        places = places[span >= 0]
        return PickedEvents(places, self._span[places], self.index.row[places])

    @cached_property
    def active(self) -> Ints:
        """Who was active when, as customer × spans + span, ascending: whoever did anything in the period."""
        acts = self.pick(np.flatnonzero(self.index.behaviour))
        cell = acts.row * self.spans + acts.span
        return cell[np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])] if len(cell) else cell

    def cut(self, row: Ints) -> Cuts:
        """The segments of units, by their customer."""
        return {SEGMENT + name: (codes[row], names) for name, (codes, names) in self.segments.items()}

    def event_cut(self, cut: str, places: Ints) -> tuple[Ints, Sequence[str]]:
        """The codes and names of the channels, places or details of events."""
        history = self.index.history
        codes, names = {
            "channel": (history.channels, history.channel_names),
            "place": (history.places, history.place_names),
            "detail": (history.details, history.detail_names),
        }[cut]
        if not len(codes):
            return np.full(len(places), -1, np.int64), ()
        return codes[places].astype(np.int64), names

    @staticmethod
    def _one_group(events: int) -> tuple[Ints, Sequence[str]]:
        """Codes that put all events into one group."""
        return np.zeros(events, np.int64), ("",)

    def per_event(self, measure: str, events: PickedEvents, y: Floats, by: Sequence[str]) -> None:
        """One unit per event."""
        cuts = dict(self.cut(events.row)) | {cut: self.event_cut(cut, events.places) for cut in by}
        self.sums.add(measure, MetricUnits(events.span, events.row, y), cuts)

    def per_customer(
        self,
        measure: str,
        events: PickedEvents,
        by: Sequence[str],
        *,
        weights: Floats | None = None,
        at_least: int = 0,
        distinct: tuple[Ints, int] | None = None,
    ) -> None:
        """One unit per customer with such events: a sum, a threshold reached, or distinct numbers.

        `distinct` is a number below a limit for each event, of which the different ones are counted. By
        channel, place or detail, a customer is a unit of each group in which they have events.
        """
        cells = events.row * self.spans + events.span
        for cut in (WHOLE, *by):
            cell, weight, numbers = cells, weights, distinct
            codes, names = self._one_group(len(cells)) if cut == WHOLE else self.event_cut(cut, events.places)
            inside = codes >= 0
            if not inside.all():
                cell, codes = cells[inside], codes[inside]
                weight = None if weights is None else weights[inside]
                numbers = None if distinct is None else (distinct[0][inside], distinct[1])
            if not len(codes):
                continue
            key, y = gathered(cell, codes, len(names), weight, numbers)
            if at_least:
                y = (y >= at_least).astype(np.float64)
            customer_span = key // len(names)
            units = MetricUnits(
                customer_span % self.spans, customer_span // self.spans, y, one_per_customer=True
            )
            if cut == WHOLE:
                self.sums.add(measure, units, self.cut(units.row))
            else:
                self.sums.add_groups(measure, units, cut, key % len(names), names)

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
        # A refund alone adds an amount, but makes nobody active.
        everyone, amounts, active = merged(self.active, key, y)
        units = MetricUnits(
            everyone % self.spans, everyone // self.spans, amounts, active, one_per_customer=True
        )
        self.sums.add(measure, units, self.cut(units.row))
        for cut in by:
            codes, names = self.event_cut(cut, events.places)
            inside = codes >= 0
            if not inside.any():
                continue
            weight = None if weights is None else weights[inside]
            key, y = gathered(cell[inside], codes[inside], len(names), weight)
            customer_span = key // len(names)
            units = MetricUnits(
                customer_span % self.spans,
                customer_span // self.spans,
                np.ones(len(y)) if once else scale * y,
                one_per_customer=True,
            )
            self.sums.add_shares(measure, units, cut, key % len(names), names)

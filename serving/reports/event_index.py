"""One bucket's events as a report sees them: which span, which customer, which segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator, amount_kinds
from features.events.history import History, customer_of_event, events_of_kinds, is_taken_back
from features.events.schema import ATTRIBUTE
from features.timeline import Timeline
from serving.reports.aggregates import Ints

MOST_GROUPS = 20
"""An attribute with more values than this is no segment (a birthday, a name)."""


@dataclass(frozen=True, eq=False)
class EventIndex:
    """A bucket's history, with what every count needs."""

    history: History
    indicators: Mapping[str, Indicator]
    timeline: Timeline
    _places: dict[tuple[str, ...], Ints] = field(default_factory=dict)

    @cached_property
    def row(self) -> Ints:
        """int64[n]: the customer of each event, as a place in `history.keys`."""
        return customer_of_event(self.history)

    def of_kinds(self, kinds: Sequence[str]) -> Ints:
        """The places of the events of these kinds, ascending."""
        asked = tuple(kinds)
        if asked not in self._places:
            self._places[asked] = np.flatnonzero(events_of_kinds(self.history, asked))
        return self._places[asked]

    def of(self, indicator: str) -> Ints:
        """The places of an indicator's events."""
        return self.of_kinds(self.indicators[indicator].kinds if indicator in self.indicators else ())

    @cached_property
    def behaviour(self) -> NDArray[np.bool_]:
        """bool[n]: what customers did, without what takes back, surveys and the company's doing."""
        kinds = {
            kind
            for indicator in self.indicators.values()
            if indicator.origin == "customer" and not indicator.attitude
            for kind in indicator.kinds
        }
        return events_of_kinds(self.history, kinds) & ~self.taken_back

    @cached_property
    def taken_back(self) -> NDArray[np.bool_]:
        """bool[n]: refunds, and negative amounts of the project's indicators."""
        return is_taken_back(self.history, amount_kinds(tuple(self.indicators.values())))

    def segments(self) -> dict[str, tuple[Ints, Sequence[str]] | None]:
        """For each attribute the group of every customer: the value known last, -1 where none is.

        None for an attribute with too many values to be a segment.
        """
        found: dict[str, tuple[Ints, Sequence[str]] | None] = {}
        for kind in self.history.kind_names:
            at = self.of_kinds((kind,)) if kind.startswith(ATTRIBUTE) else np.empty(0, np.int64)
            if not len(at):
                continue
            values, places = np.unique(self.history.details[at], return_inverse=True)
            if len(values) > MOST_GROUPS:
                found[kind.removeprefix(ATTRIBUTE)] = None
                continue
            codes = np.full(self.history.customers, -1, dtype=np.int64)
            codes[self.row[at]] = np.where(self.history.details[at] >= 0, places, -1)  # the last one stays
            names = [self.history.detail_names[value] if value >= 0 else "" for value in values.tolist()]
            found[kind.removeprefix(ATTRIBUTE)] = (codes, names)
        return found

    def attribute(self, name: str) -> list[str | None]:
        """The value of an attribute known last, by customer."""
        values: list[str | None] = [None] * self.history.customers
        at = self.of_kinds((ATTRIBUTE + name,))
        details = self.history.detail_names
        for row, code in zip(self.row[at].tolist(), self.history.details[at].tolist(), strict=True):
            values[row] = details[code] if code >= 0 else None
        return values

    def had_several(self, name: str) -> NDArray[np.bool_]:
        """bool[customers]: for whom an attribute had different values."""
        at = self.of_kinds((ATTRIBUTE + name,))
        pairs = np.unique(self.row[at] * (len(self.history.detail_names) + 1) + self.history.details[at] + 1)
        rows = pairs // (len(self.history.detail_names) + 1)
        return np.bincount(rows, minlength=self.history.customers) > 1

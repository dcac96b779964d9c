"""An index of one bucket's events: their customer, the events of each kind, and the segments of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator, amount_kinds
from features.events.attributes import (
    MOST_SEGMENT_VALUES,
    attributes_of,
    had_several_values,
    is_reserved,
    last_values,
)
from features.events.history import History, customer_of_event, events_of_kinds, is_taken_back
from features.events.schema import ATTRIBUTE
from features.timeline import Timeline
from serving.reports.aggregates import Ints
from serving.reports.answer_times import AnswerTimes


@dataclass(frozen=True, eq=False)
class EventIndex:
    """A bucket's history, with events looked up by kind and indicator, once for all metrics."""

    history: History
    indicators: Mapping[str, Indicator]
    timeline: Timeline
    consent: frozenset[str] = frozenset()
    """Attributes that the project names as consent: they are no segments."""
    times: AnswerTimes | None = None
    """For which inquiries answer times are known; all where None."""
    _places: dict[tuple[str, ...], Ints] = field(default_factory=dict)

    @cached_property
    def row(self) -> Ints:
        """int64[n]: the customer of each event, as a place in `history.keys`."""
        return customer_of_event(self.history)

    def of_kinds(self, kinds: Sequence[str]) -> Ints:
        """The places of the events of these kinds, ascending."""
        key = tuple(kinds)
        if key not in self._places:
            self._places[key] = np.flatnonzero(events_of_kinds(self.history, key))
        return self._places[key]

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

        None for an attribute with too many values to be a segment; reserved attributes are left out.
        """
        groups: dict[str, tuple[Ints, Sequence[str]] | None] = {}
        for name in attributes_of(self.history):
            if is_reserved(name, self.consent) or not len(self.of_kinds((ATTRIBUTE + name,))):
                continue
            last = last_values(self.history, name)
            groups[name] = None if len(last.texts) > MOST_SEGMENT_VALUES else (last.codes, last.texts)
        return groups

    def attribute(self, name: str, *, skip_empty: bool = False) -> list[str | None]:
        """The value of an attribute known last, by customer."""
        return last_values(self.history, name, skip_empty=skip_empty).by_customer

    def had_several(self, name: str) -> NDArray[np.bool_]:
        """bool[customers]: for whom an attribute had different values."""
        return had_several_values(self.history, name)

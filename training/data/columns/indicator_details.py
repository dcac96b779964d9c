"""Which details an indicator's events have, where these are few enough for each to be a stream of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from features.catalog.definitions import Indicator
from features.event_store import EventStore
from features.events.history import History
from features.events.schema import REFUND
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import in_history

FEWEST, MOST = 2, 8
"""Details that an indicator must have, and at most may have."""
RARE = 0.005
"""Details with a smaller share of an indicator's events are passed over."""
NO_DETAILS = ("contract",)
"""Indicators whose details are what holds now, not what was done: the plan of a contract."""


def indicator_details(
    store: EventStore,
    indicators: Sequence[Indicator],
    before: int,
    until: int | None,
    *,
    engine: Engine = HERE,
) -> dict[str, tuple[str, ...]]:
    """By indicator its details, the most frequent first, where there are two to eight of them.

    They are those of the events that were known `before` the first as-of date: what comes later is no column.
    Events at or after `until` do not exist.
    """
    asked = tuple(one for one in indicators if not one.attitude and one.name not in NO_DETAILS)
    new = partial(_DetailCounts, asked, before)
    columns = frozenset({"detail"})
    counts = map_partitions(store, new, until=until, columns=columns, known_at=before, engine=engine).counts
    found = {}
    for name, of in counts.items():
        least = RARE * sum(of.values())
        order = sorted(of.items(), key=lambda item: (-item[1], item[0]))
        details = tuple(detail for detail, count in order if count >= least)
        if FEWEST <= len(details) <= MOST and len(of) <= 2 * MOST:
            found[name] = details
    return found


@dataclass
class _DetailCounts:
    """How many events of each indicator have each detail."""

    indicators: tuple[Indicator, ...]
    before: int
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        if not len(history.details):
            return
        recorded = history.recorded if len(history.recorded) else None
        known = in_history(history.instants, recorded, self.before) & (history.details >= 0)
        for one in self.indicators:
            codes = [n for n, k in enumerate(history.kind_names) if k in one.kinds and k != REFUND]
            mine = history.details[known & np.isin(history.kinds, codes)]
            counts = np.bincount(mine, minlength=len(history.detail_names))
            of = self.counts.setdefault(one.name, {})
            for code in np.flatnonzero(counts).tolist():
                detail = history.detail_names[code]
                of[detail] = of.get(detail, 0) + int(counts[code])

    def merge(self, other: _DetailCounts) -> None:
        """Add the counts of later buckets."""
        for name, details in other.counts.items():
            of = self.counts.setdefault(name, {})
            for detail, count in details.items():
                of[detail] = of.get(detail, 0) + count

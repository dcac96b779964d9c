"""Contacts that no campaign assigned: how many rows have one in their label, by kind.

Nobody drew who gets them, so nothing tells what would have been without them. They are counted, not
corrected: leaving such rows out would keep those whom nobody thought worth a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History, customer_of_event, events_of_kinds
from features.execution.local import map_partitions
from training.data.rows.labelled_rows import LabelledRows
from training.labels.settings import Churn

SECOND = 1_000_000


def contacted_rows(
    store: EventStore, rows: LabelledRows, churn: Churn, kinds: frozenset[str], until: int | None
) -> Mapping[str, int]:
    """By kind of contact, how many rows have one from their as-of date to the end of their horizon."""
    new = partial(_ContactCounts, rows.keys, rows.as_of, churn.horizon.end(rows.as_of), kinds)
    found = map_partitions(store, new, until=until, columns=frozenset(), retractions=False)
    return {kind: found.counts[kind] for kind in sorted(found.counts)}


@dataclass
class _ContactCounts:
    """The counts of some buckets."""

    keys: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kinds: frozenset[str]
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, history: History) -> None:
        mine = np.flatnonzero(np.isin(self.keys, history.keys))
        if not len(mine):
            return
        customer = np.searchsorted(history.keys, self.keys[mine])
        owner = customer_of_event(history)
        for kind in sorted(self.kinds & set(history.kind_names)):
            made = events_of_kinds(history, {kind})
            # Whole seconds, so that customer and instant make one number; a history is sorted by both.
            moments = owner[made] << 33 | history.instants[made] // SECOND
            first, last = (
                np.searchsorted(moments, customer << 33 | -(-at[mine] // SECOND))
                for at in (self.start, self.end)
            )
            count = int((last > first).sum())
            if count:
                self.counts[kind] = self.counts.get(kind, 0) + count

    def merge(self, other: _ContactCounts) -> None:
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count

"""Matured outcomes: who of earlier scored cohorts left within the horizon, by the labels' own code.

The store is read once for all dates. Labels are made from what is known now: an event that was recorded late
counts, one that was retracted since does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline
from training.labels.contracts import CONTRACT_COLUMNS
from training.labels.labelling import label
from training.labels.settings import Churn

Keys = NDArray[np.int64]
_COLUMNS = frozenset({"value"}) | CONTRACT_COLUMNS


@dataclass(frozen=True, eq=False)
class MaturedOutcomes:
    """What became of n scored customers of one date."""

    churned: NDArray[np.bool_]
    value: NDArray[np.float64]
    """float64[n]: what each spent over the horizon, refunds taken off."""
    known: NDArray[np.bool_]
    """bool[n]: whether the customer has any event in the store today; the rest cannot be judged."""


def matured_outcomes(
    store: EventStore,
    churn: Churn,
    timeline: Timeline,
    cohorts: Sequence[tuple[int, Keys]],
    covered_until: int,
    progress: Callable[[str, float], None] | None = None,
    *,
    engine: Engine = HERE,
) -> list[MaturedOutcomes]:
    """The outcomes of each cohort: pairs of an as-of date (microseconds UTC) and today's customer keys.

    `covered_until` is the instant until which the data tells silence. Raises `HorizonNotCovered` for a date
    whose horizon ends later.
    """
    orders = [np.argsort(keys, kind="stable") for _, keys in cohorts]
    dates = [(as_of, keys[order]) for (as_of, keys), order in zip(cohorts, orders, strict=True)]
    new = partial(_MaturedParts, churn, timeline, dates, covered_until)
    gathered = map_partitions(
        store,
        new,
        "comparing with what happened",
        columns=_COLUMNS,
        retractions=True,
        progress=progress,
        engine=engine,
    )
    found = [
        MaturedOutcomes(np.zeros(len(keys), np.bool_), np.zeros(len(keys)), np.zeros(len(keys), np.bool_))
        for _, keys in dates
    ]
    for date, rows, churned, value in gathered.parts:
        places = orders[date][rows]
        found[date].churned[places] = churned
        found[date].value[places] = value
        found[date].known[places] = True
    return found


@dataclass
class _MaturedParts:
    """The outcomes of the customers of each bucket, at every date."""

    churn: Churn
    timeline: Timeline
    dates: Sequence[tuple[int, Keys]]
    """Keys ascending; several rows may be one customer, where ids were merged since."""
    covered_until: int
    parts: list[tuple[int, Keys, NDArray[np.bool_], NDArray[np.float64]]] = field(default_factory=list)

    def add(self, history: History) -> None:
        rows = []
        for _, keys in self.dates:
            first = np.searchsorted(keys, history.keys, side="left")
            count = np.searchsorted(keys, history.keys, side="right") - first
            skipped = np.repeat(count.cumsum() - count, count)
            rows.append(np.repeat(first, count) + np.arange(count.sum()) - skipped)
        sizes = [len(part) for part in rows]
        keys = np.concatenate([own[part] for (_, own), part in zip(self.dates, rows, strict=True)])
        as_of = np.repeat(np.array([one for one, _ in self.dates], dtype=np.int64), sizes)
        if not len(keys):
            return
        labels = label(history, self.churn, keys, as_of, self.covered_until, self.timeline)
        ends = np.cumsum(sizes)[:-1]
        columns = rows, np.split(labels.churned, ends), np.split(labels.value, ends)
        self.parts += [(date, *part) for date, part in enumerate(zip(*columns, strict=True))]

    def merge(self, other: _MaturedParts) -> None:
        self.parts += other.parts

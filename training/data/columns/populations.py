"""The buy-till-you-die population as of each of several dates, from all customers that were known then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import LEVEL
from features.catalog.definitions import Catalog, Feature, family
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline
from training.bundle.lifetime.parameters import MbgNbdParameters
from training.data.columns.level_counts import NO_LEVELS, LevelCounts
from training.data.customer_hashes import customer_hashes, in_first_share, shuffled_by_customer
from training.data.mbg_nbd import fit_mbg_nbd

Floats = NDArray[np.float64]

READ = ("active_days", "days_since_first", "days_since_last")
MOST_CUSTOMERS = 5_000
"""Four numbers need no more."""


def dated_numbers(
    store: EventStore,
    catalog: Catalog,
    timeline: Timeline,
    dates: Sequence[int],
    frozen: Priors,
    customers: int,
    until: int | None,
    levels: LevelCounts = NO_LEVELS,
    *,
    engine: Engine = HERE,
) -> dict[int, Mapping[str, float]]:
    """For each date the numbers of `Priors`, with populations fitted to what was known at that date.

    That is so for the streams of which the chance of being alive is a feature, and for the details of level
    columns, whose numbers are those of `levels`. All other numbers, and those of a stream that too few
    customers tell yet, are those of `frozen`. Where there are more `customers` than `MOST_CUSTOMERS` a sample
    is taken, by customer id. Events at or after `until` do not exist.
    """
    plain = {name: value for name, value in frozen.numbers.items() if not name.startswith(f"{LEVEL}.")}
    streams = tuple(
        feature.stream
        for feature in catalog.features
        if isinstance(feature, Feature) and feature.aggregate == "alive"
    )
    if not streams:
        return {date: plain | levels.numbers(date) for date in dates}
    share = min(1.0, MOST_CUSTOMERS / max(1, customers))
    new = partial(_Rhythms, store, catalog, streams, timeline, tuple(dates), share)
    seen = map_partitions(store, new, until=until, retractions=True, engine=engine)
    found: dict[int, Mapping[str, float]] = {}
    near: dict[str, MbgNbdParameters | None] = dict.fromkeys(streams)
    for place, date in enumerate(dates):
        numbers = plain | levels.numbers(date)
        for name in streams:
            rows = np.concatenate([part[:, place] for part in seen.rhythms[name]])
            known = rows[rows[:, 0] > 0]
            known = known[np.lexsort(known.T)]  # sums do not depend on how the store orders customers
            active_days, since_first, since_last = known.T
            near[name] = fit_mbg_nbd(active_days, since_first, since_last, near[name]) or near[name]
            numbers |= {f"mbg_{number}.{name}": value for number, value in _numbers(near[name])}
        found[date] = numbers
    return found


def _numbers(population: MbgNbdParameters | None) -> Iterable[tuple[str, float]]:
    return () if population is None else asdict(population).items()


@dataclass
class _Rhythms:
    """What a population is fitted to, of each customer at each date."""

    store: EventStore
    catalog: Catalog
    streams: tuple[str, ...]
    timeline: Timeline
    dates: tuple[int, ...]
    share: float
    rhythms: dict[str, list[Floats]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        keys = history.keys
        if self.share < 1.0:
            hashes = shuffled_by_customer(customer_hashes(self.store, keys))
            keys = keys[in_first_share(hashes, self.share)]
        each = np.repeat(keys, len(self.dates))
        as_of = np.tile(np.array(self.dates, dtype=np.int64), len(keys))
        for name in self.streams:
            stream = self.catalog.stream_of[name]
            part = Catalog(self.catalog.indicators, (stream,), tuple(family(stream, *READ)))
            matrix = snapshot(history, part, self.timeline, each, as_of).matrix
            self.rhythms.setdefault(name, []).append(matrix.reshape(len(keys), len(self.dates), len(READ)))

    def merge(self, other: _Rhythms) -> None:
        """Add the customers of later buckets."""
        for name, parts in other.rhythms.items():
            self.rhythms.setdefault(name, []).extend(parts)

"""How many more customers with each value of an attribute left than others, as of each of several dates.

A level (a value of an attribute) becomes a number: the log-odds of leaving of the customers who had it,
less those to be expected of as many customers of the same as-of dates, held at 0 by `HELD` customers. So a
season in which many leave says nothing against the levels that happen to be frequent in it. At a date only
labels are known that were decided before it, by what was known when they were decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Feature, level_key
from features.engine.snapshot import level_codes
from features.event_store import EventStore
from features.events.history import History, known_at
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY, Timeline
from training.data.customer_hashes import customer_hashes, in_first_share, shuffled_by_customer
from training.labels.cohort import cohorts, label_events
from training.labels.labelling import label
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HELD = 100.0
"""How many customers' worth each level is held at 0."""
LEAST_CUSTOMERS = 5
"""Customers of one date that a level must have had: fewer tell nothing, and name a person."""
MOST_LEVELS = 1_000
"""Levels of an attribute that get a number, the most frequent first."""
MOST_CUSTOMERS = 200_000
"""Of more customers a sample is counted."""
DIGITS = 6
"""Decimals of what is frozen."""


@dataclass(frozen=True, eq=False)
class LevelCounts:
    """Customers with each level at labelled as-of dates, and how many of them left."""

    ends: Ints
    """int64[dates]: when the labels of each date are decided."""
    share: Floats
    """float64[dates]: how much a customer counts: the share of the horizon that no earlier date has."""
    cohort: Ints
    """int64[dates, 2]: the customers of each date, and those who left."""
    levels: Mapping[str, Mapping[str, Ints]]
    """By column and level the same."""

    def numbers(self, date: int) -> dict[str, float]:
        """What is known of each level at a date, named by `level_key`."""
        mature = self.ends <= date
        if not mature.any():
            return {}
        share, (there, left) = self.share[mature], self.cohort[mature].T
        rate = left / np.maximum(there, 1)
        base = float(share @ left / max(share @ there, 1e-9))
        if not 0.0 < base < 1.0:
            return {}
        found: dict[str, float] = {}
        for column, levels in self.levels.items():
            counts = {level: each[mature] for level, each in levels.items()}
            often = [level for level, each in counts.items() if each[:, 0].max() >= LEAST_CUSTOMERS]
            often.sort(key=lambda level: (-int(counts[level][:, 0].sum()), level))
            for level in sorted(often[:MOST_LEVELS]):
                mine, gone = counts[level].T
                held = HELD + share @ mine
                observed = (HELD * base + share @ gone) / held
                expected = (HELD * base + share @ (mine * rate)) / held
                found[level_key(column, level)] = round(_log_odds(observed) - _log_odds(expected), DIGITS)
        return found


NO_LEVELS = LevelCounts(np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 2), np.int64), {})
"""Those of a catalogue without level columns."""


def level_counts(
    store: EventStore,
    catalog: Catalog,
    churn: Churn,
    timeline: Timeline,
    dates: Sequence[int],
    customers: int,
    until: int | None,
    *,
    engine: Engine = HERE,
) -> LevelCounts:
    """The counts of the catalogue's level columns at these as-of dates, ascending, whose horizons are over.

    Where there are more `customers` than `MOST_CUSTOMERS` a sample is taken, by customer id. Events at or
    after `until` do not exist.
    """
    part = levels_alone(catalog)
    if not part.features or not dates:
        return NO_LEVELS
    share = min(1.0, MOST_CUSTOMERS / max(1, customers))
    new = partial(LevelCounter, store, part, churn, timeline, tuple(dates), share)
    return map_partitions(store, new, until=until, retractions=True, engine=engine).counted()


@dataclass
class LevelCounter:
    """Counts the customers of each bucket, for `level_counts`."""

    store: EventStore | None
    catalog: Catalog
    churn: Churn
    timeline: Timeline
    dates: tuple[int, ...]
    share: float
    levels: dict[str, dict[str, Ints]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cohort = np.zeros((len(self.dates), 2), dtype=np.int64)

    def add(self, history: History) -> None:
        if not history.events:
            return
        here = history.keys
        if self.share < 1.0 and self.store is not None:
            hashes = shuffled_by_customer(customer_hashes(self.store, here))
            here = here[in_first_share(hashes, self.share)]
        known = cohorts(history, self.churn, self.dates)
        of_date = [keys[np.isin(keys, here)] if self.share < 1.0 else keys for keys in known]
        events = label_events(history, self.churn)
        left = [self._left(events, keys, date) for keys, date in zip(of_date, self.dates, strict=True)]
        at = np.repeat(np.arange(len(self.dates)), [len(keys) for keys in of_date])
        self._count(history, np.concatenate(of_date), at, np.concatenate(left))

    def merge(self, other: LevelCounter) -> None:
        """Add the counts of later buckets."""
        self.cohort += other.cohort
        for column, levels in other.levels.items():
            self._add(column, levels)

    def counted(self) -> LevelCounts:
        """The counts of all buckets."""
        gaps = np.diff(self.dates, prepend=np.iinfo(np.int64).min // 2) / (self.churn.horizon.days * DAY)
        ends = np.array([self.churn.horizon.end(date) for date in self.dates], dtype=np.int64)
        return LevelCounts(ends, np.minimum(1.0, gaps), self.cohort, self.levels)

    def _left(self, history: History, keys: Ints, date: int) -> NDArray[np.bool_]:
        """Who of these left after the date, by what was known when that was decided."""
        end = self.churn.horizon.end(date)
        return label(known_at(history, end), self.churn, keys, date, end, self.timeline).churned

    def _count(self, history: History, keys: Ints, at: Ints, left: NDArray[np.bool_]) -> None:
        outcomes = np.stack([np.ones(len(keys), dtype=np.int64), left.astype(np.int64)])
        for which, of in enumerate(outcomes):
            self.cohort[:, which] += np.bincount(at, of, len(self.dates)).astype(np.int64)
        order = np.lexsort((at, keys))  # the kernel is fastest customer by customer
        as_of = np.array(self.dates, dtype=np.int64)[at[order]]
        codes = level_codes(history, self.catalog, self.timeline, keys[order], as_of)
        for column, mine in codes.items():
            has = mine >= 0
            used, place = np.unique(mine[has], return_inverse=True)
            cell = place * len(self.dates) + at[order][has]
            size = (len(used), len(self.dates))
            counts = np.stack(
                [
                    np.bincount(cell, of[order][has], size[0] * size[1]).astype(np.int64).reshape(size)
                    for of in outcomes
                ],
                axis=2,
            )
            names = [history.detail_names[code] for code in used.tolist()]
            self._add(column, dict(zip(names, counts, strict=True)))

    def _add(self, column: str, levels: Mapping[str, Ints]) -> None:
        mine = self.levels.setdefault(column, {})
        for level, counts in levels.items():
            mine[level] = mine[level] + counts if level in mine else counts


def levels_alone(catalog: Catalog) -> Catalog:
    """The catalogue of the level columns."""
    chosen = {*catalog.level_columns}
    features = [one for one in catalog.features if isinstance(one, Feature) and one.name in chosen]
    streams = {one.stream for one in features}
    return Catalog(
        catalog.indicators, tuple(one for one in catalog.streams if one.name in streams), tuple(features)
    )


def _log_odds(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))

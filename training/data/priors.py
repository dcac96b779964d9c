"""What the population teaches about one customer, from what lies before the first date that uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Feature, Stream, family
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.events.history import Codes, History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline, in_history
from training.data.mbg_nbd import fit_mbg_nbd

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

BOOK_SIZE = 64
"""Details a code book knows by name; the rest share one number."""
RHYTHM = ("active_days", "days_since_first", "days_since_last", "gap_mean", "gap_std", "count")
"""What the numbers of a stream are learned from, of each customer."""
MOST_CUSTOMERS = 20_000
"""Four numbers need no more."""
WEIGHTS = (0.5, 10.0)
"""The least and the most gaps that the population's own counts for."""


def learn_priors(
    store: EventStore,
    catalog: Catalog,
    timeline: Timeline,
    before: int,
    *,
    until: int | None = None,
    engine: Engine = HERE,
) -> Priors:
    """The priors that everything known before this instant teaches; events at or after `until` do not exist.

    A code book lists the details of a column's stream, the most frequent first, so that numbers that lie
    near each other stand for details that are about equally common. The numbers of a stream are its usual gap
    and its buy-till-you-die population; those that too few customers tell are left out.
    """
    roots = {column: catalog.stream_of[_stream(catalog, column)] for column in catalog.detail_columns}
    streams = {stream.name: stream for stream in roots.values()}
    new = partial(_PriorsAccumulator, streams, _rhythmic(catalog), timeline, before)
    seen = map_partitions(store, new, until=until, known_at=before, engine=engine)
    books = {
        name: tuple(detail for detail, _ in sorted(count.items(), key=lambda item: (-item[1], item[0])))
        for name, count in seen.counts.items()
    }
    numbers = {
        f"{number}.{name}": value
        for name, parts in seen.rhythms.items()
        for number, value in _numbers(np.concatenate(parts) if parts else np.empty((0, len(RHYTHM))))
        if f"{number}.{name}" in catalog.learned
    }
    return Priors({column: books[stream.name][:BOOK_SIZE] for column, stream in roots.items()}, numbers)


class _PriorsAccumulator:
    """How often each detail of a stream was seen, and the rhythm of each customer in a stream."""

    def __init__(
        self, streams: Mapping[str, Stream], rhythmic: Mapping[str, Catalog], timeline: Timeline, before: int
    ) -> None:
        self.streams, self.rhythmic, self.timeline, self.before = streams, rhythmic, timeline, before
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in streams}
        self.rhythms: dict[str, list[Floats]] = {name: [] for name in rhythmic}

    def add(self, history: History) -> None:
        for name, count in self.counts.items():
            count.update(_occurrences(history, _details(history, self.streams[name], self.before)))
        for name, part in self.rhythmic.items():
            dates = np.full(history.customers, self.before, dtype=np.int64)
            self.rhythms[name].append(snapshot(history, part, self.timeline, history.keys, dates).matrix)

    def merge(self, other: _PriorsAccumulator) -> None:
        for name, count in other.counts.items():
            self.counts[name].update(count)
        for name, parts in other.rhythms.items():
            self.rhythms[name] += parts


def _details(history: History, stream: Stream, before: int) -> Codes:
    """The codes of the details of a stream's events that were known."""
    if not history.detail_names:
        return np.empty(0, np.int32)
    past = in_history(history.instants, history.recorded if len(history.recorded) else None, before)
    codes = [code for code, kind in enumerate(history.kind_names) if kind in stream.kinds]
    rows = np.flatnonzero(past & (history.details >= 0) & np.isin(history.kinds, codes))
    return history.details[rows]


def _occurrences(history: History, details: Codes) -> dict[str, int]:
    """How often each detail stands among these codes."""
    counts = np.bincount(details, minlength=len(history.detail_names))
    return {history.detail_names[code]: int(counts[code]) for code in np.flatnonzero(counts)}


def _rhythmic(catalog: Catalog) -> dict[str, Catalog]:
    """For each stream with numbers to learn, the few features that teach them."""
    names = dict.fromkeys(key.partition(".")[2] for key in catalog.learned)
    return {
        name: Catalog(
            catalog.indicators,
            (catalog.stream_of[name],),
            tuple(family(catalog.stream_of[name], *RHYTHM)),
        )
        for name in names
    }


def _numbers(rhythm: Floats) -> Iterator[tuple[str, float]]:
    """The numbers of a stream from one row of `RHYTHM` for each customer, in whatever order they come."""
    seen = rhythm[rhythm[:, 0] > 0]
    seen = seen[np.lexsort(seen.T)]
    seen = seen[:: max(1, len(seen) // MOST_CUSTOMERS)]
    active_days, since_first, since_last, gap, spread, count = seen.T
    again = gap > 0
    if again.any():
        yield "gap_mean", float(gap[again].mean())
        yield "gap_weight", _weight(gap, spread, count - 1.0)
    population = fit_mbg_nbd(active_days, since_first, since_last)
    if population is not None:
        for name in ("r", "alpha", "a", "b"):
            yield f"mbg_{name}", getattr(population, name)


def _weight(gap: Floats, spread: Floats, gaps: Floats) -> float:
    """How many gaps tell as much about a customer as being one: variance within ÷ variance between them."""
    measurable = (gaps >= 2) & (spread >= 0) & (gap > 0)
    if measurable.sum() < 2:
        return 1.0
    within = float((spread[measurable] ** 2).mean())
    between = float(gap[measurable].var() - (spread[measurable] ** 2 / gaps[measurable]).mean())
    return float(np.clip(within / between, *WEIGHTS)) if between > 0 else WEIGHTS[1]


def _stream(catalog: Catalog, column: str) -> str:
    """The name of the stream that a column is computed from."""
    feature = catalog.feature_of[column]
    return feature.stream if isinstance(feature, Feature) else _stream(catalog, feature.first)

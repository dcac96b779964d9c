"""A compiled catalogue: streams, windows and columns as the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import AGGREGATES, LEVEL
from features.catalog.definitions import Catalog, Derived, Feature
from features.engine.kernel import (
    ALONE,
    DERIVED,
    DIFFERENT,
    FAMILIES,
    LANES,
    NO_LANES,
    NUMBERS,
    ON_TILES,
    OPERATIONS,
    TILES,
    CatalogArrays,
    Selection,
)
from features.events.history import History, taking_back
from features.timeline import edges

Matrix = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


_DETAIL_OF = {LEVEL: "last_detail"}
"""Aggregates that give a number to the detail which another one finds."""


@dataclass(frozen=True, eq=False)
class CompiledCatalog:
    """What to compute: the kernel's arrays, and what is done before and after it."""

    windows: tuple[int, ...]
    """Days, ascending."""
    arrays: CatalogArrays
    details: tuple[tuple[int, str], ...]
    """Matrix columns whose numbers are codes of details, and their names."""
    levels: tuple[tuple[int, str], ...]
    """The same of columns whose numbers are what a population taught about the detail."""
    calendar: tuple[tuple[int, str], ...]
    """Matrix columns that depend on the as-of date alone, and their aggregates."""
    learned: tuple[tuple[int, int, str], ...]
    """Stream, place among `NUMBERS`, and name of each number of the population that some feature reads."""
    event_columns: frozenset[str]
    """The columns of an event, besides its kind and instant, that some feature reads."""

    @staticmethod
    def of(catalog: Catalog) -> CompiledCatalog:
        """Compiles a catalogue: its columns by family of aggregates and by stream, windows ascending."""
        plain = [feature for feature in catalog.features if isinstance(feature, Feature)]
        span = {feature.name: AGGREGATES[feature.aggregate].span for feature in plain}
        past = {f.name: f.days for f in plain if span[f.name] in ("any", "history")}
        windows = tuple(sorted({days for days in past.values() if days is not None}))
        tile: dict[int | None, int] = {days: n for n, days in enumerate(windows)} | {None: len(windows)}
        place = {name: n for n, name in enumerate(catalog.columns)}
        stream = {name: n for n, name in enumerate(catalog.stream_of)}
        rows = []
        for feature in plain:
            if span[feature.name] != "date":
                family, operation = OPERATIONS[_DETAIL_OF.get(feature.aggregate, feature.aggregate)]
                ahead = (feature.days or 0) if span[feature.name] in ("ahead", "fading") else 0
                window = tile[past.get(feature.name)]
                rows.append((family, stream[feature.stream], window, operation, place[feature.name], ahead))
        rows.sort(key=lambda row: (*row[:2], row[3] if row[0] in (TILES, DIFFERENT) else row[2], *row[2:]))
        sizes = np.zeros((FAMILIES, len(stream)), dtype=np.int64)
        for family, number, *_ in rows:
            sizes[family, number] += 1
        ends = np.cumsum(sizes).reshape(sizes.shape)
        starts = np.stack([ends - sizes, ends], axis=2)
        tiles = np.tile(starts[TILES, :, :1], ON_TILES + 1)
        for family, number, _, operation, *_ in rows:
            tiles[number, operation + 1 :] += family == TILES
        derived = [feature for feature in catalog.features if isinstance(feature, Derived)]
        arrays = CatalogArrays(
            edges(0, windows)[1:],
            np.array([s.amounts for s in catalog.streams], dtype=np.bool_),
            starts,
            tiles,
            _lanes([row for row in rows if row[0] == TILES], len(stream), len(windows)),
            np.array(
                [(place, op, window, ahead) for _, _, window, op, place, ahead in rows], np.int64
            ).reshape(-1, 4),
            np.array(
                [
                    (place[d.name], DERIVED.index(d.operation), place[d.first], place[d.second])
                    for d in derived
                ],
                dtype=np.int64,
            ).reshape(-1, 4),
            np.array([_factor(catalog, d) for d in derived], dtype=np.float64),
            np.array([catalog.empty(name) for name in catalog.columns], dtype=np.float64),
        )
        return CompiledCatalog(
            windows,
            arrays,
            tuple((place[name], name) for name in catalog.detail_columns),
            tuple((place[name], name) for name in catalog.level_columns),
            tuple((place[f.name], f.aggregate) for f in plain if span[f.name] == "date"),
            _learned(catalog, stream),
            _event_columns(catalog, plain),
        )

    def numbers(self, *populations: Mapping[str, float]) -> Matrix:
        """float64[populations, s, numbers]: what each teaches about each stream, NaN where it does not."""
        table = np.full((len(populations), len(self.arrays.amounts), len(NUMBERS)), np.nan)
        for stream, number, name in self.learned:
            for place, known in enumerate(populations):
                table[place, stream, number] = known.get(name, np.nan)
        return table


def _lanes(rows: Sequence[tuple[int, ...]], streams: int, windows: int) -> Ints:
    """The columns on tiles in groups of four windows; whole history is the window after the last."""
    starts = [*range(0, windows - 3, 4), *([windows - 4] if windows > 3 and windows % 4 else [])]
    starts.append(max(windows - 3, 0))  # the group that has whole history
    columns_of: dict[tuple[int, int, int], list[int]] = {}
    for _, stream, window, operation, column, _ in rows:
        if operation not in ALONE:
            columns_of.setdefault((stream, operation, window), []).append(column)
    layers = max(map(len, columns_of.values()), default=1)  # a project may name the same feature twice
    lanes = np.full((streams, layers * len(starts), ON_TILES + 1, LANES), -1, dtype=np.int64)
    for (stream, operation, window), columns in columns_of.items():
        for layer, column in enumerate(columns):
            for n, start in enumerate(starts):
                if start <= window < start + 4:
                    lanes[stream, layer * len(starts) + n, operation, 1 + window - start] = column
    targets = lanes[:, :, :ON_TILES, 1:]
    follow = (targets >= 0).all(axis=-1) & (np.diff(targets, axis=-1) == 1).all(axis=-1)
    for group in range(1, targets.shape[1]):  # written before: again only as part of a whole store
        before = (targets[:, :group, :, :, None] == targets[:, group, None, :, None, :]).any(axis=(1, 3))
        targets[:, group][before & ~follow[:, group, :, None]] = -1
    has = (targets >= 0).any(axis=-1)
    follow &= has
    lanes[:, :, :ON_TILES, 0] = np.where(follow, targets[..., 0], np.where(has, -1, NO_LANES))
    lanes[:, :, ON_TILES, 0] = np.where(has.any(axis=-1), -1, NO_LANES)
    lanes[:, :, ON_TILES, 1] = np.tile(starts, layers)
    return lanes.reshape(-1)


def _learned(catalog: Catalog, stream: Mapping[str, int]) -> tuple[tuple[int, int, str], ...]:
    learned = []
    for name in catalog.learned:
        number, _, of = name.partition(".")
        learned.append((stream[of], NUMBERS.index(number), name))
    return tuple(learned)


def _factor(catalog: Catalog, derived: Derived) -> float:
    first, second = catalog.feature_of[derived.first], catalog.feature_of[derived.second]
    if derived.operation != "trend" or isinstance(first, Derived) or isinstance(second, Derived):
        return 1.0
    return (second.days or 1) / (first.days or 1)


def _event_columns(catalog: Catalog, plain: list[Feature]) -> frozenset[str]:
    read = {column for feature in plain for column in AGGREGATES[feature.aggregate].reads}
    for stream in catalog.streams:
        read |= {"value"} if stream.amounts else set()
        read |= {"channel"} if stream.channels else set()
        read |= {"place"} if stream.places else set()
        read |= {"detail"} if stream.details else set()
    return frozenset(read)


class StreamSelection(Selection):
    """Which streams take an event of each kind, in the codes of one history."""

    __slots__ = ()

    @staticmethod
    def of(catalog: Catalog, history: History) -> StreamSelection:
        """The selection of a catalogue's streams in the codes of a history."""
        names = (history.channel_names, history.place_names, history.detail_names)
        chosen = _chosen(catalog)
        tables = [_table(known, taken) for known, taken in zip(names, chosen, strict=True)]
        return StreamSelection(
            *_takers(catalog, history.kind_names),
            np.ascontiguousarray(np.array([row for row, _ in tables]).T),
            *(allowed for _, allowed in tables),
        )


def _takers(catalog: Catalog, kinds: tuple[str, ...]) -> tuple[Ints, Ints, Flags]:
    known = _streams_of(catalog)
    takers = [known.get(kind, ()) for kind in kinds]
    return (
        np.array([0, *accumulate(map(len, takers))], dtype=np.int64),
        np.array([number for t in takers for number in t], dtype=np.int64),
        taking_back(kinds, ())[0],
    )


# Cached for a catalogue: online, finding them would take longer than the features of one customer.
@lru_cache(maxsize=256)
def _streams_of(catalog: Catalog) -> Mapping[str, tuple[int, ...]]:
    """The streams that take each kind."""
    return {
        kind: tuple(n for n, stream in enumerate(catalog.streams) if kind in stream.kinds)
        for kind in catalog.kinds
    }


@lru_cache(maxsize=256)
def _chosen(catalog: Catalog) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The channels, places and details that each stream takes; nothing where no stream chooses."""
    chosen = (
        tuple(s.channels for s in catalog.streams),
        tuple(s.places for s in catalog.streams),
        tuple(s.details for s in catalog.streams),
    )
    return tuple(taken if any(taken) else ((),) * len(taken) for taken in chosen)


def _table(names: tuple[str, ...], taken: tuple[tuple[str, ...], ...]) -> tuple[Ints, Flags]:
    """int64[s]: each stream's row in the table, −1 where it takes all; bool[rows, names + 1]: the table."""
    row = np.full(len(taken), -1, dtype=np.int64)
    if not any(taken):
        return row, np.zeros((0, len(names) + 1), dtype=np.bool_)
    filtered = [number for number, chosen in enumerate(taken) if chosen]
    row[filtered] = np.arange(len(filtered))
    allowed = np.zeros((len(filtered), len(names) + 1), dtype=np.bool_)
    for n, number in enumerate(filtered):
        chosen = set(taken[number])
        allowed[n, : len(names)] = [name in chosen for name in names]
    return row, allowed

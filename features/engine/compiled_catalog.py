"""A catalogue as the kernel reads it: arrays of streams, windows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import AGGREGATES
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
)
from features.events.history import History, taking_back
from features.timeline import edges

Matrix = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CompiledCatalog:
    """What to compute: columns grouped by family of aggregates and by stream, windows ascending."""

    windows: tuple[int, ...]
    reach: Ints
    """int64[windows]: how far before the as-of date each begins, as a negative number of microseconds."""
    amounts: Flags
    """bool[s]: whether a negative value takes back."""
    starts: Ints
    """int64[families, s, 2]: the columns of a family and stream are the rows of `columns` between them."""
    tiles: Ints
    """int64[s, operations + 1]: where the columns of each operation on tiles begin."""
    lanes: Ints
    """int64[s * groups * (operations + 1) * 5]: of a stream, four windows side by side and an operation on
    tiles, the column of the first window when those of the others follow it, else −1, or −2 where there is
    none; then the column of each, or −1. Beside the operations: −2 where none has any; then the first window.
    """
    columns: Ints
    """int64[c, 4]: matrix column, operation, window (after the last: whole history), days ahead. Those on
    tiles and of different codes stand by operation, then all from the nearest window to the farthest."""
    derived: Ints
    """int64[d, 4]: matrix column, operation, first column, second column."""
    factors: Matrix
    """float64[d]: what the quotient is multiplied with (a trend's long days ÷ short days)."""
    empty: Matrix
    """float64[f]: the row of a customer without events."""
    details: tuple[tuple[int, str], ...]
    """Matrix columns whose numbers stand for a detail, and their names."""
    calendar: tuple[tuple[int, str], ...]
    """Matrix columns that say something about the as-of date alone, and what."""
    learned: tuple[tuple[int, int, str], ...]
    """Stream, place among `NUMBERS`, and name of each number of the population that some feature reads."""
    event_columns: frozenset[str]
    """The columns of an event, besides its kind and instant, that some feature reads."""

    @staticmethod
    def of(catalog: Catalog) -> CompiledCatalog:
        """The program of a catalogue."""
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
                family, operation = OPERATIONS[feature.aggregate]
                ahead = (feature.days or 0) if span[feature.name] == "ahead" else 0
                window = tile[past.get(feature.name)]
                rows.append((family, stream[feature.stream], window, operation, place[feature.name], ahead))
        rows.sort(key=lambda row: (*row[:2], row[3] if row[0] in (TILES, DIFFERENT) else row[2], *row[2:]))
        held = np.zeros((FAMILIES, len(stream)), dtype=np.int64)
        for family, number, *_ in rows:
            held[family, number] += 1
        before = np.cumsum(held).reshape(held.shape)
        starts = np.stack([before - held, before], axis=2)
        tiles = np.tile(starts[TILES, :, :1], ON_TILES + 1)
        for family, number, _, operation, *_ in rows:
            tiles[number, operation + 1 :] += family == TILES
        derived = [feature for feature in catalog.features if isinstance(feature, Derived)]
        return CompiledCatalog(
            windows,
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
            tuple((place[name], name) for name in catalog.detail_columns),
            tuple((place[f.name], f.aggregate) for f in plain if span[f.name] == "date"),
            _learned(catalog, stream),
            _event_columns(catalog, plain),
        )

    def numbers(self, known: Mapping[str, float]) -> Matrix:
        """float64[s, numbers]: what the population teaches about each stream, NaN where it does not."""
        table = np.full((len(self.amounts), len(NUMBERS)), np.nan)
        for stream, number, name in self.learned:
            table[stream, number] = known.get(name, np.nan)
        return table


def _lanes(rows: Sequence[tuple[int, ...]], streams: int, windows: int) -> Ints:
    """The columns on tiles in groups of four windows; whole history is the window after the last."""
    starts = [*range(0, windows - 3, 4), *([windows - 4] if windows > 3 and windows % 4 else [])]
    starts.append(max(windows - 3, 0))  # the group that has whole history
    wanted: dict[tuple[int, int, int], list[int]] = {}
    for _, stream, window, operation, column, _ in rows:
        if operation not in ALONE:
            wanted.setdefault((stream, operation, window), []).append(column)
    layers = max(map(len, wanted.values()), default=1)  # a project may name the same feature twice
    lanes = np.full((streams, layers * len(starts), ON_TILES + 1, LANES), -1, dtype=np.int64)
    for (stream, operation, window), columns in wanted.items():
        for layer, column in enumerate(columns):
            for n, start in enumerate(starts):
                if start <= window < start + 4:
                    lanes[stream, layer * len(starts) + n, operation, 1 + window - start] = column
    said = lanes[:, :, :ON_TILES, 1:]
    follow = (said >= 0).all(axis=-1) & (np.diff(said, axis=-1) == 1).all(axis=-1)
    for group in range(1, said.shape[1]):  # said before: again only as part of a whole store
        before = (said[:, :group, :, :, None] == said[:, group, None, :, None, :]).any(axis=(1, 3))
        said[:, group][before & ~follow[:, group, :, None]] = -1
    has = (said >= 0).any(axis=-1)
    follow &= has
    lanes[:, :, :ON_TILES, 0] = np.where(follow, said[..., 0], np.where(has, -1, NO_LANES))
    lanes[:, :, ON_TILES, 0] = np.where(has.any(axis=-1), -1, NO_LANES)
    lanes[:, :, ON_TILES, 1] = np.tile(starts, layers)
    return lanes.reshape(-1)


def _learned(catalog: Catalog, stream: Mapping[str, int]) -> tuple[tuple[int, int, str], ...]:
    found = []
    for name in catalog.learned:
        number, _, of = name.partition(".")
        found.append((stream[of], NUMBERS.index(number), name))
    return tuple(found)


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


@dataclass(frozen=True, eq=False)
class StreamSelection:
    """Which streams take an event of each kind, and which channels, places and details they take."""

    starts: Ints
    """int64[kinds + 1]: the streams that take kind k are `streams[starts[k]:starts[k + 1]]`."""
    streams: Ints
    refunds: Flags
    """bool[kinds]."""
    picky: Ints
    """int64[s, 3]: the row of a stream in each of the tables below, −1 where it takes all."""
    channels: Flags
    """bool[picky streams, names + 1]: the last column stands for absent."""
    places: Flags
    details: Flags

    @staticmethod
    def of(catalog: Catalog, history: History) -> StreamSelection:
        """The selection of a catalogue's streams in the codes of a history."""
        names = (history.channel_names, history.place_names, history.detail_names)
        chosen = _chosen(catalog)
        tables = [_table(known, wanted) for known, wanted in zip(names, chosen, strict=True)]
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


# Kept for a catalogue: online, finding them would take longer than the features of one customer.
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
    return tuple(wanted if any(wanted) else ((),) * len(wanted) for wanted in chosen)


def _table(names: tuple[str, ...], wanted: tuple[tuple[str, ...], ...]) -> tuple[Ints, Flags]:
    row = np.full(len(wanted), -1, dtype=np.int64)
    if not any(wanted):
        return row, np.zeros((0, len(names) + 1), dtype=np.bool_)
    picky = [number for number, chosen in enumerate(wanted) if chosen]
    row[picky] = np.arange(len(picky))
    allowed = np.zeros((len(picky), len(names) + 1), dtype=np.bool_)
    for n, number in enumerate(picky):
        chosen = set(wanted[number])
        allowed[n, : len(names)] = [name in chosen for name in names]
    return row, allowed

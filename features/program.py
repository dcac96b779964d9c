"""A catalogue as the kernel reads it: arrays of streams, windows and columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog import AGGREGATES, REFUND, Catalog, Derived, Feature
from features.history import History

Matrix = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

OPERATION = {name: code for code, name in enumerate(AGGREGATES)}
DERIVED = {"ratio": 0, "difference": 1, "trend": 2}

# What is accumulated over a stream's windows, so that nothing is computed which no feature reads.
VALUES, EXTREMES, SPREAD, DETAILS, CHANNELS, PLACES, TOP, RHYTHM = (1 << n for n in range(8))
_NEEDS = {
    "sum": VALUES,
    "mean": VALUES,
    "min": EXTREMES,
    "max": EXTREMES,
    "std": VALUES | SPREAD,
    "distinct_detail": DETAILS,
    "distinct_channel": CHANNELS,
    "distinct_place": PLACES,
    "top_detail": DETAILS | TOP,
    "gap_std": RHYTHM,
    "gap_max": RHYTHM,
}


@dataclass(frozen=True, eq=False)
class Program:
    """What to compute: columns grouped by stream, windows ascending."""

    windows: tuple[int, ...]
    needs: Ints
    """int64[s]: what each stream must keep."""
    amounts: Flags
    """bool[s]: whether a negative value takes back."""
    starts: Ints
    """int64[s + 1]: the columns of stream s are the rows `starts[s]` to `starts[s + 1]` of `columns`."""
    columns: Ints
    """int64[c, 3]: matrix column, operation, tile (number of windows: whole history)."""
    derived: Ints
    """int64[d, 4]: matrix column, operation, first column, second column."""
    factors: Matrix
    """float64[d]: what the quotient is multiplied with (a trend's long days ÷ short days)."""
    empty: Matrix
    """float64[f]: the row of a customer without events."""
    event_columns: frozenset[str]
    """The columns of an event, besides its kind and instant, that some feature reads."""

    @staticmethod
    def of(catalog: Catalog) -> Program:
        """The program of a catalogue."""
        plain = [feature for feature in catalog.features if isinstance(feature, Feature)]
        windows = tuple(sorted({feature.days for feature in plain if feature.days is not None}))
        tile: dict[int | None, int] = {days: n for n, days in enumerate(windows)} | {None: len(windows)}
        place = {name: n for n, name in enumerate(catalog.columns)}
        stream = {name: n for n, name in enumerate(catalog.stream_of)}
        needs = np.zeros(len(stream), dtype=np.int64)
        rows: list[list[tuple[int, int, int]]] = [[] for _ in stream]
        for feature in plain:
            number = stream[feature.stream]
            needs[number] |= _NEEDS.get(feature.aggregate, 0)
            rows[number].append((place[feature.name], OPERATION[feature.aggregate], tile[feature.days]))
        derived = [feature for feature in catalog.features if isinstance(feature, Derived)]
        return Program(
            windows,
            needs,
            np.array([s.amounts for s in catalog.streams], dtype=np.bool_),
            np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64),
            np.array([row for r in rows for row in r], dtype=np.int64).reshape(-1, 3),
            np.array(
                [(place[d.name], DERIVED[d.operation], place[d.first], place[d.second]) for d in derived],
                dtype=np.int64,
            ).reshape(-1, 4),
            np.array([_factor(catalog, d) for d in derived], dtype=np.float64),
            np.array([catalog.empty(name) for name in catalog.columns], dtype=np.float64),
            _event_columns(catalog, plain),
        )


def _factor(catalog: Catalog, derived: Derived) -> float:
    first, second = catalog.feature_of[derived.first], catalog.feature_of[derived.second]
    if derived.operation != "trend" or isinstance(first, Derived) or isinstance(second, Derived):
        return 1.0
    return (second.days or 1) / (first.days or 1)


def _event_columns(catalog: Catalog, plain: list[Feature]) -> frozenset[str]:
    used = {feature.aggregate for feature in plain}
    read = set()
    if used & {"sum", "mean", "min", "max", "std", "last"} or any(s.amounts for s in catalog.streams):
        read.add("value")
    if used & {"distinct_detail", "last_detail", "top_detail"} or any(s.details for s in catalog.streams):
        read.add("detail")
    if "distinct_channel" in used or any(s.channels for s in catalog.streams):
        read.add("channel")
    if "distinct_place" in used or any(s.places for s in catalog.streams):
        read.add("place")
    return frozenset(read)


@dataclass(frozen=True, eq=False)
class Selection:
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
    def of(catalog: Catalog, history: History) -> Selection:
        """The selection of a catalogue's streams in the codes of a history."""
        code = {name: n for n, name in enumerate(history.kind_names)}
        takers: list[list[int]] = [[] for _ in history.kind_names]
        for number, stream in enumerate(catalog.streams):
            for kind in stream.kinds:
                if kind in code:
                    takers[code[kind]].append(number)
        chosen = (
            (history.channel_names, [s.channels for s in catalog.streams]),
            (history.place_names, [s.places for s in catalog.streams]),
            (history.detail_names, [s.details for s in catalog.streams]),
        )
        tables = [_table(names, wanted) for names, wanted in chosen]
        return Selection(
            np.cumsum([0, *(len(t) for t in takers)], dtype=np.int64),
            np.array([number for t in takers for number in t], dtype=np.int64),
            np.array([name == REFUND for name in history.kind_names], dtype=np.bool_),
            np.stack([row for row, _ in tables], axis=1),
            *(allowed for _, allowed in tables),
        )


def _table(names: tuple[str, ...], wanted: list[tuple[str, ...]]) -> tuple[Ints, Flags]:
    picky = [number for number, chosen in enumerate(wanted) if chosen]
    row = np.full(len(wanted), -1, dtype=np.int64)
    row[picky] = np.arange(len(picky))
    allowed = np.zeros((len(picky), len(names) + 1), dtype=np.bool_)
    for n, number in enumerate(picky):
        chosen = set(wanted[number])
        allowed[n, : len(names)] = [name in chosen for name in names]
    return row, allowed

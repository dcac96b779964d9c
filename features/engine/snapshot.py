"""Feature rows for customers × as-of dates: the one function behind training, batch, online and cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from features.catalog.definitions import Catalog, level_key
from features.engine.compiled_catalog import CompiledCatalog, Ints, Matrix, StreamSelection
from features.engine.evaluate import DatedNumbers, compute
from features.events.history import History
from features.timeline import Timeline


@dataclass(frozen=True)
class Priors:
    """What a population taught about a single customer, frozen before the first date that uses it."""

    code_book: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For a detail column, the details it knows; the number of one is its place."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Of streams, and of the details of level columns (`level_key`); a detail without one counts as 0."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` turns back into these priors."""
        return {
            "code_book": {column: list(details) for column, details in self.code_book.items()},
            "numbers": dict(self.numbers),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Priors:
        """The priors that `to_json` wrote down."""
        return Priors({c: tuple(d) for c, d in data["code_book"].items()}, dict(data["numbers"]))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Feature rows at as-of dates."""

    keys: Ints
    """int64[n]: customers."""
    as_of: Ints
    """int64[n]: instants."""
    columns: tuple[str, ...]
    matrix: Matrix
    """float64[n, f]; NaN where a feature says nothing. A detail is its place in the code book, or one
    past its end when the book does not know it."""


def snapshot(
    history: History,
    catalog: Catalog,
    timeline: Timeline,
    keys: Ints,
    as_of: Ints,
    priors: Priors | None = None,
    *,
    dated: DatedNumbers | None = None,
    threads: int = 0,
) -> Snapshot:
    """One row for each pair of customer and as-of date, in their order.

    A customer without events before the date gets the row of one without events. `dated` has the numbers of
    the population as of each of the dates, in place of those of the priors.
    """
    known = priors or Priors()
    program, selection = _program(catalog), StreamSelection.of(catalog, history)
    matrix = compute(
        history, program, selection, timeline, keys, as_of, known.numbers, dated=dated, threads=threads
    )
    _encode(matrix, history, program, as_of, known, dated)
    return Snapshot(keys, as_of, catalog.columns, matrix)


def snapshot_with_texts(
    history: History,
    catalog: Catalog,
    timeline: Timeline,
    keys: Ints,
    as_of: Ints,
    priors: Priors | None = None,
) -> tuple[Snapshot, dict[str, pa.Array]]:
    """As `snapshot`, and the detail features as text (`string[n]`), null where there is none."""
    known = priors or Priors()
    program, selection = _program(catalog), StreamSelection.of(catalog, history)
    matrix = compute(history, program, selection, timeline, keys, as_of, known.numbers)
    names, texts = pa.array(history.detail_names, pa.string()), dict[str, pa.Array]()
    for place, column in program.details:
        absent = np.isnan(matrix[:, place])
        codes = np.where(absent, 0.0, matrix[:, place]).astype(np.int32)
        texts[column] = names.take(pa.array(codes, mask=absent))
    _encode(matrix, history, program, as_of, known, None)
    return Snapshot(keys, as_of, catalog.columns, matrix), texts


def _encode(
    matrix: Matrix,
    history: History,
    program: CompiledCatalog,
    as_of: Ints,
    known: Priors,
    dated: DatedNumbers | None,
) -> None:
    """Puts places in the code book, and what is known of levels, where the history's codes of details are."""
    for place, column in program.details:
        book = known.code_book.get(column, ())
        if len(matrix) > 1:
            matrix[:, place] = _encoded(matrix[:, place], history.detail_names, book)
        elif len(matrix) and (code := matrix[0, place]) == code:  # online, one text is looked up, not all
            matrix[0, place] = _places(book).get(history.detail_names[int(code)], len(book))
    for place, column in program.levels:
        _write_levels(matrix[:, place], as_of, history.detail_names, column, known.numbers, dated)


def level_codes(
    history: History, catalog: Catalog, timeline: Timeline, keys: Ints, as_of: Ints
) -> dict[str, Ints]:
    """The details behind the level columns of the same pairs: int64[n] into the history's detail names, -1
    where there is none."""
    program = _program(catalog)
    matrix = compute(history, program, StreamSelection.of(catalog, history), timeline, keys, as_of)
    return {
        column: np.where(np.isnan(matrix[:, place]), -1.0, matrix[:, place]).astype(np.int64)
        for place, column in program.levels
    }


_PROGRAMS: WeakKeyDictionary[Catalog, CompiledCatalog] = WeakKeyDictionary()


def _program(catalog: Catalog) -> CompiledCatalog:
    """The catalogue's program, made once: online, making it would cost more than running it."""
    program = _PROGRAMS.get(catalog)
    if program is None:
        program = _PROGRAMS[catalog] = CompiledCatalog.of(catalog)
    return program


def _encoded(codes: Matrix, names: tuple[str, ...], book: tuple[str, ...]) -> Matrix:
    place = _places(book)
    numbers = np.array([*(place.get(name, len(book)) for name in names), np.nan], dtype=np.float64)
    encoded: Matrix = numbers[np.where(np.isnan(codes), len(names), codes).astype(np.int64)]
    return encoded


def _write_levels(
    codes: Matrix,
    as_of: Ints,
    names: tuple[str, ...],
    column: str,
    numbers: Mapping[str, float],
    dated: DatedNumbers | None,
) -> None:
    """Puts what is known of each detail, at the date of its row, in the place of the detail's code."""
    if len(codes) == 1:  # online
        if (code := codes[0]) == code:
            known = numbers if dated is None else dated[int(as_of[0])]
            codes[0] = known.get(level_key(column, names[int(code)]), 0.0)
        return
    rows = np.flatnonzero(~np.isnan(codes))
    places = codes[rows].astype(np.int64)
    used, places = np.unique(places, return_inverse=True)
    keys = [level_key(column, names[code]) for code in used.tolist()]
    if dated is None:
        codes[rows] = np.array([numbers.get(key, 0.0) for key in keys], dtype=np.float64)[places]
        return
    dates, at = np.unique(np.asarray(as_of)[rows], return_inverse=True)
    table = np.array([[dated[date].get(key, 0.0) for key in keys] for date in dates.tolist()])
    codes[rows] = table.reshape(len(dates), len(keys))[at, places]


@lru_cache(maxsize=1024)
def _places(book: tuple[str, ...]) -> Mapping[str, int]:
    """Where each detail stands in a code book."""
    return {name: number for number, name in enumerate(book)}

"""The feature matrix: hands a history and a catalogue to the kernel, on every core."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import numpy as np

from features import array_pool
from features.catalog.definitions import Catalog
from features.engine.compiled_catalog import CompiledCatalog, Ints, Matrix, StreamSelection
from features.engine.kernel import walk
from features.events.history import History
from features.timeline import Timeline

WORTH_A_THREAD = 30_000
"""Events and numbers of a part that pay for a thread of its own."""


def compute(
    history: History,
    program: CompiledCatalog,
    selection: StreamSelection,
    timeline: Timeline,
    keys: Ints,
    as_of: Ints,
    numbers: Mapping[str, float] | None = None,
    *,
    threads: int = 0,
) -> Matrix:
    """The features of the customers `keys` at the instants `as_of`: float64[n, f], a row for each pair.

    Detail features hold the history's own detail codes, NaN where there is none. `numbers` are what the
    population teaches (`Priors.numbers`). Rows sorted by customer are fastest. `threads` 0 takes every core;
    the numbers do not depend on it.
    """
    matrix = array_pool.empty((len(keys), len(program.empty)))
    inputs = (
        *_events(history),
        *_choices(selection),
        *_columns(program, timeline),
        program.numbers(numbers or {}),
    )
    customers = _positions(history.keys, keys)
    moments = np.ascontiguousarray(as_of, dtype=np.int64)
    _fill(history, program, customers, moments, inputs, matrix, threads)
    if program.calendar and len(moments):
        dates, of_date = (
            np.unique(moments, return_inverse=True) if len(moments) > 1 else (moments, slice(None))
        )
        said = np.array([_calendar(timeline.local(int(date)), program) for date in dates])
        matrix[:, [column for column, _ in program.calendar]] = said[of_date]
    return matrix


def _fill(
    history: History,
    program: CompiledCatalog,
    customers: Ints,
    moments: Ints,
    inputs: tuple[Any, ...],
    matrix: Matrix,
    threads: int,
) -> None:
    cores = 1 if len(customers) == 1 else threads or os.cpu_count() or 1
    if cores > 1:
        work = _work(history, customers) + len(program.columns) // 4
        cores = min(cores, int(work.sum()) // WORTH_A_THREAD)
    if cores < 2:
        walk(0, len(customers), customers, moments, *inputs, matrix)
        return
    # More parts than threads, equal in work: customers differ in their number of events.
    done = np.cumsum(work)
    cuts = np.searchsorted(done, done[-1] * np.arange(4 * cores + 1) / (4 * cores))
    cuts[-1] = len(customers)
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda a, b: walk(a, b, customers, moments, *inputs, matrix), cuts[:-1], cuts[1:]))


def _calendar(date: datetime, program: CompiledCatalog) -> list[float]:
    """What the local date says, for each calendar column."""
    said = {
        "month": date.month,
        "day": date.day,
        "weekday": date.isoweekday(),
        "day_of_year": date.timetuple().tm_yday,
    }
    return [float(said[aggregate]) for _, aggregate in program.calendar]


def _work(history: History, customers: Ints) -> Ints:
    """int64[n]: the events of each row's customer."""
    if not history.customers:
        return np.zeros(len(customers), dtype=np.int64)
    events: Ints = np.where(customers < 0, 0, np.diff(history.offsets)[np.maximum(customers, 0)])
    return events


def _positions(known: Ints, keys: Ints) -> Ints:
    """Where each key stands among the known ones, −1 where it does not."""
    if keys is known:
        return np.arange(len(keys))
    if not len(known):
        return np.full(len(keys), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, at, -1).astype(np.int64)


def _events(history: History) -> tuple[Any, ...]:
    columns = (
        history.offsets,
        history.instants,
        history.recorded,
        history.kinds,
        history.values,
        history.channels,
        history.places,
        history.details,
    )
    # The compiled code is made for writable arrays; Arrow hands out read-only ones.
    writable = (
        column
        if column.flags.writeable and column.flags.c_contiguous
        else np.require(column, None, ("C", "W"))
        for column in columns
    )
    return (*writable, (len(history.detail_names), len(history.channel_names), len(history.place_names)))


def _choices(selection: StreamSelection) -> tuple[Any, ...]:
    return (
        selection.starts,
        selection.streams,
        selection.refunds,
        selection.picky,
        selection.channels,
        selection.places,
        selection.details,
    )


def _columns(program: CompiledCatalog, timeline: Timeline) -> tuple[Any, ...]:
    return (
        program.reach,
        timeline.midnights,
        timeline.turns,
        program.amounts,
        program.starts,
        program.tiles,
        program.lanes,
        program.columns,
        program.derived,
        program.factors,
        program.empty,
    )


def warm() -> None:
    """Compiles the kernel into the cache on disk, so that no first call waits for it."""
    none, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    history = History(
        none, np.zeros(1, dtype=np.int64), none, none, codes, np.empty(0), codes, codes, codes, ()
    )
    catalog = Catalog((), (), ())
    selection = StreamSelection.of(catalog, history)
    compute(
        history, CompiledCatalog.of(catalog), selection, Timeline(), np.zeros(1, dtype=np.int64), none[:0]
    )

"""The feature matrix: evaluates a compiled catalogue over a history, on every core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import array_pool
from features.catalog.definitions import Catalog
from features.cores import available_cores
from features.engine.compiled_catalog import CompiledCatalog, Ints, Matrix, StreamSelection
from features.engine.kernel import EventArrays, LocalDays, Rows, walk
from features.events.history import History
from features.timeline import Timeline

DatedNumbers = Mapping[int, Mapping[str, float]]
"""What the population teaches (`Priors.numbers`) as of each of several dates."""
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
    dated: DatedNumbers | None = None,
    threads: int = 0,
) -> Matrix:
    """The features of the customers `keys` at the instants `as_of`: float64[n, f], a row for each pair.

    Detail features hold the history's own detail codes, NaN where there is none. `numbers` are what the
    population teaches (`Priors.numbers`); `dated`, where given, has those of each as-of date instead. Rows
    sorted by customer are fastest. `threads` 0 takes every core; the numbers do not depend on it.
    """
    matrix = array_pool.empty((len(keys), len(program.arrays.empty)))
    as_of = np.ascontiguousarray(as_of, dtype=np.int64)
    if dated is None:
        populations, learned = np.zeros(len(keys), dtype=np.int64), program.numbers(numbers or {})
    else:
        dates, populations = np.unique(as_of, return_inverse=True)
        learned = program.numbers(*(dated[date] for date in dates.tolist()))
    rows = Rows(_positions(history.keys, keys), as_of, populations)
    days = LocalDays(timeline.midnights, timeline.turns)
    events = _events(history)

    def fill(begin: int, end: int) -> None:
        walk(begin, end, rows, events, selection, program.arrays, days, learned, matrix)

    _fill(fill, history, rows.customers, len(program.arrays.columns), threads)
    if program.calendar and len(rows.moments):
        dates, of_date = (
            np.unique(rows.moments, return_inverse=True)
            if len(rows.moments) > 1
            else (rows.moments, slice(None))
        )
        values = np.array([_calendar(timeline.local(int(date)), program) for date in dates])
        matrix[:, [column for column, _ in program.calendar]] = values[of_date]
    return matrix


def _fill(
    fill: Callable[[int, int], None], history: History, customers: Ints, columns: int, threads: int
) -> None:
    """Fills all rows by calls of `fill` with parts of them, on threads where that pays."""
    cores = 1 if len(customers) == 1 else threads or available_cores()
    if cores > 1:
        work = _work(history, customers) + columns // 4
        cores = min(cores, int(work.sum()) // WORTH_A_THREAD)
    if cores < 2:
        fill(0, len(customers))
        return
    # More parts than threads, equal in work: customers differ in their number of events.
    done = np.cumsum(work)
    cuts = np.searchsorted(done, done[-1] * np.arange(4 * cores + 1) / (4 * cores))
    cuts[-1] = len(customers)
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(fill, cuts[:-1], cuts[1:]))


def _calendar(date: datetime, program: CompiledCatalog) -> list[float]:
    """The value of each calendar column at a local date."""
    values = {
        "month": date.month,
        "day": date.day,
        "weekday": date.isoweekday(),
        "day_of_year": date.timetuple().tm_yday,
    }
    return [float(values[aggregate]) for _, aggregate in program.calendar]


def _work(history: History, customers: Ints) -> Ints:
    """int64[n]: the events of each row's customer."""
    if not history.customers:
        return np.zeros(len(customers), dtype=np.int64)
    events: Ints = np.where(customers < 0, 0, np.diff(history.offsets)[np.maximum(customers, 0)])
    return events


def _positions(known: Ints, keys: Ints) -> Ints:
    """The place of each key among the known ones, which ascend; −1 where it is not among them."""
    if keys is known:
        return np.arange(len(keys))
    if len(known) < 2:  # one customer online: a fourth of the time
        return np.where(keys == known[0], 0, -1) if len(known) else np.full(len(keys), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, at, -1).astype(np.int64)


def _events(history: History) -> EventArrays:
    code_counts = (len(history.detail_names), len(history.channel_names), len(history.place_names))
    return EventArrays(
        _writable(history.offsets),
        _writable(history.instants),
        _writable(history.recorded),
        _writable(history.retracted),
        _writable(history.kinds),
        _writable(history.values),
        _writable(history.channels),
        _writable(history.places),
        _writable(history.details),
        code_counts,
    )


def _writable(column: NDArray[Any]) -> NDArray[Any]:
    """The compiled code is made for writable arrays; Arrow hands out read-only ones."""
    if column.flags.writeable and column.flags.c_contiguous:
        return column
    return np.require(column, None, ("C", "W"))


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

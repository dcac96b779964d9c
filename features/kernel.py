"""How a windowed number is computed: one pass over a customer's events, newest to oldest, for every feature.

Each event falls into the tile between two window edges of the as-of date; its streams' accumulators of
that tile take it up; running sums over the tiles then make the windows. A row costs the events of one
customer plus the features of the streams it touched. The same compiled function serves one customer
online and a hundred million events in batch, so their rows are equal bit for bit.

    Catalog ─▶ Program ───┐
                          ├─▶ _walk: for each row _tiles (events) then _windows (columns) ─▶ matrix
    History ─▶ Selection ─┘

Definitions: a standard deviation is the sample's (n − 1) and needs two values; a gap lies between
consecutive events of the stream; the most frequent detail is, among equals, the one seen last. Refunds
(kind `refund`, or a negative value where values are amounts) enter sums and nothing else.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from features.catalog import Catalog
from features.history import History
from features.program import (
    CHANNELS,
    DETAILS,
    EXTREMES,
    GAPS,
    OPERATION,
    PLACES,
    SPREAD,
    TOP,
    VALUES,
    Ints,
    Matrix,
    Program,
    Selection,
)
from features.timeline import ALWAYS, DAY, Timeline, edges

_COUNT, _SUM, _MEAN, _MIN, _MAX, _STD, _LAST = (
    OPERATION[name] for name in ("count", "sum", "mean", "min", "max", "std", "last")
)
_ACTIVE_DAYS, _DETAILS, _CHANNELS, _PLACES = (
    OPERATION[name] for name in ("active_days", "distinct_detail", "distinct_channel", "distinct_place")
)
_SINCE_LAST, _SINCE_FIRST, _GAP_MEAN, _GAP_STD, _GAP_MAX, _OVERDUE = (
    OPERATION[name]
    for name in ("days_since_last", "days_since_first", "gap_mean", "gap_std", "gap_max", "overdue")
)
_LAST_DETAIL, _TOP_DETAIL = OPERATION["last_detail"], OPERATION["top_detail"]

# Columns of the accumulators of a stream and tile: integers, numbers.
_N, _VALUED, _ACTIVE, _KINDS_OF, _BEST = 0, 1, 2, 3, 6  # 3, 4, 5: distinct details, channels, places
_TOTAL, _BACK, _LOW, _HIGH, _LATEST, _AVERAGE, _SQUARE = range(7)
# Columns of the accumulators of a stream over all history.
_NEWEST, _OLDEST, _LAST_DAY, _NEWEST_DETAIL, _GAPS, _LEADER = range(6)

_ROWS_WORTH_A_THREAD = 2_000


def compute(
    history: History,
    program: Program,
    selection: Selection,
    timeline: Timeline,
    keys: Ints,
    as_of: Ints,
    *,
    threads: int = 0,
) -> Matrix:
    """The features of the customers `keys` at the instants `as_of`: float64[n, f], a row for each pair.

    Detail features hold the history's own detail codes, NaN where there is none. Rows sorted by customer
    are fastest. `threads` 0 takes every core; the numbers do not depend on it.
    """
    matrix = np.empty((len(keys), len(program.empty)), dtype=np.float64)
    inputs = (*_events(history), *_choices(selection), *_columns(program, timeline))
    customers = _positions(history.keys, keys)
    moments = np.ascontiguousarray(as_of, dtype=np.int64)
    parts = min(threads or os.cpu_count() or 1, max(1, len(keys) // _ROWS_WORTH_A_THREAD))
    if parts == 1:
        _walk(0, len(keys), customers, moments, *inputs, matrix)
        return matrix
    # More parts than threads: customers differ in their number of events.
    cuts = [len(keys) * part // (4 * parts) for part in range(4 * parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda a, b: _walk(a, b, customers, moments, *inputs, matrix), cuts[:-1], cuts[1:]))
    return matrix


def _positions(known: Ints, keys: Ints) -> Ints:
    """Where each key stands among the known ones, −1 where it does not."""
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
    writable = (np.require(column, requirements=("C", "W")) for column in columns)
    return (*writable, len(history.detail_names), len(history.channel_names), len(history.place_names))


def _choices(selection: Selection) -> tuple[Any, ...]:
    return (
        selection.starts,
        selection.streams,
        selection.refunds,
        selection.picky,
        selection.channels,
        selection.places,
        selection.details,
    )


def _columns(program: Program, timeline: Timeline) -> tuple[Any, ...]:
    return (
        edges(0, program.windows)[1:],
        timeline.midnights,
        program.needs,
        program.amounts,
        program.starts,
        program.columns,
        program.derived,
        program.factors,
        program.empty,
    )


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    begin, end, customers, moments,
    offsets, instants, recorded, kinds, values, channels, places, details, n_details, n_channels, n_places,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    reach, midnights, needs, amounts, column_starts, columns, derived, factors, empty,
    matrix,
):  # fmt: skip
    S, K = len(needs), len(reach)
    ints = np.zeros((S, K + 1, 7), np.int64)
    floats = np.zeros((S, K + 1, 7))
    whole = np.zeros((S, 6), np.int64)
    rhythm = np.zeros((S, 3))  # mean, sum of squares and maximum of the gaps
    touched = np.empty(S, np.int64)
    is_touched = np.zeros(S, np.bool_)

    # A detail was seen in this row when its mark holds the row's number, so nothing needs wiping.
    marks = np.zeros((S, 3), np.int64)
    room = 0
    for s in range(S):
        if needs[s] & (DETAILS | TOP):
            marks[s, 0] = room
            room += n_details
        if needs[s] & CHANNELS:
            marks[s, 1] = room
            room += n_channels
        if needs[s] & PLACES:
            marks[s, 2] = room
            room += n_places
    seen = np.full(room, -1, np.int64)
    times = np.zeros(room, np.int64)
    rank = np.zeros(room, np.int64)

    for row in range(begin, end):
        matrix[row, :] = empty
        customer, as_of = customers[row], moments[row]
        if customer >= 0:
            touches = _tiles(
                row, as_of, offsets[customer], offsets[customer + 1],
                instants, recorded, kinds, values, channels, places, details,
                taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
                reach, midnights, needs, amounts,
                ints, floats, whole, rhythm, touched, is_touched, marks, seen, times, rank,
            )  # fmt: skip
            for n in range(touches):
                s = touched[n]
                is_touched[s] = False
                _windows(
                    row, s, as_of, K, needs[s], column_starts, columns, ints, floats, whole, rhythm, matrix
                )
        for d in range(len(derived)):
            first, second = matrix[row, derived[d, 2]], matrix[row, derived[d, 3]]
            if derived[d, 1] == 1:
                matrix[row, derived[d, 0]] = first - second
            else:
                quotient = first / second * factors[d] if second != 0 else math.nan
                matrix[row, derived[d, 0]] = quotient if math.isfinite(quotient) else math.nan


@numba.njit(cache=True, nogil=True)
def _tiles(  # type: ignore[no-untyped-def]
    row, as_of, first, stop,
    instants, recorded, kinds, values, channels, places, details,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    reach, midnights, needs, amounts,
    ints, floats, whole, rhythm, touched, is_touched, marks, seen, times, rank,
):  # fmt: skip
    """Takes up one customer's events before the as-of date; returns how many streams were touched."""
    K = len(reach)
    start = first
    while start < stop:  # the first event at or after the as-of date
        middle = (start + stop) // 2
        if instants[middle] < as_of:
            start = middle + 1
        else:
            stop = middle
    touches = 0
    tile = 0
    edge = as_of + reach[0] if K else ALWAYS
    day, day_start = np.int64(0), as_of
    for i in range(stop - 1, first - 1, -1):
        if len(recorded) and recorded[i] >= as_of:
            continue
        at = instants[i]
        while at < edge:
            tile += 1
            edge = as_of + reach[tile] if tile < K else ALWAYS
        if at < day_start:
            day = (at - midnights[0]) // DAY
            while midnights[day] > at:
                day -= 1
            while midnights[day + 1] <= at:
                day += 1
            day_start = midnights[day]
        kind = kinds[i]
        value = values[i] if len(values) else math.nan
        has_value = not math.isnan(value)
        for t in range(taker_starts[kind], taker_starts[kind + 1]):
            s = takers[t]
            if picky[s, 0] >= 0 and not (len(channels) and channel_allowed[picky[s, 0], channels[i]]):
                continue
            if picky[s, 1] >= 0 and not (len(places) and place_allowed[picky[s, 1], places[i]]):
                continue
            if picky[s, 2] >= 0 and not (len(details) and detail_allowed[picky[s, 2], details[i]]):
                continue
            need = needs[s]
            if not is_touched[s]:
                is_touched[s] = True
                touched[touches] = s
                touches += 1
                ints[s] = 0
                floats[s] = 0.0
                rhythm[s] = 0.0
                whole[s] = 0
                whole[s, _LEADER] = -1
                whole[s, _LAST_DAY] = -1
                whole[s, _NEWEST_DETAIL] = -1
                for k in range(K + 1):
                    ints[s, k, _BEST] = -1
                    floats[s, k, _LOW] = math.inf
                    floats[s, k, _HIGH] = -math.inf
                    floats[s, k, _LATEST] = math.nan
            number = ints[s, tile]
            if amounts[s] and (refunds[kind] or value < 0):
                if has_value:
                    floats[s, tile, _BACK] += value
                continue
            if whole[s, _LAST_DAY] < 0:  # the newest event of the stream
                whole[s, _NEWEST] = at
                if len(details):
                    whole[s, _NEWEST_DETAIL] = details[i]
            elif need & GAPS:
                gap = (whole[s, _OLDEST] - at) / DAY
                whole[s, _GAPS] += 1
                step = gap - rhythm[s, 0]
                rhythm[s, 0] += step / whole[s, _GAPS]
                rhythm[s, 1] += step * (gap - rhythm[s, 0])
                rhythm[s, 2] = max(rhythm[s, 2], gap)
            whole[s, _OLDEST] = at
            number[_N] += 1
            if whole[s, _LAST_DAY] != day:
                whole[s, _LAST_DAY] = day
                number[_ACTIVE] += 1
            if has_value:
                total = floats[s, tile]
                if math.isnan(total[_LATEST]):
                    total[_LATEST] = value
                if need & VALUES:
                    number[_VALUED] += 1
                    total[_TOTAL] += value
                if need & EXTREMES:
                    total[_LOW] = min(total[_LOW], value)
                    total[_HIGH] = max(total[_HIGH], value)
                if need & SPREAD:
                    step = value - total[_AVERAGE]
                    total[_AVERAGE] += step / number[_VALUED]
                    total[_SQUARE] += step * (value - total[_AVERAGE])
            if need & (DETAILS | TOP) and len(details) and details[i] >= 0:
                mark = marks[s, 0] + details[i]
                if seen[mark] != row:
                    seen[mark] = row
                    number[_KINDS_OF] += 1
                    times[mark] = 0
                    rank[mark] = i
                if need & TOP:
                    times[mark] += 1
                    leader = whole[s, _LEADER]
                    if (
                        leader < 0
                        or times[mark] > times[leader]
                        or (times[mark] == times[leader] and rank[mark] > rank[leader])
                    ):
                        leader = mark
                        whole[s, _LEADER] = mark
                    number[_BEST] = leader - marks[s, 0]
            if need & CHANNELS and len(channels) and channels[i] >= 0:
                mark = marks[s, 1] + channels[i]
                if seen[mark] != row:
                    seen[mark] = row
                    number[_KINDS_OF + 1] += 1
            if need & PLACES and len(places) and places[i] >= 0:
                mark = marks[s, 2] + places[i]
                if seen[mark] != row:
                    seen[mark] = row
                    number[_KINDS_OF + 2] += 1
    return touches


@numba.njit(cache=True, nogil=True)
def _windows(row, s, as_of, K, need, column_starts, columns, ints, floats, whole, rhythm, matrix):  # type: ignore[no-untyped-def]
    """Turns the tiles of a touched stream into windows, and writes the stream's columns."""
    for k in range(1, K + 1):
        here, newer, n, m = floats[s, k], floats[s, k - 1], ints[s, k], ints[s, k - 1]
        if need & SPREAD and m[_VALUED]:
            if n[_VALUED]:  # two samples joined: Chan, Golub and LeVeque (1983)
                both = n[_VALUED] + m[_VALUED]
                step = here[_AVERAGE] - newer[_AVERAGE]
                here[_SQUARE] += newer[_SQUARE] + step * step * (n[_VALUED] * m[_VALUED] / both)
                here[_AVERAGE] = newer[_AVERAGE] + step * (n[_VALUED] / both)
            else:
                here[_SQUARE], here[_AVERAGE] = newer[_SQUARE], newer[_AVERAGE]
        here[_TOTAL] += newer[_TOTAL]
        here[_BACK] += newer[_BACK]
        here[_LOW] = min(here[_LOW], newer[_LOW])
        here[_HIGH] = max(here[_HIGH], newer[_HIGH])
        if not math.isnan(newer[_LATEST]):
            here[_LATEST] = newer[_LATEST]
        if n[_BEST] < 0:
            n[_BEST] = m[_BEST]
        for column in range(_BEST):
            n[column] += m[column]

    gap_mean = rhythm[s, 0] if whole[s, _GAPS] else math.nan
    since_last = (as_of - whole[s, _NEWEST]) / DAY
    for c in range(column_starts[s], column_starts[s + 1]):
        column, operation, k = columns[c, 0], columns[c, 1], columns[c, 2]
        n, total = ints[s, k], floats[s, k]
        if operation == _COUNT:
            matrix[row, column] = n[_N]
        elif operation == _SUM:
            matrix[row, column] = total[_TOTAL] + total[_BACK]
        elif operation == _ACTIVE_DAYS:
            matrix[row, column] = n[_ACTIVE]
        elif operation == _DETAILS:
            matrix[row, column] = n[_KINDS_OF]
        elif operation == _CHANNELS:
            matrix[row, column] = n[_KINDS_OF + 1]
        elif operation == _PLACES:
            matrix[row, column] = n[_KINDS_OF + 2]
        elif n[_N] == 0:
            continue  # what the feature says without events is there already
        elif operation == _MEAN:
            if n[_VALUED]:
                matrix[row, column] = total[_TOTAL] / n[_VALUED]
        elif operation == _MIN:
            if total[_LOW] != math.inf:
                matrix[row, column] = total[_LOW]
        elif operation == _MAX:
            if total[_HIGH] != -math.inf:
                matrix[row, column] = total[_HIGH]
        elif operation == _STD:
            if n[_VALUED] > 1:
                matrix[row, column] = math.sqrt(total[_SQUARE] / (n[_VALUED] - 1))
        elif operation == _LAST:
            if not math.isnan(total[_LATEST]):
                matrix[row, column] = total[_LATEST]
        elif operation == _SINCE_LAST:
            matrix[row, column] = since_last
        elif operation == _SINCE_FIRST:
            matrix[row, column] = (as_of - whole[s, _OLDEST]) / DAY
        elif operation == _GAP_MEAN:
            if whole[s, _GAPS]:
                matrix[row, column] = gap_mean
        elif operation == _GAP_STD:
            if whole[s, _GAPS] > 1:
                matrix[row, column] = math.sqrt(rhythm[s, 1] / (whole[s, _GAPS] - 1))
        elif operation == _GAP_MAX:
            if whole[s, _GAPS]:
                matrix[row, column] = rhythm[s, 2]
        elif operation == _OVERDUE:
            if gap_mean > 0:
                matrix[row, column] = since_last / gap_mean
        elif operation == _LAST_DETAIL:
            if whole[s, _NEWEST_DETAIL] >= 0:
                matrix[row, column] = whole[s, _NEWEST_DETAIL]
        elif operation == _TOP_DETAIL and n[_BEST] >= 0:
            matrix[row, column] = n[_BEST]


def warm() -> None:
    """Compiles the kernel into the cache on disk, so that no first call waits for it."""
    none, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    history = History(
        none, np.zeros(1, dtype=np.int64), none, none, codes, np.empty(0), codes, codes, codes, ()
    )
    catalog = Catalog((), (), ())
    selection = Selection.of(catalog, history)
    compute(history, Program.of(catalog), selection, Timeline(), np.zeros(1, dtype=np.int64), none[:0])

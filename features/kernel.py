"""How a windowed number is computed: one pass over a customer's events for every feature and as-of date.

A customer's events are first laid out stream by stream, oldest to newest, with what can be known once for
all dates (distinct days, gaps so far). At an as-of date every window of a stream is then a suffix of what
lies before the date: counts and days are differences of positions, and sums, extremes and distinct
details are running accumulators, newest to oldest, read off at each window's edge. The same compiled
function serves one customer online and a hundred million events in batch, so their rows are equal bit
for bit.

    Catalog ─▶ Program ───┐
                          ├─▶ _walk: for each customer _lay_out, for each row and stream _write ─▶ matrix
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

# Integers and numbers laid out beside each event of a stream: oldest to newest, up to and with this event.
_AT, _DAY, _DAYS, _VALUED = range(4)
_VALUE, _GAP_AVERAGE, _GAP_SQUARE, _GAP_LONGEST = range(4)
# Integers and numbers of the windows of a stream, newest to oldest.
_BEGIN, _VALUES, _KINDS_OF, _BEST = 0, 1, 2, 5  # 2, 3, 4: distinct details, channels, places
_TOTAL, _LOW, _HIGH, _SQUARE = range(4)

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
    ints, numbers, source = np.empty((64, 4), np.int64), np.empty((64, 4)), np.empty(64, np.int64)
    bases, fill = np.zeros(2 * S + 1, np.int64), np.zeros(2 * S, np.int64)
    counts, amounts_of = np.zeros((K + 1, 6), np.int64), np.zeros((K + 1, 4))

    # A detail was seen in this row when its mark holds the row's number, so nothing needs wiping.
    marks = np.zeros((S, 3), np.int64)
    room = 0
    for s in range(S):
        marks[s, 0] = room
        room += n_details if needs[s] & (DETAILS | TOP) else 0
        marks[s, 1] = room
        room += n_channels if needs[s] & CHANNELS else 0
        marks[s, 2] = room
        room += n_places if needs[s] & PLACES else 0
    seen, times, rank = np.full(room, -1, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)

    laid_out, late, reached = np.int64(-1), False, ALWAYS
    for row in range(begin, end):
        matrix[row, :] = empty
        customer, as_of = customers[row], moments[row]
        if customer >= 0:
            if customer != laid_out or late or as_of > reached:
                first, stop = offsets[customer], offsets[customer + 1]
                reached = as_of
                next_row = row + 1
                while next_row < end and customers[next_row] == customer:
                    reached = max(reached, moments[next_row])
                    next_row += 1
                late = False
                if len(recorded):
                    for i in range(first, stop):
                        late |= recorded[i] > instants[i]
                if late:  # what was known depends on the date: lay out for this one alone
                    reached = as_of
                stop = _before(instants, first, stop, reached)
                room = 0
                for i in range(first, stop):
                    room += taker_starts[kinds[i] + 1] - taker_starts[kinds[i]]
                if room > len(source):
                    ints, numbers = np.empty((2 * room, 4), np.int64), np.empty((2 * room, 4))
                    source = np.empty(2 * room, np.int64)
                _lay_out(
                    first, stop, reached, late, instants, recorded, kinds, values, channels, places, details,
                    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
                    midnights, amounts, bases, fill, ints, numbers, source,
                )  # fmt: skip
                laid_out = customer
            for s in range(S):
                if bases[s] < bases[s + 1] or bases[S + s] < bases[S + s + 1]:
                    _write(
                        row, s, S, K, as_of, reach, needs, column_starts, columns, bases, ints, numbers,
                        source, channels, places, details, marks, seen, times, rank, counts, amounts_of,
                        matrix,
                    )  # fmt: skip
        for d in range(len(derived)):
            one, other = matrix[row, derived[d, 2]], matrix[row, derived[d, 3]]
            if derived[d, 1] == 1:
                matrix[row, derived[d, 0]] = one - other
            else:
                quotient = one / other * factors[d] if other != 0 else math.nan
                matrix[row, derived[d, 0]] = quotient if math.isfinite(quotient) else math.nan


@numba.njit(cache=True, nogil=True)
def _before(instants, first, stop, edge):  # type: ignore[no-untyped-def]
    """Where the events at or after the edge begin."""
    while first < stop:
        middle = (first + stop) // 2
        if instants[middle] < edge:
            first = middle + 1
        else:
            stop = middle
    return first


@numba.njit(cache=True, nogil=True)
def _lay_out(  # type: ignore[no-untyped-def]
    first, stop, as_of, late, instants, recorded, kinds, values, channels, places, details,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    midnights, amounts, bases, fill, ints, numbers, source,
):  # fmt: skip
    """Lays one customer's events out by stream; refunds of stream s as those of stream S + s."""
    S = len(amounts)
    for turn in range(2):  # the first counts, the second fills
        if turn == 0:
            fill[:] = 0
        else:
            bases[0] = 0
            for s in range(2 * S):
                bases[s + 1] = bases[s] + fill[s]
                fill[s] = bases[s]
        day, day_end = np.int64(0), ALWAYS
        for i in range(first, stop):
            if late and recorded[i] >= as_of:
                continue
            at, kind = instants[i], kinds[i]
            value = values[i] if len(values) else math.nan
            if turn == 1 and at >= day_end:
                day = (at - midnights[0]) // DAY
                while midnights[day] > at:
                    day -= 1
                while midnights[day + 1] <= at:
                    day += 1
                day_end = midnights[day + 1]
            for t in range(taker_starts[kind], taker_starts[kind + 1]):
                s = takers[t]
                if picky[s, 0] >= 0 and not (len(channels) and channel_allowed[picky[s, 0], channels[i]]):
                    continue
                if picky[s, 1] >= 0 and not (len(places) and place_allowed[picky[s, 1], places[i]]):
                    continue
                if picky[s, 2] >= 0 and not (len(details) and detail_allowed[picky[s, 2], details[i]]):
                    continue
                if amounts[s] and (refunds[kind] or value < 0):
                    s += S
                p = fill[s]
                fill[s] += 1
                if turn == 0:
                    continue
                ints[p, _AT], ints[p, _DAY], numbers[p, _VALUE], source[p] = at, day, value, i
                here = 0 if math.isnan(value) else 1
                n = p - bases[s]
                if n == 0:
                    ints[p, _DAYS], ints[p, _VALUED] = 1, p if here else -1
                    numbers[p, _GAP_AVERAGE] = numbers[p, _GAP_SQUARE] = numbers[p, _GAP_LONGEST] = 0.0
                else:
                    gap = (at - ints[p - 1, _AT]) / DAY
                    step = gap - numbers[p - 1, _GAP_AVERAGE]
                    average = numbers[p - 1, _GAP_AVERAGE] + step / n
                    numbers[p, _GAP_AVERAGE] = average
                    numbers[p, _GAP_SQUARE] = numbers[p - 1, _GAP_SQUARE] + step * (gap - average)
                    numbers[p, _GAP_LONGEST] = max(gap, numbers[p - 1, _GAP_LONGEST])
                    ints[p, _DAYS] = ints[p - 1, _DAYS] + (ints[p - 1, _DAY] != day)
                    ints[p, _VALUED] = p if here else ints[p - 1, _VALUED]


@numba.njit(cache=True, nogil=True)
def _write(  # type: ignore[no-untyped-def]
    row, s, S, K, as_of, reach, needs, column_starts, columns, bases, ints, numbers,
    source, channels, places, details, marks, seen, times, rank, counts, amounts_of, matrix,
):  # fmt: skip
    """Writes a stream's columns of one row; where there is nothing to say, `empty` stands already."""
    need = needs[s]
    first, stop = bases[s], bases[s + 1]
    while stop > first and ints[stop - 1, _AT] >= as_of:
        stop -= 1
    p = stop
    for k in range(K):
        edge = as_of + reach[k]
        while p > first and ints[p - 1, _AT] >= edge:
            p -= 1
        counts[k, _BEGIN] = p
    counts[K, _BEGIN] = first

    if need & VALUES:
        total, valued, p = 0.0, 0, stop
        for k in range(K + 1):
            while p > counts[k, _BEGIN]:
                p -= 1
                if not math.isnan(numbers[p, _VALUE]):
                    total += numbers[p, _VALUE]
                    valued += 1
            amounts_of[k, _TOTAL], counts[k, _VALUES] = total, valued
    if need & EXTREMES:
        low, high, p = math.inf, -math.inf, stop
        for k in range(K + 1):
            while p > counts[k, _BEGIN]:
                p -= 1
                low, high = min(low, numbers[p, _VALUE]), max(high, numbers[p, _VALUE])
            amounts_of[k, _LOW], amounts_of[k, _HIGH] = low, high
    if need & SPREAD:  # Welford (1962)
        average, square, valued, p = 0.0, 0.0, 0, stop
        for k in range(K + 1):
            while p > counts[k, _BEGIN]:
                p -= 1
                if not math.isnan(numbers[p, _VALUE]):
                    valued += 1
                    step = numbers[p, _VALUE] - average
                    average += step / valued
                    square += step * (numbers[p, _VALUE] - average)
            amounts_of[k, _SQUARE] = square
    if need & (DETAILS | TOP):
        _distinct(row, stop, K, 0, details, marks[s, 0], source, seen, counts)
    if need & TOP:
        _most_frequent(stop, K, details, marks[s, 0], source, times, rank, counts)
    if need & CHANNELS:
        _distinct(row, stop, K, 1, channels, marks[s, 1], source, seen, counts)
    if need & PLACES:
        _distinct(row, stop, K, 2, places, marks[s, 2], source, seen, counts)

    last = stop - 1
    for c in range(column_starts[s], column_starts[s + 1]):
        column, operation, k = columns[c, 0], columns[c, 1], columns[c, 2]
        n = stop - counts[k, _BEGIN]
        if operation == _SUM:
            matrix[row, column] = amounts_of[k, _TOTAL]
        elif n == 0:
            continue
        elif operation == _COUNT:
            matrix[row, column] = n
        elif operation == _ACTIVE_DAYS:
            matrix[row, column] = ints[last, _DAYS] - ints[counts[k, _BEGIN], _DAYS] + 1
        elif operation == _DETAILS:
            matrix[row, column] = counts[k, _KINDS_OF]
        elif operation == _CHANNELS:
            matrix[row, column] = counts[k, _KINDS_OF + 1]
        elif operation == _PLACES:
            matrix[row, column] = counts[k, _KINDS_OF + 2]
        elif operation == _MEAN:
            if counts[k, _VALUES]:
                matrix[row, column] = amounts_of[k, _TOTAL] / counts[k, _VALUES]
        elif operation == _MIN:
            if amounts_of[k, _LOW] != math.inf:
                matrix[row, column] = amounts_of[k, _LOW]
        elif operation == _MAX:
            if amounts_of[k, _HIGH] != -math.inf:
                matrix[row, column] = amounts_of[k, _HIGH]
        elif operation == _STD:
            if counts[k, _VALUES] > 1:
                matrix[row, column] = math.sqrt(amounts_of[k, _SQUARE] / (counts[k, _VALUES] - 1))
        elif operation == _LAST:
            if ints[last, _VALUED] >= counts[k, _BEGIN]:
                matrix[row, column] = numbers[ints[last, _VALUED], _VALUE]
        elif operation == _SINCE_LAST:
            matrix[row, column] = (as_of - ints[last, _AT]) / DAY
        elif operation == _SINCE_FIRST:
            matrix[row, column] = (as_of - ints[first, _AT]) / DAY
        elif operation == _LAST_DETAIL:
            if len(details) and details[source[last]] >= 0:
                matrix[row, column] = details[source[last]]
        elif operation == _TOP_DETAIL:
            if counts[k, _BEST] >= 0:
                matrix[row, column] = counts[k, _BEST]
        elif n > 1:  # the rhythm needs a gap
            if operation == _GAP_MEAN:
                matrix[row, column] = numbers[last, _GAP_AVERAGE]
            elif operation == _GAP_MAX:
                matrix[row, column] = numbers[last, _GAP_LONGEST]
            elif operation == _GAP_STD and n > 2:
                matrix[row, column] = math.sqrt(numbers[last, _GAP_SQUARE] / (n - 2))
            elif operation == _OVERDUE and numbers[last, _GAP_AVERAGE] > 0:
                matrix[row, column] = (as_of - ints[last, _AT]) / DAY / numbers[last, _GAP_AVERAGE]

    if bases[S + s] < bases[S + s + 1]:
        _take_back(row, s, S, as_of, reach, column_starts, columns, bases, ints, numbers, matrix)


@numba.njit(cache=True, nogil=True)
def _distinct(row, stop, K, field, codes, mark, source, seen, counts):  # type: ignore[no-untyped-def]
    """How many different codes each window holds."""
    n, p = 0, stop
    for k in range(K + 1):
        if len(codes):
            while p > counts[k, _BEGIN]:
                p -= 1
                code = codes[source[p]]
                if code >= 0 and seen[mark + code] != row:
                    seen[mark + code] = row
                    n += 1
        counts[k, _KINDS_OF + field] = n


@numba.njit(cache=True, nogil=True)
def _most_frequent(stop, K, details, mark, source, times, rank, counts):  # type: ignore[no-untyped-def]
    """The most frequent detail of each window; among equals the one seen last."""
    for p in range(counts[K, _BEGIN], stop if len(details) else 0):
        if details[source[p]] >= 0:
            times[mark + details[source[p]]] = 0
            rank[mark + details[source[p]]] = p
    best, p = np.int64(-1), stop
    for k in range(K + 1):
        if len(details):
            while p > counts[k, _BEGIN]:
                p -= 1
                code = details[source[p]]
                if code >= 0:
                    times[mark + code] += 1
                    ahead = 1 if best < 0 else times[mark + code] - times[mark + best]
                    if ahead > 0 or (ahead == 0 and rank[mark + code] > rank[mark + best]):
                        best = np.int64(code)
        counts[k, _BEST] = best


@numba.njit(cache=True, nogil=True)
def _take_back(row, s, S, as_of, reach, column_starts, columns, bases, ints, numbers, matrix):  # type: ignore[no-untyped-def]
    """Adds the refunds of each window to its sum."""
    for c in range(column_starts[s], column_starts[s + 1]):
        if columns[c, 1] == _SUM:
            k, back = columns[c, 2], 0.0
            for p in range(bases[S + s + 1] - 1, bases[S + s] - 1, -1):
                inside = k == len(reach) or ints[p, _AT] >= as_of + reach[k]
                if inside and ints[p, _AT] < as_of and not math.isnan(numbers[p, _VALUE]):
                    back += numbers[p, _VALUE]
            matrix[row, columns[c, 0]] += back


def warm() -> None:
    """Compiles the kernel into the cache on disk, so that no first call waits for it."""
    none, codes = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    history = History(
        none, np.zeros(1, dtype=np.int64), none, none, codes, np.empty(0), codes, codes, codes, ()
    )
    catalog = Catalog((), (), ())
    selection = Selection.of(catalog, history)
    compute(history, Program.of(catalog), selection, Timeline(), np.zeros(1, dtype=np.int64), none[:0])

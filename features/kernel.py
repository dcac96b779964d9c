"""How a windowed number is computed: one pass over a customer's events for every feature and as-of date.

A customer's events are first laid out stream by stream, oldest to newest, with what can be known once for
all dates (distinct days, gaps so far). At an as-of date every window of a stream is then a suffix of what
lies before the date: counts and days are differences of positions, and sums, extremes and distinct
details are running accumulators, newest to oldest, read off at each window's edge. The same compiled
function serves one customer online and a hundred million events in batch, so their rows are equal bit
for bit.

    Catalog ─▶ Program ───┐
                          ├─▶ walk: block by block _lay_out (customers), _write (rows) ─▶ matrix
    History ─▶ Selection ─┘

Definitions: a standard deviation is the sample's (n − 1) and needs two values; a gap lies between
consecutive events of the stream; the most frequent detail is, among equals, the one seen last. Refunds
(kind `refund`, or a negative value where values are amounts) enter sums and nothing else.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from features.history import MISSING
from features.program import (
    DETAILS,
    EXTREMES,
    OPERATION,
    RHYTHM,
    SPREAD,
    TOP,
    VALUES,
)
from features.timeline import ALWAYS, DAY

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

# Of a layout: which customer it shows, up to which instant.
_CUSTOMER, _UNTIL, _LATE = range(3)
# Of an event laid out: its instant, and the distinct days of its stream up to and with it.
_AT, _DAYS = range(2)
# Of an event laid out: its value; mean, sum of squares and longest of the gaps up to and with it.
_VALUE, _AVERAGE, _SQUARES, _LONGEST = range(4)
# Of a window: where it begins, how many values, how many different codes, the most frequent detail.
_BEGIN, _VALUED, _DIFFERENT, _BEST = 0, 1, 2, 5  # 2, 3, 4: details, channels, places
# Of a window: sum, extremes, sum of squares.
_TOTAL, _LOW, _HIGH, _SQUARE = range(4)

_ROWS_OF_A_BLOCK, _EVENTS_OF_A_BLOCK = 256, 4_096
"""Rows are taken in blocks that fit the processor's cache."""


# Compiled functions take whole blocks: handing an array over costs two atomic counts each time.


@numba.njit(cache=True, nogil=True)
def walk(  # type: ignore[no-untyped-def]
    begin, end, customers, moments,
    offsets, instants, recorded, kinds, values, channels, places, details, n_details, n_channels, n_places,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    reach, midnights, needs, amounts, column_starts, columns, derived, factors, empty,
    matrix,
):  # fmt: skip
    """Fills the rows `begin` to `end`, block by block."""
    S = len(needs)
    marks = np.zeros((S, 3), np.int64)
    sizes, room = (n_details, n_channels, n_places), 0
    for s in range(S):
        for field in range(3):
            marks[s, field] = room
            room += sizes[field] if needs[s] & (DETAILS << field) else 0
    # A code was seen in this row when its mark holds the row's number, so nothing needs wiping.
    seen, times, rank = np.full(room, -1, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int64)
    most = 0
    for kind in range(len(refunds)):
        most = max(most, taker_starts[kind + 1] - taker_starts[kind])

    layouts = np.empty((_ROWS_OF_A_BLOCK, 3), np.int64)
    layout_of = np.empty(_ROWS_OF_A_BLOCK, np.int64)
    bounds = np.zeros((_ROWS_OF_A_BLOCK, 2 * S, 2), np.int64)
    ints, numbers, codes = np.empty((64, 2), np.int64), np.empty((64, 4)), np.empty((64, 3), np.int32)
    while begin < end:
        stop, shown, held = _block(
            begin, end, customers, moments, offsets, instants, recorded, layouts, layout_of
        )
        if 2 * most * held > len(ints):
            room = 4 * most * held
            ints, numbers, codes = (
                np.empty((room, 2), np.int64),
                np.empty((room, 4)),
                np.empty((room, 3), np.int32),
            )
        _lay_out(
            shown, layouts, offsets, instants, recorded, kinds, values, channels, places, details,
            taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
            midnights, needs, amounts, bounds, ints, numbers, codes,
        )  # fmt: skip
        _write(
            begin, stop, moments, layout_of, reach, needs, column_starts, columns, derived, factors, empty,
            bounds, ints, numbers, codes, marks, seen, times, rank, matrix,
        )  # fmt: skip
        begin = stop


@numba.njit(cache=True, nogil=True)
def _block(begin, end, customers, moments, offsets, instants, recorded, layouts, layout_of):  # type: ignore[no-untyped-def]
    """Where the block that starts at `begin` ends, how many layouts its rows share, and their events.

    Rows of one customer that follow each other share a layout up to their latest date, unless an event was
    recorded after it occurred: what was known then depends on the date.
    """
    shown, held, row = 0, 0, begin
    while row < end and row - begin < _ROWS_OF_A_BLOCK:
        customer = customers[row]
        if customer < 0:
            layout_of[row - begin] = -1
            row += 1
            continue
        first, stop = offsets[customer], offsets[customer + 1]
        if held and held + stop - first > _EVENTS_OF_A_BLOCK:
            break
        late = False
        if len(recorded):
            for i in range(first, stop):
                late |= recorded[i] > instants[i]
        layouts[shown, _CUSTOMER], layouts[shown, _UNTIL], layouts[shown, _LATE] = (
            customer,
            moments[row],
            late,
        )
        held += stop - first
        layout_of[row - begin] = shown
        row += 1
        while not late and row < end and row - begin < _ROWS_OF_A_BLOCK and customers[row] == customer:
            layouts[shown, _UNTIL] = max(layouts[shown, _UNTIL], moments[row])
            layout_of[row - begin] = shown
            row += 1
        shown += 1
    return row, shown, held


@numba.njit(cache=True, nogil=True)
def _lay_out(  # type: ignore[no-untyped-def]
    shown, layouts, offsets, instants, recorded, kinds, values, channels, places, details,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    midnights, needs, amounts, bounds, ints, numbers, codes,
):  # fmt: skip
    """Lays events out by stream, oldest to newest; refunds of stream s as those of stream S + s."""
    S = len(needs)
    has_values, has_details, has_channels, has_places = len(values), len(details), len(channels), len(places)
    of_kind, today = np.zeros(len(refunds), np.int64), np.zeros(2 * S, np.int64)
    room = 0
    for layout in range(shown):
        customer, until, late = layouts[layout, _CUSTOMER], layouts[layout, _UNTIL], layouts[layout, _LATE]
        first, stop = offsets[customer], offsets[customer + 1]
        while first < stop:  # the first event at or after the date
            middle = (first + stop) // 2
            if instants[middle] < until:
                first = middle + 1
            else:
                stop = middle
        first = offsets[customer]
        for i in range(first, stop):
            of_kind[kinds[i]] += 1
        for s in range(2 * S):
            bounds[layout, s, 1] = 0
            today[s] = -1
        for kind in range(len(of_kind)):
            for t in range(taker_starts[kind], taker_starts[kind + 1]):
                bounds[layout, takers[t], 1] += of_kind[kind]
                bounds[layout, S + takers[t], 1] += of_kind[kind] if amounts[takers[t]] else 0
            of_kind[kind] = 0
        for s in range(2 * S):
            bounds[layout, s, 0] = room
            room += bounds[layout, s, 1]
            bounds[layout, s, 1] = bounds[layout, s, 0]
        day, day_end = np.int64(0), ALWAYS
        for i in range(first, stop):
            if late and recorded[i] >= until:
                continue
            at, kind = instants[i], kinds[i]
            value = values[i] if has_values else math.nan
            if at >= day_end:
                day = (at - midnights[0]) // DAY
                while midnights[day] > at:
                    day -= 1
                while midnights[day + 1] <= at:
                    day += 1
                day_end = midnights[day + 1]
            for t in range(taker_starts[kind], taker_starts[kind + 1]):
                s = takers[t]
                if picky[s, 0] >= 0 and not (has_channels and channel_allowed[picky[s, 0], channels[i]]):
                    continue
                if picky[s, 1] >= 0 and not (has_places and place_allowed[picky[s, 1], places[i]]):
                    continue
                if picky[s, 2] >= 0 and not (has_details and detail_allowed[picky[s, 2], details[i]]):
                    continue
                need = needs[s]
                if amounts[s] and (refunds[kind] or value < 0):
                    s += S
                    need = 0
                p = bounds[layout, s, 1]
                n = p - bounds[layout, s, 0]
                bounds[layout, s, 1] = p + 1
                ints[p, _AT] = at
                ints[p, _DAYS] = (ints[p - 1, _DAYS] if n else 0) + (today[s] != day)
                today[s] = day
                numbers[p, _VALUE] = value
                codes[p, 0] = details[i] if has_details else MISSING
                codes[p, 1] = channels[i] if has_channels else MISSING
                codes[p, 2] = places[i] if has_places else MISSING
                if need & RHYTHM:
                    if n == 0:
                        numbers[p, _AVERAGE] = numbers[p, _SQUARES] = numbers[p, _LONGEST] = 0.0
                    else:
                        gap = (at - ints[p - 1, _AT]) / DAY
                        step = gap - numbers[p - 1, _AVERAGE]
                        average = numbers[p - 1, _AVERAGE] + step / n
                        numbers[p, _AVERAGE] = average
                        numbers[p, _SQUARES] = numbers[p - 1, _SQUARES] + step * (gap - average)
                        numbers[p, _LONGEST] = max(gap, numbers[p - 1, _LONGEST])


@numba.njit(cache=True, nogil=True)
def _write(  # type: ignore[no-untyped-def]
    begin, end, moments, layout_of, reach, needs, column_starts, columns, derived, factors, empty,
    bounds, ints, numbers, codes, marks, seen, times, rank, matrix,
):  # fmt: skip
    """Writes rows; where a feature has nothing to say, `empty` stands already."""
    S, K = len(needs), len(reach)
    windows, totals = np.zeros((K + 1, 6), np.int64), np.zeros((K + 1, 4))
    for row in range(begin, end):
        for column in range(len(empty)):
            matrix[row, column] = empty[column]
        layout, as_of = layout_of[row - begin], moments[row]
        for s in range(S if layout >= 0 else 0):
            first, stop, need = bounds[layout, s, 0], bounds[layout, s, 1], needs[s]
            back, back_stop = bounds[layout, S + s, 0], bounds[layout, S + s, 1]
            if first == stop and back == back_stop:
                continue
            while stop > first and ints[stop - 1, _AT] >= as_of:
                stop -= 1
            p = stop
            for k in range(K):
                edge = as_of + reach[k]
                while p > first and ints[p - 1, _AT] >= edge:
                    p -= 1
                windows[k, _BEGIN] = p
            windows[K, _BEGIN] = first

            if need & VALUES:
                total, valued, p = 0.0, 0, stop
                for k in range(K + 1):
                    while p > windows[k, _BEGIN]:
                        p -= 1
                        if not math.isnan(numbers[p, _VALUE]):
                            total += numbers[p, _VALUE]
                            valued += 1
                    totals[k, _TOTAL], windows[k, _VALUED] = total, valued
            if need & EXTREMES:
                low, high, p = math.inf, -math.inf, stop
                for k in range(K + 1):
                    while p > windows[k, _BEGIN]:
                        p -= 1
                        low, high = min(low, numbers[p, _VALUE]), max(high, numbers[p, _VALUE])
                    totals[k, _LOW], totals[k, _HIGH] = low, high
            if need & SPREAD:  # Welford (1962)
                average, square, valued, p = 0.0, 0.0, 0, stop
                for k in range(K + 1):
                    while p > windows[k, _BEGIN]:
                        p -= 1
                        if not math.isnan(numbers[p, _VALUE]):
                            valued += 1
                            step = numbers[p, _VALUE] - average
                            average += step / valued
                            square += step * (numbers[p, _VALUE] - average)
                    totals[k, _SQUARE] = square
            for field in range(3):
                if need & (DETAILS << field):
                    mark, n, p = marks[s, field], 0, stop
                    best = np.int64(-1)
                    for k in range(K + 1):
                        while p > windows[k, _BEGIN]:
                            p -= 1
                            code = codes[p, field]
                            if code < 0:
                                continue
                            if seen[mark + code] != row:
                                seen[mark + code] = row
                                times[mark + code] = 0
                                rank[mark + code] = -n
                                n += 1
                            if field == 0 and need & TOP:
                                times[mark + code] += 1
                                ahead = 1 if best < 0 else times[mark + code] - times[mark + best]
                                if ahead > 0 or (ahead == 0 and rank[mark + code] > rank[mark + best]):
                                    best = np.int64(code)
                        windows[k, _DIFFERENT + field] = n
                        if field == 0:
                            windows[k, _BEST] = best

            last = stop - 1
            for c in range(column_starts[s], column_starts[s + 1]):
                column, operation, k = columns[c, 0], columns[c, 1], columns[c, 2]
                n = stop - windows[k, _BEGIN]
                if operation == _SUM:
                    total = totals[k, _TOTAL]
                    for p in range(back_stop - 1, back - 1, -1):
                        inside = k == K or ints[p, _AT] >= as_of + reach[k]
                        if inside and ints[p, _AT] < as_of and not math.isnan(numbers[p, _VALUE]):
                            total += numbers[p, _VALUE]
                    matrix[row, column] = total
                elif n == 0:
                    continue
                elif operation == _COUNT:
                    matrix[row, column] = n
                elif operation == _ACTIVE_DAYS:
                    matrix[row, column] = ints[last, _DAYS] - ints[windows[k, _BEGIN], _DAYS] + 1
                elif operation == _DETAILS:
                    matrix[row, column] = windows[k, _DIFFERENT]
                elif operation == _CHANNELS:
                    matrix[row, column] = windows[k, _DIFFERENT + 1]
                elif operation == _PLACES:
                    matrix[row, column] = windows[k, _DIFFERENT + 2]
                elif operation == _MEAN:
                    if windows[k, _VALUED]:
                        matrix[row, column] = totals[k, _TOTAL] / windows[k, _VALUED]
                elif operation == _MIN:
                    if totals[k, _LOW] != math.inf:
                        matrix[row, column] = totals[k, _LOW]
                elif operation == _MAX:
                    if totals[k, _HIGH] != -math.inf:
                        matrix[row, column] = totals[k, _HIGH]
                elif operation == _STD:
                    if windows[k, _VALUED] > 1:
                        matrix[row, column] = math.sqrt(totals[k, _SQUARE] / (windows[k, _VALUED] - 1))
                elif operation == _LAST:
                    p = last
                    while p > windows[k, _BEGIN] and math.isnan(numbers[p, _VALUE]):
                        p -= 1
                    if not math.isnan(numbers[p, _VALUE]):
                        matrix[row, column] = numbers[p, _VALUE]
                elif operation == _SINCE_LAST:
                    matrix[row, column] = (as_of - ints[last, _AT]) / DAY
                elif operation == _SINCE_FIRST:
                    matrix[row, column] = (as_of - ints[first, _AT]) / DAY
                elif operation == _LAST_DETAIL:
                    if codes[last, 0] >= 0:
                        matrix[row, column] = codes[last, 0]
                elif operation == _TOP_DETAIL:
                    if windows[k, _BEST] >= 0:
                        matrix[row, column] = windows[k, _BEST]
                elif n > 1:  # the rhythm needs a gap
                    gap = (ints[last, _AT] - ints[first, _AT]) / DAY / (n - 1)
                    if operation == _GAP_MEAN:
                        matrix[row, column] = gap
                    elif operation == _GAP_MAX:
                        matrix[row, column] = numbers[last, _LONGEST]
                    elif operation == _GAP_STD and n > 2:
                        matrix[row, column] = math.sqrt(numbers[last, _SQUARES] / (n - 2))
                    elif operation == _OVERDUE and gap > 0:
                        matrix[row, column] = (as_of - ints[last, _AT]) / DAY / gap

        for d in range(len(derived)):
            one, other = matrix[row, derived[d, 2]], matrix[row, derived[d, 3]]
            if derived[d, 1] == 1:
                matrix[row, derived[d, 0]] = one - other
            else:
                quotient = one / other * factors[d] if other != 0 else math.nan
                matrix[row, derived[d, 0]] = quotient if math.isfinite(quotient) else math.nan

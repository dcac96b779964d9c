"""How a windowed number is computed: one pass over a customer's events for every feature and as-of date.

A customer's events are first laid out stream by stream, oldest to newest, once for all as-of dates. At a
date every window of a stream is then a suffix of what lies before the date: counts, days and gaps follow from
where it begins, and sums, extremes and different details are running accumulators, newest to oldest, read
off at each window's edge. The same compiled function serves one customer online and a hundred million
events in batch, so their rows are equal bit for bit.

    Catalog ─▶ Program ───┐
                          ├─▶ walk: block by block _lay_out, _find_edges, _say_… ─▶ matrix
    History ─▶ Selection ─┘

A family of aggregates shares one walk over a stream's events: `_FAMILIES` says which belong together, and
the function of that name writes them. What is compiled stands in this one file, as the compiler's cache on
disk looks at no other.

Definitions: a standard deviation is the sample's (n − 1) and needs two values; a gap lies between
consecutive events of the window; the most frequent detail is, among equals, the one seen last; hours and
weekdays are the local clock's. Refunds (kind `refund`, or a negative value where values are amounts) enter
sums and nothing else.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from features.history import MISSING
from features.timeline import ALWAYS, DAY

_FAMILIES = {
    "tiles": (
        "count", "active_days", "sum", "mean", "min", "max", "distinct_detail", "distinct_channel",
        "distinct_place",
    ),
    "positions": (
        "days_since_last", "days_since_first", "gap_mean", "gap_std", "gap_max", "overdue",
        "overdue_smoothed", "silence", "std", "last", "last_detail",
    ),
    "frequencies": ("top_detail", "top_detail_share"),
    "clock": (
        "share_night", "share_morning", "share_afternoon", "share_evening", "share_monday", "share_tuesday",
        "share_wednesday", "share_thursday", "share_friday", "share_saturday", "share_sunday",
        "share_weekend",
    ),
}  # fmt: skip
OPERATIONS = {
    name: (family, operation)
    for family, names in enumerate(_FAMILIES.values())
    for operation, name in enumerate(names)
}
"""The family of an aggregate and its number there."""
FAMILIES = len(_FAMILIES)
NUMBERS = ("gap_mean", "gap_weight", "mbg_r", "mbg_alpha", "mbg_a", "mbg_b")
"""What a population teaches about a stream, in the order of the kernel's columns."""
DERIVED = ("ratio", "difference", "trend", "share")

_TILES, _POSITIONS, _FREQUENCIES, _CLOCK = range(FAMILIES)
_COUNT, _ACTIVE_DAYS, _SUM, _MEAN, _MIN, _MAX, _DETAILS, _CHANNELS, _PLACES = range(len(_FAMILIES["tiles"]))
_SLOTS = len(_FAMILIES["tiles"])
(
    _SINCE_LAST, _SINCE_FIRST, _GAP_MEAN, _GAP_STD, _GAP_MAX, _OVERDUE, _OVERDUE_SMOOTHED, _SILENCE,
    _STD, _LAST, _LAST_DETAIL,
) = range(len(_FAMILIES["positions"]))  # fmt: skip
_TOP_DETAIL_SHARE = _FAMILIES["frequencies"].index("top_detail_share")
_DIFFERENCE = DERIVED.index("difference")

# Of a layout: which customer it shows, up to which instant, whether something was recorded late.
_CUSTOMER, _UNTIL, _LATE = range(3)
_U = np.uintp
"""An unsigned place in an array: the compiled code need not look whether it counts from the end."""
_ROWS_OF_A_BLOCK, _EVENTS_OF_A_BLOCK = 64, 4_096
"""Rows are taken in blocks that fit the processor's cache."""


_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
# Compiled functions take whole blocks: handing an array over costs two atomic counts each time.


@_compiled
def walk(  # type: ignore[no-untyped-def]
    begin, end, customers, moments,
    offsets, instants, recorded, kinds, values, channels, places, details, sizes,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    reach, midnights, turns, amounts, starts, columns, derived, factors, empty, numbers,
    matrix,
):  # fmt: skip
    """Fills the rows `begin` to `end`, block by block."""
    S, K = len(amounts), len(reach)
    # A code was seen in a row and stream when its mark holds their stamp, so nothing needs wiping.
    stamp, seen_details, seen_channels, seen_places = (
        0, np.zeros(sizes[0], np.int64), np.zeros(sizes[1], np.int64), np.zeros(sizes[2], np.int64),
    )  # fmt: skip
    times, rank = np.empty(sizes[0], np.int64), np.empty(sizes[0], np.int64)
    most = 0
    for kind in range(len(refunds)):
        room = 0
        for t in range(taker_starts[kind], taker_starts[kind + 1]):
            room += 2 if amounts[takers[t]] else 1
        most = max(most, room)

    rows = min(_ROWS_OF_A_BLOCK, end - begin)
    layouts, layout_of = np.empty((rows, 3), np.int64), np.empty(rows, np.int64)
    bounds, edges = np.empty((rows, 2 * S, 2), np.int64), np.empty((rows, S, K + 2), np.int64)
    room = 0
    at, days, src = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uintp)
    while begin < end:
        stop, shown, held = _block(
            begin, end, customers, moments, offsets, instants, recorded, layouts, layout_of
        )
        if most * held > room:
            room = most * held + min(most * held, 1 << 20)
            at, days, src = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uintp)
        _lay_out(
            shown, layouts, offsets, instants, recorded, kinds, values, channels, places, details,
            taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
            midnights, amounts, bounds, at, days, src,
        )  # fmt: skip
        stamp = _say_tiles(
            begin, stop, moments, layout_of, reach, bounds, at, days, src, values, channels, places, details,
            starts, columns, empty, seen_channels, seen_places, seen_details, stamp, edges, matrix,
        )  # fmt: skip
        _say_positions(
            begin, stop, moments, edges, at, days, src, values, details, starts, columns, numbers, matrix
        )
        stamp = _say_frequencies(
            begin, stop, details, edges, src, starts, columns, seen_details, times, rank, stamp, matrix
        )
        _say_clock(begin, stop, edges, at, midnights, turns, starts, columns, matrix)
        _derive(begin, stop, derived, factors, matrix)
        begin = stop


@_compiled
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


@_compiled
def _lay_out(  # type: ignore[no-untyped-def]
    shown, layouts, offsets, instants, recorded, kinds, values, channels, places, details,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    midnights, amounts, bounds, at, days, src,
):  # fmt: skip
    """Lays events out by stream, oldest to newest; refunds of stream s as those of stream S + s.

    Of an event laid out: its instant, the distinct days of its stream up to and with it, and its place in
    the history.
    """
    S = len(amounts)
    has_values, has_details, has_channels, has_places = len(values), len(details), len(channels), len(places)
    of_kind, chooses = np.zeros(len(refunds), np.int64), np.zeros(S, np.bool_)
    # Of a stream: where its next event goes, its distinct days so far, and the day of its last event.
    free, held, today = np.empty(2 * S, np.int64), np.empty(2 * S, np.int64), np.empty(2 * S, np.int64)
    for s in range(S):
        chooses[s] = picky[s, 0] >= 0 or picky[s, 1] >= 0 or picky[s, 2] >= 0
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
        for i in range(_U(first), _U(stop)):
            of_kind[_U(kinds[i])] += 1
        for s in range(2 * S):
            bounds[layout, s, 1] = held[s] = 0
            today[s] = -1
        for kind in range(len(of_kind)):
            if of_kind[kind] == 0:
                continue
            for t in range(taker_starts[kind], taker_starts[kind + 1]):
                bounds[layout, takers[t], 1] += of_kind[kind]
                bounds[layout, S + takers[t], 1] += of_kind[kind] if amounts[takers[t]] else 0
            of_kind[kind] = 0
        for s in range(2 * S):
            bounds[layout, s, 0] = free[s] = room
            room += bounds[layout, s, 1]
        for i in range(_U(first), _U(stop)):
            if late and recorded[i] >= until:
                continue
            moment, own = instants[i], _U(kinds[i])
            day = (moment - midnights[0]) // DAY
            while midnights[_U(day)] > moment:
                day -= 1
            while midnights[_U(day + 1)] <= moment:
                day += 1
            takes_back = refunds[own] | (has_values and values[i] < 0)
            for t in range(_U(taker_starts[own]), _U(taker_starts[own + _U(1)])):
                stream = _U(takers[t])
                if chooses[stream]:
                    if picky[stream, 0] >= 0 and not (
                        has_channels and channel_allowed[picky[stream, 0], channels[i]]
                    ):
                        continue
                    if picky[stream, 1] >= 0 and not (
                        has_places and place_allowed[picky[stream, 1], places[i]]
                    ):
                        continue
                    if picky[stream, 2] >= 0 and not (
                        has_details and detail_allowed[picky[stream, 2], details[i]]
                    ):
                        continue
                if amounts[stream] & takes_back:
                    stream += _U(S)
                place = _U(free[stream])
                free[stream] += 1
                held[stream] += today[stream] != day
                today[stream] = day
                at[place], days[place], src[place] = moment, held[stream], i
        for s in range(2 * S):
            bounds[layout, s, 1] = free[s]


@_compiled
def _say_tiles(  # type: ignore[no-untyped-def]
    begin, end, moments, layout_of, reach, bounds, at, days, src, values, channels, places, details,
    starts, columns, empty, seen_channels, seen_places, seen_details, stamp, edges, matrix,
):  # fmt: skip
    """What accumulates from window to window: counts, days, sums, extremes, different details.

    Fills the rows with what is said without events, and `edges` with where in the layout, for each row and
    stream, each window begins, then whole history, then where the past ends.
    """
    _, S, width = edges.shape
    K = width - 2
    said, wanted = np.empty((K + 1, _SLOTS)), np.zeros((S, 5), np.int64)
    for s in range(S):  # values, details, channels, places; the windows over which they are wanted
        for c in range(starts[_TILES, s, 0], starts[_TILES, s, K + 1]):
            operation = columns[c, 1]
            if operation > _ACTIVE_DAYS:
                wanted[s, max(operation - _MAX, 0)] = 1
                wanted[s, 4] = columns[c, 2] + 1
    for row in range(begin, end):
        for column in range(len(empty)):
            matrix[row, column] = empty[column]
        n, layout, as_of = row - begin, layout_of[row - begin], moments[row]
        for s in range(S):
            if layout < 0:
                edges[n, s, K] = edges[n, s, K + 1] = 0
                continue
            first, stop = bounds[layout, s, 0], bounds[layout, s, 1]
            back, back_stop = bounds[layout, S + s, 0], bounds[layout, S + s, 1]
            while stop > first and at[_U(stop - 1)] >= as_of:
                stop -= 1
            edges[n, s, K], edges[n, s, K + 1] = first, stop
            wants_values, wants_details = wanted[s, 0] and len(values), wanted[s, 1] and len(details)
            wants_channels, wants_places = wanted[s, 2] and len(channels), wanted[s, 3] and len(places)
            if first == stop and (back == back_stop or not wants_values):
                continue
            stamp += 1
            total, low, high, valued = 0.0, math.inf, -math.inf, 0
            n_details = n_channels = n_places = 0
            p, top = stop, wanted[s, 4]
            for k in range(K + 1):
                edge = as_of + reach[k] if k < K else ALWAYS
                if k >= top:
                    while p > first and at[_U(p - 1)] >= edge:
                        p -= 1
                while p > first and at[_U(p - 1)] >= edge:
                    p -= 1
                    i = src[_U(p)]
                    if wants_values:
                        value = values[i]
                        if not math.isnan(value):
                            total += value
                            valued += 1
                            low, high = min(low, value), max(high, value)
                    if wants_details and details[i] >= 0 and seen_details[_U(details[i])] != stamp:
                        seen_details[_U(details[i])] = stamp
                        n_details += 1
                    if wants_channels and channels[i] >= 0 and seen_channels[_U(channels[i])] != stamp:
                        seen_channels[_U(channels[i])] = stamp
                        n_channels += 1
                    if wants_places and places[i] >= 0 and seen_places[_U(places[i])] != stamp:
                        seen_places[_U(places[i])] = stamp
                        n_places += 1
                edges[n, s, k] = p
                said[k, _COUNT] = stop - p
                said[k, _ACTIVE_DAYS] = days[stop - 1] - days[p] + 1 if p < stop else 0
                whole = total
                if wants_values:
                    for q in range(back_stop - 1, back - 1, -1):
                        if at[q] < as_of and at[q] >= edge and not math.isnan(values[src[q]]):
                            whole += values[src[q]]
                said[k, _SUM] = whole
                said[k, _MEAN] = total / valued if valued else math.nan
                said[k, _MIN] = low if valued else math.nan
                said[k, _MAX] = high if valued else math.nan
                said[k, _DETAILS], said[k, _CHANNELS], said[k, _PLACES] = n_details, n_channels, n_places
            for c in range(_U(starts[_TILES, s, 0]), _U(starts[_TILES, s, K + 1])):
                matrix[row, _U(columns[c, 0])] = said[_U(columns[c, 2]), _U(columns[c, 1])]
    return stamp


@_compiled
def _say_positions(  # type: ignore[no-untyped-def]
    begin, end, moments, edges, at, days, src, values, details, starts, columns, numbers, matrix,
):  # fmt: skip
    """What follows from where a window begins and ends: counts, days, gaps, what came last."""
    _, S, places = edges.shape
    K = places - 2
    for row in range(begin, end):
        n, as_of = row - begin, moments[row]
        for s in range(S):
            stop, first = edges[n, s, K + 1], edges[n, s, K]
            if first == stop:
                continue
            last = stop - 1
            for c in range(starts[_POSITIONS, s, 0], starts[_POSITIONS, s, K + 1]):
                column, operation, window = columns[c, 0], columns[c, 1], edges[n, s, columns[c, 2]]
                if window == stop:
                    continue
                gaps = last - window
                if operation == _SINCE_LAST:
                    matrix[row, column] = (as_of - at[last]) / DAY
                elif operation == _SINCE_FIRST:
                    matrix[row, column] = (as_of - at[first]) / DAY
                elif operation == _GAP_MEAN:
                    if gaps:
                        matrix[row, column] = (at[last] - at[window]) / DAY / gaps
                elif operation == _GAP_STD:
                    if gaps > 1:
                        mean, squares = (at[last] - at[window]) / gaps, 0.0
                        for p in range(last, window, -1):
                            squares += (at[p] - at[p - 1] - mean) ** 2
                        matrix[row, column] = math.sqrt(squares / (gaps - 1)) / DAY
                elif operation == _GAP_MAX:
                    longest = np.int64(0)
                    for p in range(last, window, -1):
                        longest = max(longest, at[p] - at[p - 1])
                    if gaps:
                        matrix[row, column] = longest / DAY
                elif operation in (_OVERDUE, _OVERDUE_SMOOTHED):
                    spent = (at[last] - at[first]) / DAY
                    typical, weight = numbers[s, 0], numbers[s, 1]
                    if operation == _OVERDUE_SMOOTHED and typical * weight >= 0:
                        spent, gaps = spent + typical * weight, gaps + weight
                    if spent > 0:
                        matrix[row, column] = (as_of - at[last]) / DAY / (spent / gaps)
                elif operation == _SILENCE:
                    matrix[row, column] = _silence(
                        np.float64(days[last] - days[first] + 1),
                        (as_of - at[first]) / DAY,
                        (as_of - at[last]) / DAY,
                        np.float64(columns[c, 3]),
                        numbers[s, 2], numbers[s, 3], numbers[s, 4], numbers[s, 5],
                    )  # fmt: skip
                elif operation == _STD:
                    matrix[row, column] = _spread(values, src, window, stop)
                elif operation == _LAST and len(values):
                    p = last
                    while p > window and math.isnan(values[src[p]]):
                        p -= 1
                    matrix[row, column] = values[src[p]]
                elif operation == _LAST_DETAIL and len(details) and details[src[last]] >= 0:
                    matrix[row, column] = details[src[last]]


@_compiled
def _spread(values, src, begin, end):  # type: ignore[no-untyped-def]
    """The standard deviation of the values laid out from `begin` to `end`."""
    total, valued, squares = 0.0, 0, 0.0
    for p in range(end - 1, begin - 1, -1):
        if len(values) and not math.isnan(values[src[p]]):
            total += values[src[p]]
            valued += 1
    for p in range(end - 1, begin - 1 if valued > 1 else end - 1, -1):
        if not math.isnan(values[src[p]]):
            squares += (values[src[p]] - total / valued) ** 2
    return math.sqrt(squares / (valued - 1)) if valued > 1 else math.nan


@_compiled
def _say_frequencies(begin, end, codes, edges, src, starts, columns, seen, times, rank, stamp, matrix):  # type: ignore[no-untyped-def]
    """What there is most of."""
    _, S, places = edges.shape
    K = places - 2
    for s in range(S):
        first_column, last_column = starts[_FREQUENCIES, s, 0], starts[_FREQUENCIES, s, K + 1]
        for row in range(begin, end if first_column < last_column and len(codes) else begin):
            n = row - begin
            stop, different, best = edges[n, s, K + 1], 0, np.int64(MISSING)
            if edges[n, s, K] == stop:
                continue
            stamp += 1
            p, known = stop, 0
            for c in range(first_column, last_column):
                window = edges[n, s, columns[c, 2]]
                while p > window:
                    p -= 1
                    code = np.int64(codes[src[p]])
                    if code < 0:
                        continue
                    known += 1
                    if seen[code] != stamp:
                        seen[code], times[code], rank[code] = stamp, 0, -different
                        different += 1
                    times[code] += 1
                    ahead = 1 if best < 0 else times[code] - times[best]
                    if ahead > 0 or (ahead == 0 and rank[code] > rank[best]):
                        best = code
                if best >= 0:
                    is_share = columns[c, 1] == _TOP_DETAIL_SHARE
                    matrix[row, columns[c, 0]] = times[best] / known if is_share else best
    return stamp


@_compiled
def _say_clock(begin, end, edges, at, midnights, turns, starts, columns, matrix):  # type: ignore[no-untyped-def]
    """Shares of the parts of the day and of the weekdays."""
    _, S, places = edges.shape
    K = places - 2
    counts = np.zeros(12, np.int64)  # four parts of a day, Monday to Sunday, weekend
    for s in range(S):
        first_column, last_column = starts[_CLOCK, s, 0], starts[_CLOCK, s, K + 1]
        for row in range(begin, end if first_column < last_column else begin):
            n = row - begin
            stop = edges[n, s, K + 1]
            if edges[n, s, K] == stop:
                continue
            counts[:] = 0
            p = stop
            for c in range(first_column, last_column):
                window = edges[n, s, columns[c, 2]]
                while p > window:
                    p -= 1
                    day = (at[p] - midnights[0]) // DAY
                    while midnights[day] > at[p]:
                        day -= 1
                    while midnights[day + 1] <= at[p]:
                        day += 1
                    part = (at[p] - midnights[day]) // (DAY // 4)
                    if midnights[day + 1] - midnights[day] != DAY:  # a day on which the clock was changed
                        turn, part = np.searchsorted(turns[:, 0], midnights[day]), 0
                        while part < 3 and turns[turn, part + 1] <= at[p]:
                            part += 1
                    counts[part] += 1
                    weekday = (day + 2) % 7  # the first midnight is a Wednesday's
                    counts[4 + weekday] += 1
                    counts[11] += weekday >= 5
                if window < stop:
                    matrix[row, columns[c, 0]] = counts[columns[c, 1]] / (stop - window)


@_compiled
def _derive(begin, end, derived, factors, matrix):  # type: ignore[no-untyped-def]
    """Numbers made of two others."""
    for row in range(begin, end):
        for d in range(len(derived)):
            one, other = matrix[row, derived[d, 2]], matrix[row, derived[d, 3]]
            if derived[d, 1] == _DIFFERENCE:
                matrix[row, derived[d, 0]] = one - other
            else:
                quotient = one / other * factors[d] if other != 0 else math.nan
                matrix[row, derived[d, 0]] = quotient if math.isfinite(quotient) else math.nan


@_compiled
def _silence(active_days, since_first, since_last, days, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """The chance of no event in the next days, by MBG/NBD (Batislam, Denizel and Filiztekin 2007).

    While alive a customer comes at a rate of their own, drawn from Gamma(r, alpha); after each active day,
    the first included, they stop for good with a chance of their own, drawn from Beta(a, b).
    """
    again, until = active_days - 1.0, alpha + since_first
    grown = (until / (alpha + (since_first - since_last))) ** (r + again)
    alive = 1.0 / (1.0 + a / (b + again) * grown)
    return 1.0 - alive * (1.0 - (until / (until + days)) ** (r + again))


@numba.vectorize(cache=True)
def silence(active_days, since_first, since_last, days, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """The chance of no event in the next `days`, of many customers: what the aggregate `silence` says.

    Active days, and days since the first and the last of them, all float64 and of whole history; four
    numbers of the population. The same code as the kernel's, so its numbers are equal bit for bit.
    """
    return _silence(active_days, since_first, since_last, days, r, alpha, a, b)

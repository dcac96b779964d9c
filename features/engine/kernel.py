"""How a windowed number is computed: one pass over a customer's events for every feature and as-of date.

A customer's events are first laid out stream by stream, oldest to newest, once for all as-of dates. At a
date every window of a stream is then a suffix of what lies before the date. Where the windows of all dates
begin is found in one pass; counts, days, gaps and sums are differences between there and the date, what is
different is flagged from date to date, and extremes are read off where each window begins. The same
compiled function serves one customer online and a hundred million events in batch, so their rows are equal
bit for bit.

    Catalog ─▶ Program ───┐
                          ├─▶ walk: block by block _search, _lay_out, _find_edges, _add_up, _say_… ─▶ matrix
    History ─▶ Selection ─┘

A family of aggregates shares one walk over a stream's events: `_FAMILIES` says which belong together, and
the function of that name writes them. What is compiled stands in this one file, as the compiler's cache on
disk looks at no other; the operations of `features/engine/simd.py` go into it, and their digest stands here.

Definitions: a standard deviation is the sample's (n − 1) and needs two values; a gap lies between
consecutive events of the window; the most frequent detail is, among equals, the one seen last; hours and
weekdays are the local clock's. Refunds (kind `refund`, or a negative value where values are amounts) enter
sums and nothing else. Sums are of the exact amounts, whatever their sizes, rounded once: they carry twice the
digits, and where even those do not hold them the amounts of a window are added up for themselves.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from features.engine.simd import (
    blend,
    both_ways,
    four,
    four_at,
    minimum4,
    scatter4,
    select_positive4,
    store4,
    transpose4,
)
from features.events.history import MISSING
from features.timeline import DAY

_FAMILIES = {
    "tiles": ("count", "active_days", "days_since_last", "days_since_first", "sum", "mean", "min", "max"),
    "different": ("distinct_detail", "distinct_channel", "distinct_place"),
    "positions": (
        "gap_mean", "gap_std", "gap_max", "overdue", "overdue_smoothed", "silence", "std", "last",
        "last_detail",
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
FAMILIES, ON_TILES = len(_FAMILIES), len(_FAMILIES["tiles"])
NUMBERS = ("gap_mean", "gap_weight", "mbg_r", "mbg_alpha", "mbg_a", "mbg_b")
"""What a population teaches about a stream, in the order of the kernel's columns."""
DERIVED = ("ratio", "difference", "trend", "share")

TILES, DIFFERENT, _POSITIONS, _FREQUENCIES, _CLOCK = range(FAMILIES)
_COUNT, _ACTIVE_DAYS, _SINCE_LAST, _SINCE_FIRST, _SUM, _MEAN, _MIN, _MAX = range(ON_TILES)
(
    _GAP_MEAN, _GAP_STD, _GAP_MAX, _OVERDUE, _OVERDUE_SMOOTHED, _SILENCE, _STD, _LAST, _LAST_DETAIL,
) = range(len(_FAMILIES["positions"]))  # fmt: skip
ALONE = (_SINCE_LAST, _SINCE_FIRST)
"""Operations on tiles that are not said of four windows at a time."""
_TOP_DETAIL_SHARE = _FAMILIES["frequencies"].index("top_detail_share")
LANES_DIGEST = "839414631b684b80"
"""First digits of the SHA-256 of `features/engine/simd.py`; writing them here compiles this file anew."""
LANES = 5
"""Numbers that say where four windows of an operation go: see `CompiledCatalog.lanes`."""
_COUNTS, _DAYS, _SUMS, _MEANS, _MINS, _MAXS, _ANY = (
    np.uintp(LANES * operation) for operation in (_COUNT, _ACTIVE_DAYS, _SUM, _MEAN, _MIN, _MAX, ON_TILES)
)
_DIFFERENCE = DERIVED.index("difference")

# Of a layout: which customer it shows, up to which instant, whether something was recorded late, its rows
# and its events.
_CUSTOMER, _UNTIL, _LATE, _FROM_ROW, _TO_ROW, _FIRST, _STOP = range(7)
_U: Any = np.uintp
"""An unsigned place in an array: the compiled code need not look whether it counts from the end."""
_ROWS_OF_A_BLOCK, _EVENTS_OF_A_BLOCK = 128, 4_096
"""Rows are taken in blocks that fit the processor's cache."""
_SHARED, _MOST_KEPT, _STRETCHES = 4, 4, 1_024
"""Rows of a layout that pay for sorting their edges; how many times as many dates as it has rows are kept;
stretches of time by which an event finds its edge."""
_FEW_STREAMS, _MANY_STREAMS = 6, 255
"""So few streams are sifted out one by one; what their numbers must be below then."""
_NO_STREAM = np.uintp(2**64 - 1)
NO_LANES = -2
"""Of four windows that an operation says nothing about; −1 where their columns do not stand side by side."""
_NEVER = np.iinfo(np.int64).max
_PARTS = 2_100
"""More than there can be of numbers between 2^1024 and 2^-1074 that share no binary digit."""
_WORD, _LAST_BIT, _ALL = np.uintp(6), np.uintp(63), np.uint64(2**64 - 1)
"""Sixty-four events share a word of flags: which word, which flag in it, and a word with all flags."""


_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
# Compiled functions take whole blocks: handing an array over costs two atomic counts each time.


@_compiled
def walk(  # type: ignore[no-untyped-def]
    begin, end, customers, moments,
    offsets, instants, recorded, kinds, values, channels, places, details, sizes,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    reach, midnights, turns, amounts, starts, tiles, lanes, columns, derived, factors, empty, numbers,
    matrix,
):  # fmt: skip
    """Fills the rows `begin` to `end`, block by block."""
    back, streams = _back(amounts)
    K, parts = len(reach), np.empty(_PARTS)
    plain, direct, fed = _direct(taker_starts, takers, refunds, picky, back, streams)
    few, of = plain and 0 < fed.sum() <= _FEW_STREAMS and streams < _MANY_STREAMS, np.empty(0, np.uint8)
    into, window = columns[:, 0].astype(np.uintp), columns[:, 2].astype(np.uintp)
    # A code was met in a row and stream when its mark holds their stamp, so nothing needs wiping; `latest`
    # has a place more than there are codes, for events without.
    stamp, met = 0, np.zeros(sizes[0], np.int64)
    times, rank = np.empty(sizes[0], np.int64), np.empty(sizes[0], np.int64)
    passed, latest = 1, np.zeros((3, max(sizes) + 1), np.int64)
    most = 0
    for kind in range(len(refunds)):
        room = 0
        for t in range(taker_starts[kind], taker_starts[kind + 1]):
            room += 2 if amounts[takers[t]] else 1
        most = max(most, room)

    rows = min(_ROWS_OF_A_BLOCK, end - begin)
    layouts, bounds = np.empty((rows, 7), np.int64), np.empty((rows, streams, 2), np.int64)
    edges = np.zeros((rows + 2, streams, K + 2), np.uint32)  # four lanes may reach beyond the last row
    exact = np.ones((rows, streams), np.bool_)
    kept, dates, stretches = np.zeros(3, np.int64), np.empty(rows, np.int64), np.empty(_STRETCHES, np.int64)
    order, ordered = np.empty(rows * (K + 1), np.int64), np.empty(rows * (K + 1) + 1, np.int64)
    room = 0
    at, src, sums, extremes, flagged, newest = _room(room)
    while begin < end:
        stop, shown, held = _block(begin, end, customers, moments, offsets, instants, recorded, layouts)
        if most * held + streams * shown > room:
            room = most * held + streams * shown + min(most * held, 1 << 20)
            at, src, sums, extremes, flagged, newest = _room(room)
            of = np.empty(room, np.uint8)
        shows = layouts[:shown]
        _search(shows, offsets, instants)
        if few and not shows[:, _LATE].any():
            _sift(shows, kinds, values, direct, fed, of, bounds, src)
        else:
            _measure(shows, kinds, taker_starts, takers, back, bounds)
            _lay_out(shows, plain, kinds, values, direct, bounds, src)
            _lay_out_others(
                shows, plain, recorded, kinds, values, channels, places, details,
                taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
                back, bounds, src,
            )  # fmt: skip
        _find_days(shows, bounds, instants, midnights, src, at, sums)
        _find_edges(begin, shows, bounds, moments, reach, at, kept, dates, order, ordered, stretches, edges)
        all_exact = _add_up(shows, bounds, back, tiles, values, src, sums, extremes, exact)
        _say_nothing(begin, stop, customers, empty, edges, matrix)
        _say_tiles(
            begin, shows, moments, back, edges, at, sums, extremes, tiles, lanes, into, window, empty, matrix
        )
        if not all_exact:
            _say_sums(begin, shows, back, exact, edges, tiles, values, src, into, window, parts, matrix)
        passed = _say_different(
            begin, shows, bounds, edges, details, channels, places, src, starts, into, window, columns,
            latest, passed, flagged, newest, matrix,
        )  # fmt: skip
        _say_positions(
            begin, stop, moments, edges, at, sums, src, values, details, starts, columns, numbers, matrix
        )
        stamp = _say_frequencies(
            begin, stop, details, edges, src, starts, columns, met, times, rank, stamp, matrix
        )
        _say_clock(begin, stop, edges, at, midnights, turns, starts, columns, matrix)
        _derive(begin, stop, derived, factors, matrix)
        begin = stop


@_compiled
def _room(events):  # type: ignore[no-untyped-def]
    """Arrays for these many events laid out: see `_find_days`, `_lay_out`, `_add_up` and `_say_different`."""
    return (
        np.empty(events, np.int64),
        np.empty(events, np.uintp),
        np.zeros(4 * events),
        np.zeros(4 * events),
        np.empty(events, np.uint64),
        np.empty((events >> 6) + 3, np.uint64),
    )


@_compiled
def _back(amounts):  # type: ignore[no-untyped-def]
    """int64[s]: the stream that takes what is taken back, beside each stream of amounts, −1 beside others;
    and how many streams there are with those.
    """
    back, streams = np.full(len(amounts), -1), len(amounts)
    for s in range(len(amounts)):
        if amounts[s]:
            back[s] = streams
            streams += 1
    return back, streams


@_compiled
def _block(begin, end, customers, moments, offsets, instants, recorded, layouts):  # type: ignore[no-untyped-def]
    """Where the block that starts at `begin` ends, how many layouts its rows share, and their events.

    Rows of one customer that follow each other share a layout up to their latest date, unless an event was
    recorded after it occurred: what was known then depends on the date.
    """
    shown, held, row, until_here = 0, 0, begin, (begin, 0, 0)
    while row < end and row - begin < _ROWS_OF_A_BLOCK:
        customer = customers[row]
        if customer < 0:
            row += 1
            continue
        first, stop = offsets[customer], offsets[customer + 1]
        if held and held + stop - first > _EVENTS_OF_A_BLOCK:
            break
        if row > begin and customers[row - 1] != customer:
            until_here = row, shown, held
        late = False
        if len(recorded):
            for i in range(first, stop):
                late |= recorded[i] > instants[i]
        layouts[shown, _CUSTOMER], layouts[shown, _LATE] = customer, late
        layouts[shown, _UNTIL], layouts[shown, _FROM_ROW] = moments[row], row
        held += stop - first
        row += 1
        while not late and row < end and row - begin < _ROWS_OF_A_BLOCK and customers[row] == customer:
            layouts[shown, _UNTIL] = max(layouts[shown, _UNTIL], moments[row])
            row += 1
        layouts[shown, _TO_ROW] = row
        shown += 1
    if until_here[0] > begin and row < end and customers[row] == customers[row - 1]:
        return until_here  # a customer of whom only some rows fit waits for the next block
    return row, shown, held


@_compiled
def _direct(taker_starts, takers, refunds, picky, back, streams):  # type: ignore[no-untyped-def]
    """Whether each kind has one stream or none, whatever else an event says; uintp[2, kinds]: that stream,
    and the one that takes the kind with a negative value; and which streams there are then, bool[streams].
    """
    direct, fed, plain = np.full((2, len(refunds)), _NO_STREAM), np.zeros(streams, np.bool_), True
    for kind in range(len(refunds)):
        for t in range(taker_starts[kind], taker_starts[kind + 1]):
            s = takers[t]
            plain &= t == taker_starts[kind] and picky[s, 0] < 0 and picky[s, 1] < 0 and picky[s, 2] < 0
            direct[0, kind] = back[s] if back[s] >= 0 and refunds[kind] else s
            direct[1, kind] = back[s] if back[s] >= 0 else s
            fed[direct[0, kind]] = fed[direct[1, kind]] = True
    return plain, direct, fed


@_compiled
def _search(layouts, offsets, instants):  # type: ignore[no-untyped-def]
    """Which events a layout holds."""
    for layout in range(_U(len(layouts))):
        customer, until = layouts[layout, _CUSTOMER], layouts[layout, _UNTIL]
        first, stop = _U(offsets[customer]), _U(offsets[customer + 1])
        layouts[layout, _FIRST] = first
        while first < stop:  # the first event at or after the date
            middle = (first + stop) >> _U(1)
            if instants[middle] < until:
                first = middle + _U(1)
            else:
                stop = middle
        layouts[layout, _STOP] = stop


@_compiled
def _measure(layouts, kinds, taker_starts, takers, back, bounds):  # type: ignore[no-untyped-def]
    """Where each stream begins in a layout, with room for all it may take."""
    streams, room, of_kind = bounds.shape[1], 0, np.zeros(len(taker_starts) - 1, np.int64)
    for layout in range(_U(len(layouts))):
        for i in range(_U(layouts[layout, _FIRST]), _U(layouts[layout, _STOP])):
            of_kind[_U(kinds[i])] += 1
        for s in range(_U(streams)):
            bounds[layout, s, 1] = 0
        for kind in range(_U(len(of_kind))):
            if of_kind[kind]:
                for t in range(_U(taker_starts[kind]), _U(taker_starts[kind + _U(1)])):
                    s = _U(takers[t])
                    bounds[layout, s, 1] += of_kind[kind]
                    if back[s] >= 0:
                        bounds[layout, _U(back[s]), 1] += of_kind[kind]
                of_kind[kind] = 0
        for s in range(_U(streams)):
            bounds[layout, s, 0] = room
            room += bounds[layout, s, 1] + 1  # one free place behind each: what is said without events


@_compiled
def _sift(layouts, kinds, values, direct, fed, of, bounds, src):  # type: ignore[no-untyped-def]
    """As `_lay_out`, for few streams: one after the other takes its own, and nothing waits for a count."""
    stream_of, if_negative, has_values, place = direct[0], direct[1], len(values), _U(0)
    for layout in range(_U(len(layouts))):
        first, events = layouts[layout, _FIRST], _U(layouts[layout, _STOP] - layouts[layout, _FIRST])
        for e in range(events):
            own = _U(kinds[_U(first) + e])
            below = has_values and values[_U(first) + e] < 0
            of[e] = if_negative[own] if below else stream_of[own]
        for s in range(_U(len(fed))):
            bounds[layout, s, 0] = place
            for e in range(events if fed[s] else _U(0)):
                src[place] = _U(first) + e
                place += _U(of[e] == np.uint8(s))
            bounds[layout, s, 1] = place
            place += _U(1)


@_compiled
def _lay_out(layouts, plain, kinds, values, direct, bounds, src):  # type: ignore[no-untyped-def]
    """Lays events out by stream, oldest to newest: of each its place in the history.

    Where each kind has its one stream; what must be looked at more closely is for `_lay_out_others`.
    """
    streams, has_values = bounds.shape[1], len(values)
    free, stream_of, if_negative = np.empty(streams, np.uintp), direct[0], direct[1]
    for layout in range(_U(len(layouts) if plain else 0)):
        if layouts[layout, _LATE]:
            continue
        for s in range(_U(streams)):
            free[s] = bounds[layout, s, 0]
        for i in range(_U(layouts[layout, _FIRST]), _U(layouts[layout, _STOP])):
            own = _U(kinds[i])
            stream = if_negative[own] if has_values and values[i] < 0 else stream_of[own]
            if stream != _NO_STREAM:
                place = free[_U(stream)]
                free[_U(stream)] = place + _U(1)
                src[place] = i
        for s in range(_U(streams)):
            bounds[layout, s, 1] = free[s]


@_compiled
def _lay_out_others(  # type: ignore[no-untyped-def]
    layouts, plain, recorded, kinds, values, channels, places, details,
    taker_starts, takers, refunds, picky, channel_allowed, place_allowed, detail_allowed,
    back, bounds, src,
):  # fmt: skip
    """As `_lay_out`, where streams choose by more than the kind, several take one, or an event came late."""
    streams = bounds.shape[1]
    has_values, has_details, has_channels, has_places = len(values), len(details), len(channels), len(places)
    free = np.empty(streams, np.int64)
    for layout in range(_U(len(layouts))):
        until, late = layouts[layout, _UNTIL], layouts[layout, _LATE]
        if plain and not late:
            continue
        for s in range(_U(streams)):
            free[s] = bounds[layout, s, 0]
        for i in range(_U(layouts[layout, _FIRST]), _U(layouts[layout, _STOP])):
            if late and recorded[i] >= until:
                continue
            own = _U(kinds[i])
            negative = has_values and values[i] < 0
            for t in range(_U(taker_starts[own]), _U(taker_starts[own + _U(1)])):
                s = _U(takers[t])
                if picky[s, 0] >= 0 and not (has_channels and channel_allowed[picky[s, 0], channels[i]]):
                    continue
                if picky[s, 1] >= 0 and not (has_places and place_allowed[picky[s, 1], places[i]]):
                    continue
                if picky[s, 2] >= 0 and not (has_details and detail_allowed[picky[s, 2], details[i]]):
                    continue
                if (back[s] >= 0) & (refunds[own] | negative):
                    s = _U(back[s])
                place = free[s]
                free[s] = place + 1
                src[_U(place)] = i
        for s in range(_U(streams)):
            bounds[layout, s, 1] = free[s]


@_compiled
def _find_days(layouts, bounds, instants, midnights, src, at, sums):  # type: ignore[no-untyped-def]
    """Of an event laid out its instant; its place, and the distinct days of its stream before its own: the
    first two of its four `sums`.
    """
    began = midnights[0]
    for layout in range(_U(len(layouts))):
        for s in range(_U(bounds.shape[1])):
            held, today = 0, _U(len(midnights))
            for p in range(_U(bounds[layout, s, 0]), _U(bounds[layout, s, 1])):
                moment = instants[src[p]]
                day = _U(moment - began) // _U(DAY)
                while midnights[day] > moment:
                    day -= _U(1)
                while midnights[day + _U(1)] <= moment:
                    day += _U(1)
                held += day != today
                today = day
                at[p] = moment
                sums[_U(4) * p], sums[_U(4) * p + _U(1)] = p, held - 1
            p = _U(bounds[layout, s, 1])
            sums[_U(4) * p], sums[_U(4) * p + _U(1)] = p, 0.0


@_compiled
def _find_edges(  # type: ignore[no-untyped-def]
    begin, layouts, bounds, moments, reach, at, kept, dates, order, ordered, stretches, edges
):
    """Where in the layout, for each row and stream, each window begins, then whole history, then where the
    past ends: `edges`, uint32[rows, streams, windows + 2].

    Rows of a layout look for their edges together, when they are more than a few: the edges of all their
    dates in order, and how many events lie before each, are found in one pass. The dates are kept, as the
    next customer mostly has the same.
    """
    K, streams, flat = _U(len(reach)), _U(bounds.shape[1]), edges.reshape(-1)
    width, place, held = K + _U(2), np.empty(len(dates), np.int64), np.empty(len(ordered), np.uint32)
    for layout in range(_U(len(layouts))):
        row, stop_row = layouts[layout, _FROM_ROW], layouts[layout, _TO_ROW]
        together = stop_row - row >= _SHARED
        if together and not _find_dates(moments, row, stop_row, kept, dates, place):
            _sort_edges(moments, row, stop_row, reach, kept, dates, order, ordered, stretches)
            _find_dates(moments, row, stop_row, kept, dates, place)
        since, shift, n_edges = ordered[0], kept[1], kept[2]
        here, rows = _U(row - begin) * streams * width, _U(stop_row - row)
        for s in range(streams):
            first, stop = bounds[layout, s, 0], bounds[layout, s, 1]
            own = here + s * width
            if first == stop:
                for _ in range(rows):
                    for k in range(width):
                        flat[own + k] = first
                    own += streams * width
            elif together:
                for e in range(_U(n_edges + 1)):
                    held[e] = 0
                for p in range(_U(first), _U(stop)):
                    moment = at[p]
                    edge = _U(0)
                    if moment >= since:
                        edge = _U(stretches[_U((moment - since) >> shift)])
                        while ordered[edge] <= moment:
                            edge += _U(1)
                    held[edge] += np.uint32(1)
                total = np.uint32(first)
                for e in range(_U(n_edges + 1)):
                    total += held[e]
                    held[e] = total
                for r in range(rows):
                    d = _U(place[r]) * (K + _U(1))
                    for k in range(K):
                        flat[own + k] = held[_U(order[d + k])]
                    flat[own + K] = first
                    flat[own + K + _U(1)] = held[_U(order[d + K])]
                    own += streams * width
            else:
                for r in range(row, stop_row):
                    p = stop
                    while p > first and at[_U(p - 1)] >= moments[r]:
                        p -= 1
                    flat[own + K], flat[own + K + _U(1)] = first, p
                    for k in range(K):
                        edge = moments[r] + reach[k]
                        while p > first and at[_U(p - 1)] >= edge:
                            p -= 1
                        flat[own + k] = p
                    own += streams * width


@_compiled
def _find_dates(moments, begin, end, kept, dates, place):  # type: ignore[no-untyped-def]
    """Whether the dates of these rows are all among those kept, and where."""
    d = 0
    for row in range(begin, end):
        if row > begin and moments[row] < moments[row - 1]:
            d = 0
        while d < kept[0] and dates[d] < moments[row]:
            d += 1
        if d == kept[0] or dates[d] != moments[row]:
            return False
        place[row - begin] = d
    return True


@_compiled
def _sort_edges(moments, begin, end, reach, kept, dates, order, ordered, stretches):  # type: ignore[no-untyped-def]
    """Keeps the dates of these rows, besides those kept before where there is room, and their edges in order.

    `kept`: how many dates, the width of a stretch of time as a power of two, and how many edges; `order`: the
    place of each edge of each date among all; `ordered`: the edges, then an end that nothing reaches;
    `stretches`: how many of them lie at or before the beginning of each stretch since the first of them.
    """
    known, K = np.unique(np.concatenate((dates[: kept[0]], moments[begin:end]))), len(reach)
    if len(known) > min(len(dates), _MOST_KEPT * (end - begin)):
        known = np.unique(moments[begin:end])
    every = np.empty((len(known), K + 1), np.int64)
    for d in range(len(known)):
        dates[d] = known[d]
        every[d, :K], every[d, K] = known[d] + reach, known[d]
    by_time = np.argsort(every.reshape(-1))
    for e in range(len(by_time)):
        order[by_time[e]], ordered[e] = e, every.reshape(-1)[by_time[e]]
    ordered[len(by_time)] = _NEVER
    span, shift = ordered[len(by_time) - 1] - ordered[0], 0
    while span >> shift >= len(stretches):
        shift += 1
    kept[0], kept[1], kept[2] = len(known), shift, len(by_time)
    e = 0
    for stretch in range((span >> shift) + 1):
        while ordered[e] <= ordered[0] + (stretch << shift):
            e += 1
        stretches[stretch] = e


@_compiled
def _add_up(layouts, bounds, back, tiles, values, src, sums, extremes, exact):  # type: ignore[no-untyped-def]
    """Sums of a stream from its first event on: the values in a window are the difference of two of them.

    Of an event laid out the sum of those before it, in two parts, the second what the first rounded away, so
    that a difference is right however much lies before: the last two of its four `sums`. Where means and
    extremes are asked for, how many before it have a value, and its own: the outer two of its four
    `extremes`. Nothing overflows: `events.LARGEST`.

    `exact`, bool[layouts, streams], says of each stream, with what is taken back, whether no difference of
    such sums can lose anything; the answer is whether that is so of all. Amounts are whole multiples of the
    last digit that the smallest of them can have. Of such units a number holds 2^53: enough for second parts
    and for what the first part of a difference rounds away, if `_holds`, and surely if amounts are few enough
    and of sizes near enough.
    """
    has_values, all_exact = len(values), True
    for s in range(_U(len(tiles))):
        more_than_sums = tiles[s, _MEAN] < tiles[s, _MAX + 1]
        for layout in range(_U(len(layouts) if tiles[s, _SUM] < tiles[s, _MAX + 1] else 0)):
            smallest, largest, events = math.inf, 0.0, 0.0
            for stream in (np.int64(s), back[s]):
                if stream < 0:
                    continue
                total, rest, there = 0.0, 0.0, 0.0
                first, stop = _U(bounds[layout, stream, 0]), _U(bounds[layout, stream, 1])
                for p in range(first, stop):
                    value = values[src[p]] + 0.0 if has_values else math.nan  # of zeros there is one only
                    sums[_U(4) * p + _U(2)], sums[_U(4) * p + _U(3)] = total, rest
                    if more_than_sums:
                        extremes[_U(4) * p], extremes[_U(4) * p + _U(3)] = there, value
                        there += not math.isnan(value)
                    value = 0.0 if math.isnan(value) else value
                    size = abs(value)
                    largest = max(largest, size)
                    smallest = min(smallest, size if size > 0.0 else math.inf)
                    total, error = _sum(total, value)
                    rest += error
                sums[_U(4) * stop + _U(2)], sums[_U(4) * stop + _U(3)] = total, rest
                extremes[_U(4) * stop] = there
                events += stop - first
            exact[layout, s] = True
            if (events + 4.0) * events * largest > smallest * 2.0**51:
                for stream in (np.int64(s), back[s]):
                    if stream >= 0:
                        first, stop = _U(bounds[layout, stream, 0]), _U(bounds[layout, stream, 1])
                        exact[layout, s] &= _holds(first, stop, sums, smallest)
                all_exact &= exact[layout, s]
    return all_exact


@_compiled
def _holds(first, stop, sums, smallest):  # type: ignore[no-untyped-def]
    """Whether the sums of a stream leave room for every difference: see `_add_up`.

    A difference takes two second parts each of two streams, and rounding of up to 2^-50 of the largest sum.
    """
    largest, most = 0.0, 0.0
    for p in range(first, stop + _U(1)):
        largest, most = max(largest, abs(sums[_U(4) * p + _U(2)])), max(most, abs(sums[_U(4) * p + _U(3)]))
    return most + largest * 2.0**-51 <= smallest / 4.0


@numba.njit(inline="always")
def _sum(one, other):  # type: ignore[no-untyped-def]
    """A sum, and what it rounded away (Knuth's two-sum)."""
    total = one + other
    part = total - one
    return total, (one - (total - part)) + (other - part)


@numba.njit(inline="always")
def _less(total, rest, earlier_total, earlier_rest):  # type: ignore[no-untyped-def]
    """The difference of two sums of `_add_up`, in two parts as well."""
    apart = total - earlier_total
    part = apart - total
    return apart, ((total - (apart - part)) - (earlier_total + part)) + (rest - earlier_rest)


@_compiled
def _say_nothing(begin, end, customers, empty, edges, matrix):  # type: ignore[no-untyped-def]
    """The rows of customers without any event."""
    for row in range(_U(begin), _U(end)):
        if customers[row] < 0:
            for column in range(_U(len(empty))):
                matrix[row, column] = empty[column]
            for s in range(_U(edges.shape[1])):
                for k in range(_U(edges.shape[2])):
                    edges[row - _U(begin), s, k] = 0


@_compiled
def _say_tiles(  # type: ignore[no-untyped-def]
    begin, layouts, moments, back, edges, at, sums, extremes, tiles, lanes, into, window, empty, matrix
):
    """Counts, days, sums and extremes: differences between where a window ends and where it begins.

    Four windows at a time (`CompiledCatalog.lanes`). First fills the rows with the value without events.
    Extremes from the newest event before the date to each place are kept in the middle two of `extremes`, the
    highest with its sign turned; the next date of a customer goes on from there.
    """
    S, streams, width = len(tiles), _U(edges.shape[1]), _U(edges.shape[2])
    whole, past, flat, line = width - _U(2), width - _U(1), edges.reshape(-1), matrix.reshape(-1)
    groups, reached = _U(len(lanes) // (S * LANES * (ON_TILES + 1)) if S else 0), np.zeros((S, 2), np.uintp)
    nothing, never, none = four(0.0), four(math.inf), four(math.nan)
    for layout in range(_U(len(layouts))):
        for s in range(_U(S)):
            reached[s, 0] = reached[s, 1] = _NO_STREAM
        for row in range(_U(layouts[layout, _FROM_ROW]), _U(layouts[layout, _TO_ROW])):
            n, here = row - _U(begin), row * _U(len(empty))
            for column in range(_U(len(empty))):
                line[here + column] = empty[column]
            for s in range(_U(S)):
                own = (n * streams + s) * width
                first, stop = _U(flat[own + whole]), _U(flat[own + past])
                has, no_refunds, taken, refunded = stop > first, True, own, stop
                if back[s] >= 0:
                    taken = (n * streams + _U(back[s])) * width
                    refunded = _U(flat[taken + past])
                    no_refunds = refunded == _U(flat[taken + whole])
                if stop == first and no_refunds:
                    continue
                since_last = (moments[row] - at[stop - _U(has)]) / DAY
                for c in range(_U(tiles[s, _SINCE_LAST]), _U(tiles[s, _SINCE_LAST + 1])):
                    line[here + into[c]] = since_last if has else empty[into[c]]
                since_first = (moments[row] - at[first]) / DAY
                for c in range(_U(tiles[s, _SINCE_FIRST]), _U(tiles[s, _SINCE_FIRST + 1])):
                    line[here + into[c]] = since_first if has else empty[into[c]]
                extreme = tiles[s, _MIN] < tiles[s, _MAX + 1]
                if extreme:
                    far = stop
                    for operation in (_MIN, _MAX):
                        if tiles[s, operation] < tiles[s, operation + 1]:
                            edge = _U(flat[own + window[_U(tiles[s, operation + 1] - 1)]])
                            far = edge if edge < far else far
                    since, until = reached[s, 0], reached[s, 1]
                    if far < since or stop < until:  # the first date, or one before the last
                        until = far
                    m, p = never, stop
                    while p > until:
                        p -= _U(1)
                        held = four_at(extremes, _U(4) * p)
                        value = extremes[_U(4) * p + _U(3)]
                        m = minimum4(both_ways(value), m)
                        store4(extremes, _U(4) * p, blend(held, m))
                    if until > far:
                        for p in range(far, until):
                            held = four_at(extremes, _U(4) * p)
                            # Mixed, as "store where lesser" alone becomes a store that is ten times as slow.
                            store4(extremes, _U(4) * p, blend(held, minimum4(m, held)))
                    reached[s, 0], reached[s, 1] = far, stop
                end, adds = _U(4) * stop, tiles[s, _SUM] < tiles[s, _MEAN + 1]
                last = sums[_U(4) * (stop - _U(has)) + _U(1)] + 1.0
                for h in range(groups):
                    group = (s * groups + h) * _U(LANES * (ON_TILES + 1))
                    if lanes[group + _ANY] == NO_LANES:
                        continue
                    k = own + _U(lanes[group + _ANY + _U(1)])
                    place, day, head, tail = transpose4(sums, flat, k)
                    count = four(np.float64(stop)) - place
                    if lanes[group + _COUNTS] != NO_LANES:
                        scatter4(line, here, lanes, group + _COUNTS, count)
                    if lanes[group + _DAYS] != NO_LANES:
                        different = select_positive4(count, four(last) - day, nothing)
                        scatter4(line, here, lanes, group + _DAYS, different)
                    if adds:
                        more, less = _less(four(sums[end + _U(2)]), four(sums[end + _U(3)]), head, tail)
                        if lanes[group + _SUMS] != NO_LANES:
                            total = more + less
                            if not no_refunds:
                                q = taken + _U(lanes[group + _ANY + _U(1)])
                                head, tail = transpose4(sums, flat, q)[2:]
                                q = _U(4) * refunded
                                gone, rest = _less(four(sums[q + _U(2)]), four(sums[q + _U(3)]), head, tail)
                                total, rest = _less(more, less, -gone, -rest)
                                total = total + rest
                            scatter4(line, here, lanes, group + _SUMS, total)
                        if lanes[group + _MEANS] != NO_LANES:
                            valued = four(extremes[end]) - transpose4(extremes, flat, k)[0]
                            scatter4(line, here, lanes, group + _MEANS, (more + less) / valued)
                    if extreme and lanes[group + _MINS] + lanes[group + _MAXS] != 2 * NO_LANES:
                        known, low, high, _ = transpose4(extremes, flat, k)
                        valued = four(extremes[end]) - known
                        if lanes[group + _MINS] != NO_LANES:
                            least = select_positive4(valued, low, none)
                            scatter4(line, here, lanes, group + _MINS, least)
                        if lanes[group + _MAXS] != NO_LANES:
                            most = select_positive4(valued, -high, none)
                            scatter4(line, here, lanes, group + _MAXS, most)


@_compiled
def _say_sums(begin, layouts, back, exact, edges, tiles, values, src, into, window, parts, matrix):  # type: ignore[no-untyped-def]
    """Sums and means once more, where the two parts of `_add_up` are not enough."""
    for layout in range(_U(len(layouts))):
        for row in range(_U(layouts[layout, _FROM_ROW]), _U(layouts[layout, _TO_ROW])):
            n = row - _U(begin)
            for s in range(_U(len(tiles))):
                stop = tiles[s, _SUM] if exact[layout, s] else tiles[s, _MEAN + 1]
                for c in range(_U(tiles[s, _SUM]), _U(stop)):
                    used, valued = _add_parts(edges, n, s, window[c], values, src, parts, 0)
                    if c >= _U(tiles[s, _MEAN]):
                        if valued:  # else what is said of none has been said, in its own bits
                            matrix[row, into[c]] = _rounded(parts, used) / valued
                        continue
                    if back[s] >= 0:
                        used, _ = _add_parts(edges, n, _U(back[s]), window[c], values, src, parts, used)
                    matrix[row, into[c]] = _rounded(parts, used)


@_compiled
def _add_parts(edges, n, s, k, values, src, parts, used):  # type: ignore[no-untyped-def]
    """Adds the values of a window to an exact sum: so many of `parts` as are used, which share no digit.

    Returns how many are used then, and how many values there were. Shewchuk 1997, Adaptive precision
    floating-point arithmetic and fast robust geometric predicates, figure 4.
    """
    valued = 0
    for p in range(_U(edges[n, s, k]), _U(edges[n, s, edges.shape[2] - 1])):
        value, kept = values[src[p]], 0
        if math.isnan(value):
            continue
        valued += 1
        for part in range(used):
            value, rest = _sum(value, parts[part])
            if rest != 0.0:
                parts[kept] = rest
                kept += 1
        parts[kept] = value
        used = kept + 1
    return used, valued


@_compiled
def _rounded(parts, used):  # type: ignore[no-untyped-def]
    """The sum of `_add_parts`, rounded once: the largest part, and of the others what it can hold of them.

    Halves are rounded to even only where nothing is left behind them.
    """
    total, rest = 0.0, 0.0
    while used and rest == 0.0:
        used -= 1
        total, rest = _sum(total, parts[used])
    if used and (rest > 0.0) == (parts[used - 1] > 0.0):
        more = total + 2.0 * rest
        if more - total == 2.0 * rest:
            return more
    return total


@_compiled
def _say_different(  # type: ignore[no-untyped-def]
    begin, layouts, bounds, edges, details, channels, places, src, starts, into, window, columns, latest,
    passed, flagged, newest, matrix,
):  # fmt: skip
    """How many different details, channels and places a window holds.

    From date to date of a customer each event gets a flag, and the event before it with the same code loses
    its own: what stays are the newest of each, and of those a window counts the ones it reaches. `latest`
    holds where each code was met, counted from the first layout on, so that nothing needs wiping.
    """
    S, K = starts.shape[1], edges.shape[2] - 2
    for s in range(S):
        after = starts[DIFFERENT, s, 0]
        while after < starts[DIFFERENT, s, 1]:
            first_column, which = after, columns[after, 1]
            while after < starts[DIFFERENT, s, 1] and columns[after, 1] == which:
                after += 1
            codes = details if which == 0 else channels if which == 1 else places
            farthest, met, has_codes = columns[after - 1, 2], latest[which], len(codes)
            for layout in range(len(layouts)):
                begins, ends = _U(bounds[layout, s, 0]), _U(bounds[layout, s, 1])
                if ends - begins < _U(64):
                    flags = np.uint64(0)
                    for p in range(begins, ends):
                        flagged[p] = flags
                        code = np.int64(codes[src[p]]) if has_codes else np.int64(MISSING)
                        before = met[code] - passed
                        met[code] = np.int64(p) + passed
                        there = before - np.int64(begins)
                        flags &= ~(np.uint64(there >= 0) << (_U(there) & _LAST_BIT))
                        flags |= np.uint64(code >= 0) << (p - begins)
                    flagged[ends] = flags
                    for row in range(_U(layouts[layout, _FROM_ROW]), _U(layouts[layout, _TO_ROW])):
                        n = row - _U(begin)
                        flags = flagged[_U(edges[n, s, K + 1])]
                        for c in range(_U(first_column), _U(after)):
                            matrix[row, into[c]] = _flags(flags >> (_U(edges[n, s, window[c]]) - begins))
                    passed += np.int64(ends)
                    continue
                since, base, until = np.int64(_NEVER), np.int64(0), np.int64(0)
                for row in range(_U(layouts[layout, _FROM_ROW]), _U(layouts[layout, _TO_ROW])):
                    n = row - _U(begin)
                    far, stop = np.int64(edges[n, s, farthest]), np.int64(edges[n, s, K + 1])
                    if far < since or stop < until:  # the first date, or one before the last
                        passed += until
                        since = until = far
                        base = since - 64  # the first word is for what lies before
                        newest[0] = newest[1] = 0
                    old, new = _U(until - base), _U(stop - base)
                    kept = newest[old >> _WORD]
                    for word in range(old >> _WORD, new >> _WORD):
                        newest[word] = _ALL
                    newest[new >> _WORD] = ~(_ALL << (new & _LAST_BIT))
                    newest[old >> _WORD] = kept | (newest[old >> _WORD] & (_ALL << (old & _LAST_BIT)))
                    for p in range(_U(until), _U(stop)):
                        code = np.int64(codes[src[p]]) if has_codes else np.int64(MISSING)
                        before = met[code] - passed - base  # of no code: the last place is for those
                        before = before if before > 0 else 0
                        met[code] = np.int64(p) + passed
                        gone = _U(before) if code >= 0 else p - _U(base)
                        newest[gone >> _WORD] &= ~(np.uint64(1) << (gone & _LAST_BIT))
                    until = stop
                    found, word = 0, _U(stop - base) >> _WORD
                    for c in range(_U(first_column), _U(after)):
                        edge = _U(np.int64(edges[n, s, window[c]]) - base)
                        while word > edge >> _WORD:
                            found += _flags(newest[word])
                            word -= _U(1)
                        matrix[row, into[c]] = found + _flags(newest[word] >> (edge & _LAST_BIT))
                passed += until
    return passed


@intrinsic
def _flags(_, word):  # type: ignore[no-untyped-def]
    """How many flags of a word are set: one instruction."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return word(word), generate


@_compiled
def _say_positions(  # type: ignore[no-untyped-def]
    begin, end, moments, edges, at, sums, src, values, details, starts, columns, numbers, matrix,
):  # fmt: skip
    """What follows from where a window begins and ends: days since, gaps, spread, what came last."""
    S, K = starts.shape[1], edges.shape[2] - 2
    for s in range(S):
        first_column, last_column = starts[_POSITIONS, s, 0], starts[_POSITIONS, s, 1]
        for row in range(begin, end if first_column < last_column else begin):
            n, as_of = row - begin, moments[row]
            stop, first = np.int64(edges[n, s, K + 1]), np.int64(edges[n, s, K])
            if first == stop:
                continue
            last = stop - 1
            for c in range(first_column, last_column):
                column, operation = columns[c, 0], columns[c, 1]
                window = np.int64(edges[n, s, columns[c, 2]])
                if window == stop:
                    continue
                gaps = last - window
                if operation == _GAP_MEAN:
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
                        sums[4 * last + 1] - sums[4 * first + 1] + 1.0,
                        (as_of - at[first]) / DAY,
                        (as_of - at[last]) / DAY,
                        np.float64(columns[c, 3]),
                        numbers[s, 2], numbers[s, 3], numbers[s, 4], numbers[s, 5],
                    )  # fmt: skip
                elif operation == _STD:
                    matrix[row, column] = _spread(values, src, window, stop)
                elif operation == _LAST and len(values):
                    valued = last
                    while valued > window and math.isnan(values[src[valued]]):
                        valued -= 1
                    matrix[row, column] = values[src[valued]]
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
    S, K = starts.shape[1], edges.shape[2] - 2
    for s in range(S):
        first_column, last_column = starts[_FREQUENCIES, s, 0], starts[_FREQUENCIES, s, 1]
        for row in range(begin, end if first_column < last_column and len(codes) else begin):
            n = row - begin
            stop, different, best = np.int64(edges[n, s, K + 1]), 0, np.int64(MISSING)
            if edges[n, s, K] == stop:
                continue
            stamp += 1
            p, known = stop, 0
            for c in range(first_column, last_column):
                window = np.int64(edges[n, s, columns[c, 2]])
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
    S, K = starts.shape[1], edges.shape[2] - 2
    counts = np.zeros(12, np.int64)  # four parts of a day, Monday to Sunday, weekend
    for s in range(S):
        first_column, last_column = starts[_CLOCK, s, 0], starts[_CLOCK, s, 1]
        for row in range(begin, end if first_column < last_column else begin):
            n = row - begin
            stop = np.int64(edges[n, s, K + 1])
            if edges[n, s, K] == stop:
                continue
            counts[:] = 0
            p = stop
            for c in range(first_column, last_column):
                window = np.int64(edges[n, s, columns[c, 2]])
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

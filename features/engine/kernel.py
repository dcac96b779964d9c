"""Windowed features of customers at as-of dates: the compiled pass over sorted event histories.

Inputs, as NamedTuples of arrays: `Rows` (which customer at which date), `EventArrays` (a `History`),
`Selection` (which streams take which events), `CatalogArrays` (which columns to compute), `LocalDays` (the
midnights of the time zone) and `numbers`, float64[populations, streams, 6], what each population teaches.
Output: `matrix`, float64[rows, columns], filled from row `begin` to row `end`.
Invariant: the numbers of a row depend neither on the other rows nor on where blocks begin, so one customer
online and a hundred million events in batch get the same bits.
The plain version of every feature is `tests/reference.py`; tests compare the two on generated histories.
Read on only to change the speed. Measurements and what was tried: `docs/decisions/0003-one-kernel.md`.

How it works. A block of rows is computed at a time. The events of each customer are first grouped by stream,
oldest to newest, once for all as-of dates (`Layout`). At a date every window of a stream is then a suffix of
the events before the date. Where the windows of all dates begin is found in one pass; counts, days, gaps and
sums are differences of cumulative sums, distinct codes are flags updated from date to date, and extremes are
read where each window begins.

    Catalog ─▶ CompiledCatalog ─┐
                                ├─▶ walk: per block find, group, cumulate, write ─▶ matrix
    History ─▶ StreamSelection ─┘

A family of aggregates shares one pass over a stream's events: `_FAMILIES` lists the members, and one function
writes each family. All compiled code is in this one file, because numba's cache on disk looks at no other for
changes; the operations of `features/engine/simd.py` are compiled into it, so their digest is written here.

Definitions: a standard deviation is the sample's (n − 1) and needs two values; a gap lies between
consecutive events of the window; the most frequent detail is, among equals, the one seen last; hours and
weekdays are the local clock's. Refunds (kind `refund`, or a negative value where values are amounts) enter
sums and nothing else. Sums are of the exact amounts, whatever their sizes, rounded once: they carry twice the
digits, and where even those do not hold them the amounts of a window are added up one by one.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

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
    "lifetime": (
        "decayed_count", "gap_first", "gap_last", "gap_min", "gap_geometric", "active_day_rate",
        "share_younger_half", "alive",
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
"""What a population teaches about a stream: the columns of `numbers`."""
DERIVED = ("ratio", "difference", "trend", "share")

TILES, DIFFERENT, _POSITIONS, _FREQUENCIES, _CLOCK, _LIFETIME = range(FAMILIES)
_COUNT, _ACTIVE_DAYS, _SINCE_LAST, _SINCE_FIRST, _SUM, _MEAN, _MIN, _MAX = range(ON_TILES)
(
    _GAP_MEAN, _GAP_STD, _GAP_MAX, _OVERDUE, _OVERDUE_SMOOTHED, _SILENCE, _STD, _LAST, _LAST_DETAIL,
) = range(len(_FAMILIES["positions"]))  # fmt: skip
(
    _DECAYED_COUNT, _GAP_FIRST, _GAP_LAST, _GAP_MIN, _GAP_GEOMETRIC, _ACTIVE_DAY_RATE, _SHARE_YOUNGER_HALF,
    _ALIVE,
) = range(len(_FAMILIES["lifetime"]))  # fmt: skip
ALONE = (_SINCE_LAST, _SINCE_FIRST)
"""Operations on tiles that are not computed for four windows at a time."""
_TOP_DETAIL_SHARE = _FAMILIES["frequencies"].index("top_detail_share")
LANES_DIGEST = "0f460e051bfc4913"
"""First digits of the SHA-256 of `features/engine/simd.py`; writing them here compiles this file anew."""
LANES = 5
"""Numbers that describe where four windows of an operation go: see `CatalogArrays.lanes`."""
_COUNTS, _DAYS, _SUMS, _MEANS, _MINS, _MAXS, _ANY = (
    np.uintp(LANES * operation) for operation in (_COUNT, _ACTIVE_DAYS, _SUM, _MEAN, _MIN, _MAX, ON_TILES)
)
_DIFFERENCE = DERIVED.index("difference")
_NEWCOMER_DAYS = 30.0
"""Days that `active_day_rate` adds to the time since the first event, so that one day is no high rate."""

# Columns of `_Layout.shows`: the customer, up to which instant, whether something was late or retracted, the
# rows (from, to) and the events (from, to).
_CUSTOMER, _UNTIL, _LATE, _FROM_ROW, _TO_ROW, _FIRST, _STOP = range(7)
_U: Any = np.uintp
"""An unsigned index: the compiled code need not check whether it counts from the end."""
_ROWS_OF_A_BLOCK, _EVENTS_OF_A_BLOCK = 128, 4_096
"""The most of a block, which fits the processor's cache."""
_SHARED, _MOST_DATES, _STRETCHES = 4, 4, 1_024
"""Rows of a layout for which sorting their edges pays; how many times as many dates as it has rows the index
holds; stretches of time by which an event finds its edge."""
_FEW_STREAMS, _MANY_STREAMS = 6, 255
"""Up to how many streams get a pass each (`_group_few_streams`), and the limit of their numbers then."""
_NO_STREAM = np.uintp(2**64 - 1)
NO_LANES = -2
"""Four windows that an operation has no column for; −1 where their columns are not side by side."""
_NEVER = np.iinfo(np.int64).max
_PARTS = 2_100
"""More than there can be of numbers between 2^1024 and 2^-1074 that share no binary digit."""
_WORD, _LAST_BIT, _ALL = np.uintp(6), np.uintp(63), np.uint64(2**64 - 1)
"""Sixty-four events share a word of flags: which word, which flag in it, and a word with all flags."""


class Rows(NamedTuple):
    """The pairs of customer and as-of date to compute; fastest when sorted by customer."""

    customers: NDArray[np.int64]
    """int64[n]: the customer's place in the history, −1 for one without events."""
    moments: NDArray[np.int64]
    """int64[n]: as-of dates, microseconds UTC."""
    populations: NDArray[np.int64]
    """int64[n]: whose numbers the row reads, a place in `numbers`."""


class EventArrays(NamedTuple):
    """A `History` as arrays, writable and contiguous; a column that no feature reads is empty."""

    offsets: NDArray[np.int64]
    instants: NDArray[np.int64]
    recorded: NDArray[np.int64]
    retracted: NDArray[np.int64]
    kinds: NDArray[np.int32]
    values: NDArray[np.float64]
    channels: NDArray[np.int32]
    places: NDArray[np.int32]
    details: NDArray[np.int32]
    code_counts: tuple[int, int, int]
    """How many details, channels and places have a code."""


class Selection(NamedTuple):
    """Which streams take an event of each kind, and which channels, places and details they take."""

    starts: NDArray[np.int64]
    """int64[kinds + 1]: the streams that take kind k are `streams[starts[k]:starts[k + 1]]`."""
    streams: NDArray[np.int64]
    refunds: NDArray[np.bool_]
    """bool[kinds]."""
    filters: NDArray[np.int64]
    """int64[s, 3]: the stream's row in the three tables below, −1 where it takes all."""
    channels: NDArray[np.bool_]
    """bool[streams with a filter, names + 1]: the last column stands for absent."""
    places: NDArray[np.bool_]
    details: NDArray[np.bool_]


class CatalogArrays(NamedTuple):
    """The columns to compute, grouped by family of aggregates and by stream, windows ascending."""

    reach: NDArray[np.int64]
    """int64[windows]: how far before the as-of date each begins, as a negative number of microseconds."""
    amounts: NDArray[np.bool_]
    """bool[s]: whether the values of a stream are amounts, so that it has refunds."""
    starts: NDArray[np.int64]
    """int64[families, s, 2]: the columns of a family and stream are the rows of `columns` between them."""
    tiles: NDArray[np.int64]
    """int64[s, operations + 1]: where the columns of each operation on tiles begin."""
    lanes: NDArray[np.int64]
    """int64[s * groups * (operations + 1) * 5]: for a stream, four consecutive windows and an operation on
    tiles: the column of the first window if those of the others follow it, else −1, or −2 where there is
    none; then the column of each, or −1. Behind the operations: −2 where none has any; then the first window.
    """
    columns: NDArray[np.int64]
    """int64[c, 4]: matrix column, operation, window (after the last: whole history), days ahead or
    of fading. Those on tiles and of distinct codes are sorted by operation, others from the nearest window to
    the farthest."""
    derived: NDArray[np.int64]
    """int64[d, 4]: matrix column, operation, first column, second column."""
    factors: NDArray[np.float64]
    """float64[d]: what the quotient is multiplied with (a trend's long days ÷ short days)."""
    empty: NDArray[np.float64]
    """float64[f]: the row of a customer without events."""


class LocalDays(NamedTuple):
    """The local calendar of a `Timeline`."""

    midnights: NDArray[np.int64]
    """int64[days]: the instants at which local days begin."""
    turns: NDArray[np.int64]
    """int64[clock changes, 4]: midnight and the quarters of each day on which the clock was changed."""


class _Streams(NamedTuple):
    """The streams of a catalogue, and behind them one of refunds for each stream of amounts."""

    refund_stream: Any
    """int64[s]: the stream that takes the refunds of a stream of amounts, −1 for other streams."""
    one_each: Any
    """Whether each kind has one stream or none, whatever else an event says."""
    of_kind: Any
    """uintp[2, kinds]: the stream of a kind where it has one; then of the kind with a negative value."""
    used: Any
    """bool[streams]: which streams some kind goes to."""


class _Targets(NamedTuple):
    """`CatalogArrays.columns` as unsigned numbers."""

    column: Any
    """uintp[c]: matrix column."""
    window: Any
    """uintp[c]: window, after the last whole history."""


class _Layout(NamedTuple):
    """The events of a block of rows, grouped by stream; made by the functions from `_find_events` on."""

    shows: Any
    """int64[layouts, 7]: customer, latest date, whether records came late, rows, events (see `_CUSTOMER`)."""
    bounds: Any
    """int64[layouts, streams, 2]: where a stream's events lie in the arrays below, which have a free place
    behind each stream: what holds without events is written there."""
    src: Any
    """uintp[e]: the event's place in the history."""
    at: Any
    """int64[e]: its instant."""
    sums: Any
    """float64[4 e]: of the stream's events before it: number, distinct days, sum, and its rounding error."""
    extremes: Any
    """float64[4 e]: values before it, lowest and highest (negated) value from it on, its own value."""
    edges: Any
    """uint32[rows, streams, windows + 2]: the first event of each window, of whole history, and the first
    event at or after the date."""
    exact: Any
    """bool[layouts, streams]: whether differences of `sums` lose nothing; see `_cumulate`."""


class _DateIndex(NamedTuple):
    """The window edges of some as-of dates in order of time, reused while customers have the same dates."""

    state: Any
    """int64[3]: how many dates are held, the width of a stretch as a power of two, and how many edges."""
    dates: Any
    order: Any
    """int64[dates × (windows + 1)]: the rank of each edge of each date."""
    ordered: Any
    """int64[edges + 1]: the edges in order of time, then an end that nothing reaches."""
    stretches: Any
    """int64[stretches of time]: how many edges lie at or before the beginning of each."""


class _NewestOfCode(NamedTuple):
    """Marks of the newest event of each code, see `_write_distinct`."""

    latest: Any
    flagged: Any
    newest: Any


class _CodeCounts(NamedTuple):
    """How often each detail was met; valid where `met` holds the current stamp, so nothing needs wiping."""

    met: Any
    times: Any
    rank: Any


_ROWS, _EVENTS, _SELECTION, _CATALOG = accumulate(
    len(part._fields) for part in (Rows, EventArrays, Selection, CatalogArrays)
)
"""Where each part ends among the arrays that `walk` hands over."""

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
# Compiled functions take whole blocks: handing an array over costs two atomic counts each time.


def walk(
    begin: int,
    end: int,
    rows: Rows,
    events: EventArrays,
    selection: Selection,
    catalog: CatalogArrays,
    days: LocalDays,
    numbers: NDArray[np.float64],
    matrix: NDArray[np.float64],
) -> None:
    """Fills the rows of `matrix` from `begin` to `end`. Threads may fill different rows at once."""
    # One plain tuple: numba takes 0.65 µs to unpack a named one (it loads its class), 0.15 µs a plain one.
    _walk(begin, end, rows + events + selection + catalog + days, numbers, matrix)


@_compiled
def _walk(begin, end, arrays, numbers, matrix):  # type: ignore[no-untyped-def]
    """Block by block: group the events by stream, find the windows, write each family of aggregates."""
    rows, events = Rows(*arrays[:_ROWS]), EventArrays(*arrays[_ROWS:_EVENTS])
    selection, catalog = Selection(*arrays[_EVENTS:_SELECTION]), CatalogArrays(*arrays[_SELECTION:_CATALOG])
    days = LocalDays(*arrays[_CATALOG:])
    streams, n_streams = _find_streams(catalog, selection)
    K, parts = len(catalog.reach), np.empty(_PARTS)
    sift = streams.one_each and 0 < streams.used.sum() <= _FEW_STREAMS and n_streams < _MANY_STREAMS
    stream_of_event = np.empty(0, np.uint8)
    targets = _Targets(catalog.columns[:, 0].astype(np.uintp), catalog.columns[:, 2].astype(np.uintp))
    # A code was met in a row and stream when its mark holds their stamp, so nothing needs wiping; `latest`
    # has a place more than there are codes, for events without.
    n_details = events.code_counts[0]
    stamp, passed, latest = 0, 1, np.zeros((3, max(events.code_counts) + 1), np.int64)
    counts = _CodeCounts(
        np.zeros(n_details, np.int64), np.empty(n_details, np.int64), np.empty(n_details, np.int64)
    )
    most = 0  # places that an event takes at most
    for kind in range(len(selection.refunds)):
        places = 0
        for t in range(selection.starts[kind], selection.starts[kind + 1]):
            places += 2 if catalog.amounts[selection.streams[t]] else 1
        most = max(most, places)

    n_rows = min(_ROWS_OF_A_BLOCK, end - begin)
    layouts, bounds = np.empty((n_rows, 7), np.int64), np.empty((n_rows, n_streams, 2), np.int64)
    edges = np.zeros((n_rows + 2, n_streams, K + 2), np.uint32)  # four lanes may reach beyond the last row
    exact = np.ones((n_rows, n_streams), np.bool_)
    index = _DateIndex(
        np.zeros(3, np.int64), np.empty(n_rows, np.int64), np.empty(n_rows * (K + 1), np.int64),
        np.empty(n_rows * (K + 1) + 1, np.int64), np.empty(_STRETCHES, np.int64),
    )  # fmt: skip
    room = 0
    at, src, sums, extremes, flagged, newest = _allocate(room)
    lifetimes, running = (
        (catalog.starts[_LIFETIME, :, 0] < catalog.starts[_LIFETIME, :, 1]).any(),
        np.empty(0),
    )
    while begin < end:
        stop, shown, n_events = _take_block(begin, end, rows, events, layouts)
        if most * n_events + n_streams * shown > room:
            room = most * n_events + n_streams * shown + min(most * n_events, 1 << 20)
            at, src, sums, extremes, flagged, newest = _allocate(room)
            stream_of_event = np.empty(room, np.uint8)
            running = np.empty(room if lifetimes else 0)
        layout = _Layout(layouts[:shown], bounds, src, at, sums, extremes, edges, exact)
        _find_events(layout, events)
        if sift and not layout.shows[:, _LATE].any():
            _group_few_streams(layout, events, streams, stream_of_event)
        else:
            _reserve(layout, events, selection, streams)
            _group_by_stream(layout, events, streams)
            _group_with_filters(layout, events, selection, streams)
        _count_days(layout, events, days)
        _find_edges(begin, layout, rows, catalog, index)
        all_exact = _cumulate(layout, events, streams, catalog)
        _write_without_events(begin, stop, rows, layout, catalog, matrix)
        _write_tiles(begin, layout, rows, streams, catalog, targets, matrix)
        if not all_exact:
            _write_exact_sums(begin, layout, events, streams, catalog, targets, parts, matrix)
        marks = _NewestOfCode(latest, flagged, newest)
        passed = _write_distinct(begin, layout, events, catalog, targets, marks, passed, matrix)
        _write_positions(begin, stop, rows, layout, events, catalog, numbers, matrix)
        stamp = _write_frequencies(begin, stop, layout, events, catalog, counts, stamp, matrix)
        _write_clock_shares(begin, stop, layout, days, catalog, matrix)
        if lifetimes:
            _write_lifetimes(begin, rows, layout, catalog, numbers, running, matrix)
        _write_derived(begin, stop, catalog, matrix)
        begin = stop


@_compiled
def _allocate(places):  # type: ignore[no-untyped-def]
    """Arrays for this many places: `at`, `src`, `sums` and `extremes` of `_Layout`, then the words of flags
    of `_NewestOfCode`.
    """
    return (
        np.empty(places, np.int64),
        np.empty(places, np.uintp),
        np.zeros(4 * places),
        np.zeros(4 * places),
        np.empty(places, np.uint64),
        np.empty((places >> 6) + 3, np.uint64),
    )


@_compiled
def _find_streams(catalog, selection):  # type: ignore[no-untyped-def]
    """The `_Streams` of a catalogue, and how many there are with those of refunds."""
    amounts, refunds, filters = catalog.amounts, selection.refunds, selection.filters
    refund_stream, n_streams = np.full(len(amounts), -1), len(amounts)
    for s in range(len(amounts)):
        if amounts[s]:
            refund_stream[s] = n_streams
            n_streams += 1
    of_kind, used = np.full((2, len(refunds)), _NO_STREAM), np.zeros(n_streams, np.bool_)
    one_each = True
    for kind in range(len(refunds)):
        for t in range(selection.starts[kind], selection.starts[kind + 1]):
            s = selection.streams[t]
            one_each &= t == selection.starts[kind]
            one_each &= filters[s, 0] < 0 and filters[s, 1] < 0 and filters[s, 2] < 0
            of_kind[0, kind] = refund_stream[s] if refund_stream[s] >= 0 and refunds[kind] else s
            of_kind[1, kind] = refund_stream[s] if refund_stream[s] >= 0 else s
            used[of_kind[0, kind]] = used[of_kind[1, kind]] = True
    return _Streams(refund_stream, one_each, of_kind, used), n_streams


@_compiled
def _take_block(begin, end, rows, events, layouts):  # type: ignore[no-untyped-def]
    """Where the block of rows that starts at `begin` ends, its number of layouts, and of their events.

    Rows of one customer that follow each other share a layout up to their latest date, unless an event was
    recorded after it occurred or was retracted: what was known then depends on the date.
    """
    customers, moments = rows.customers, rows.moments
    offsets, instants = events.offsets, events.instants
    recorded, retracted = events.recorded, events.retracted
    shown, n_events, row, until_here = 0, 0, begin, (begin, 0, 0)
    while row < end and row - begin < _ROWS_OF_A_BLOCK:
        customer = customers[row]
        if customer < 0:
            row += 1
            continue
        first, stop = offsets[customer], offsets[customer + 1]
        if n_events and n_events + stop - first > _EVENTS_OF_A_BLOCK:
            break
        if row > begin and customers[row - 1] != customer:
            until_here = row, shown, n_events
        late = False
        if len(recorded):
            for i in range(first, stop):
                late |= recorded[i] > instants[i]
        if len(retracted):
            for i in range(first, stop):
                late |= retracted[i] != _NEVER
        layouts[shown, _CUSTOMER], layouts[shown, _LATE] = customer, late
        layouts[shown, _UNTIL], layouts[shown, _FROM_ROW] = moments[row], row
        n_events += stop - first
        row += 1
        while not late and row < end and row - begin < _ROWS_OF_A_BLOCK and customers[row] == customer:
            layouts[shown, _UNTIL] = max(layouts[shown, _UNTIL], moments[row])
            row += 1
        layouts[shown, _TO_ROW] = row
        shown += 1
    if until_here[0] > begin and row < end and customers[row] == customers[row - 1]:
        return until_here  # a customer of whom only some rows fit waits for the next block
    return row, shown, n_events


@_compiled
def _find_events(layout, events):  # type: ignore[no-untyped-def]
    """Finds the events of each layout: those of its customer before its latest date."""
    layouts, offsets, instants = layout.shows, events.offsets, events.instants
    for lay in range(_U(len(layouts))):
        customer, until = layouts[lay, _CUSTOMER], layouts[lay, _UNTIL]
        first, stop = _U(offsets[customer]), _U(offsets[customer + 1])
        layouts[lay, _FIRST] = first
        while first < stop:  # the first event at or after the date
            middle = (first + stop) >> _U(1)
            if instants[middle] < until:
                first = middle + _U(1)
            else:
                stop = middle
        layouts[lay, _STOP] = stop


@_compiled
def _reserve(layout, events, selection, streams):  # type: ignore[no-untyped-def]
    """Reserves room for each stream of a layout, for all events that it may take."""
    layouts, bounds, kinds = layout.shows, layout.bounds, events.kinds
    starts, takers, refund_stream = selection.starts, selection.streams, streams.refund_stream
    n_streams, room, of_kind = bounds.shape[1], 0, np.zeros(len(starts) - 1, np.int64)
    for lay in range(_U(len(layouts))):
        for i in range(_U(layouts[lay, _FIRST]), _U(layouts[lay, _STOP])):
            of_kind[_U(kinds[i])] += 1
        for s in range(_U(n_streams)):
            bounds[lay, s, 1] = 0
        for kind in range(_U(len(of_kind))):
            if of_kind[kind]:
                for t in range(_U(starts[kind]), _U(starts[kind + _U(1)])):
                    s = _U(takers[t])
                    bounds[lay, s, 1] += of_kind[kind]
                    if refund_stream[s] >= 0:
                        bounds[lay, _U(refund_stream[s]), 1] += of_kind[kind]
                of_kind[kind] = 0
        for s in range(_U(n_streams)):
            bounds[lay, s, 0] = room
            room += bounds[lay, s, 1] + 1  # one free place behind each: for what holds without events


@_compiled
def _group_few_streams(layout, events, streams, stream_of_event):  # type: ignore[no-untyped-def]
    """Groups events by stream as `_group_by_stream` does, for few streams: one pass for each.

    No branch depends on an event, and no event waits for the count of the one before.
    """
    layouts, bounds, src = layout.shows, layout.bounds, layout.src
    kinds, values, used = events.kinds, events.values, streams.used
    stream_of, if_negative = streams.of_kind[0], streams.of_kind[1]
    has_values, place = len(values), _U(0)
    for lay in range(_U(len(layouts))):
        first, n_events = layouts[lay, _FIRST], _U(layouts[lay, _STOP] - layouts[lay, _FIRST])
        for e in range(n_events):
            own = _U(kinds[_U(first) + e])
            below = has_values and values[_U(first) + e] < 0
            stream_of_event[e] = if_negative[own] if below else stream_of[own]
        for s in range(_U(len(used))):
            bounds[lay, s, 0] = place
            for e in range(n_events if used[s] else _U(0)):
                src[place] = _U(first) + e
                place += _U(stream_of_event[e] == np.uint8(s))
            bounds[lay, s, 1] = place
            place += _U(1)


@_compiled
def _group_by_stream(layout, events, streams):  # type: ignore[no-untyped-def]
    """Groups events by stream, oldest to newest, where each kind goes to one stream at most.

    All other cases are left to `_group_with_filters`.
    """
    layouts, bounds, src = layout.shows, layout.bounds, layout.src
    kinds, values = events.kinds, events.values
    stream_of, if_negative = streams.of_kind[0], streams.of_kind[1]
    n_streams, has_values = bounds.shape[1], len(values)
    free = np.empty(n_streams, np.uintp)
    for lay in range(_U(len(layouts) if streams.one_each else 0)):
        if layouts[lay, _LATE]:
            continue
        for s in range(_U(n_streams)):
            free[s] = bounds[lay, s, 0]
        for i in range(_U(layouts[lay, _FIRST]), _U(layouts[lay, _STOP])):
            own = _U(kinds[i])
            stream = if_negative[own] if has_values and values[i] < 0 else stream_of[own]
            if stream != _NO_STREAM:
                place = free[_U(stream)]
                free[_U(stream)] = place + _U(1)
                src[place] = i
        for s in range(_U(n_streams)):
            bounds[lay, s, 1] = free[s]


@_compiled
def _group_with_filters(layout, events, selection, streams):  # type: ignore[no-untyped-def]
    """Groups events by stream where streams choose by more than the kind, where several streams take one
    kind, or where an event was recorded late or retracted.
    """
    layouts, bounds, src = layout.shows, layout.bounds, layout.src
    recorded, retracted = events.recorded, events.retracted
    kinds, values = events.kinds, events.values
    channels, places, details = events.channels, events.places, events.details
    starts, takers, filters = selection.starts, selection.streams, selection.filters
    refunds, refund_stream = selection.refunds, streams.refund_stream
    channel_allowed, place_allowed, detail_allowed = selection.channels, selection.places, selection.details
    n_streams = bounds.shape[1]
    has_values, has_details, has_channels, has_places = len(values), len(details), len(channels), len(places)
    has_recorded, has_retracted = len(recorded) > 0, len(retracted) > 0
    free = np.empty(n_streams, np.int64)
    for lay in range(_U(len(layouts))):
        until, late = layouts[lay, _UNTIL], layouts[lay, _LATE]
        if streams.one_each and not late:
            continue
        for s in range(_U(n_streams)):
            free[s] = bounds[lay, s, 0]
        for i in range(_U(layouts[lay, _FIRST]), _U(layouts[lay, _STOP])):
            if late and has_recorded and recorded[i] >= until:
                continue
            if late and has_retracted and retracted[i] < until:
                continue
            own = _U(kinds[i])
            negative = has_values and values[i] < 0
            for t in range(_U(starts[own]), _U(starts[own + _U(1)])):
                s = _U(takers[t])
                if filters[s, 0] >= 0 and not (has_channels and channel_allowed[filters[s, 0], channels[i]]):
                    continue
                if filters[s, 1] >= 0 and not (has_places and place_allowed[filters[s, 1], places[i]]):
                    continue
                if filters[s, 2] >= 0 and not (has_details and detail_allowed[filters[s, 2], details[i]]):
                    continue
                if (refund_stream[s] >= 0) & (refunds[own] | negative):
                    s = _U(refund_stream[s])
                place = free[s]
                free[s] = place + 1
                src[_U(place)] = i
        for s in range(_U(n_streams)):
            bounds[lay, s, 1] = free[s]


@_compiled
def _count_days(layout, events, days):  # type: ignore[no-untyped-def]
    """Writes the instant of each grouped event, its place, and the distinct local days of its stream before
    its own day: `at` and the first two of the four `sums`.
    """
    layouts, bounds, src = layout.shows, layout.bounds, layout.src
    at, sums = layout.at, layout.sums
    instants, midnights = events.instants, days.midnights
    began = midnights[0]
    for lay in range(_U(len(layouts))):
        for s in range(_U(bounds.shape[1])):
            n_days, today = 0, _U(len(midnights))
            for p in range(_U(bounds[lay, s, 0]), _U(bounds[lay, s, 1])):
                moment = instants[src[p]]
                day = _U(moment - began) // _U(DAY)
                while midnights[day] > moment:
                    day -= _U(1)
                while midnights[day + _U(1)] <= moment:
                    day += _U(1)
                n_days += day != today
                today = day
                at[p] = moment
                sums[_U(4) * p], sums[_U(4) * p + _U(1)] = p, n_days - 1
            p = _U(bounds[lay, s, 1])
            sums[_U(4) * p], sums[_U(4) * p + _U(1)] = p, 0.0


@_compiled
def _find_edges(begin, layout, rows, catalog, index):  # type: ignore[no-untyped-def]
    """Finds, for each row and stream, where each window begins, then whole history, then where the past ends:
    `edges`, uint32[rows, streams, windows + 2].

    The rows of a layout of more than a few dates are done together: the edges of all their dates are sorted,
    and how many events lie before each is found in one pass. The sorted edges are reused for the next
    customer, who mostly has the same dates.
    """
    layouts, bounds, at, edges = layout.shows, layout.bounds, layout.at, layout.edges
    moments, reach = rows.moments, catalog.reach
    state, dates, order, ordered, stretches = index
    K, n_streams, flat = _U(len(reach)), _U(bounds.shape[1]), edges.reshape(-1)
    width, place, before = K + _U(2), np.empty(len(dates), np.int64), np.empty(len(ordered), np.uint32)
    for lay in range(_U(len(layouts))):
        row, stop_row = layouts[lay, _FROM_ROW], layouts[lay, _TO_ROW]
        together = stop_row - row >= _SHARED
        if together and not _find_dates(moments, row, stop_row, state, dates, place):
            _sort_edges(moments, row, stop_row, reach, index)
            _find_dates(moments, row, stop_row, state, dates, place)
        since, shift, n_edges = ordered[0], state[1], state[2]
        here, n_rows = _U(row - begin) * n_streams * width, _U(stop_row - row)
        for s in range(n_streams):
            first, stop = bounds[lay, s, 0], bounds[lay, s, 1]
            own = here + s * width
            if first == stop:
                for _ in range(n_rows):
                    for k in range(width):
                        flat[own + k] = first
                    own += n_streams * width
            elif together:
                for e in range(_U(n_edges + 1)):
                    before[e] = 0
                for p in range(_U(first), _U(stop)):
                    moment = at[p]
                    edge = _U(0)
                    if moment >= since:
                        edge = _U(stretches[_U((moment - since) >> shift)])
                        while ordered[edge] <= moment:
                            edge += _U(1)
                    before[edge] += np.uint32(1)
                total = np.uint32(first)
                for e in range(_U(n_edges + 1)):
                    total += before[e]
                    before[e] = total
                for r in range(n_rows):
                    d = _U(place[r]) * (K + _U(1))
                    for k in range(K):
                        flat[own + k] = before[_U(order[d + k])]
                    flat[own + K] = first
                    flat[own + K + _U(1)] = before[_U(order[d + K])]
                    own += n_streams * width
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
                    own += n_streams * width


@_compiled
def _find_dates(moments, begin, end, state, dates, place):  # type: ignore[no-untyped-def]
    """Whether the dates of these rows are all in the index, and the place of each."""
    d = 0
    for row in range(begin, end):
        if row > begin and moments[row] < moments[row - 1]:
            d = 0
        while d < state[0] and dates[d] < moments[row]:
            d += 1
        if d == state[0] or dates[d] != moments[row]:
            return False
        place[row - begin] = d
    return True


@_compiled
def _sort_edges(moments, begin, end, reach, index):  # type: ignore[no-untyped-def]
    """Adds the dates of these rows to the index (starts it anew where there is no room); sorts the edges."""
    state, dates, order, ordered, stretches = index
    known, K = np.unique(np.concatenate((dates[: state[0]], moments[begin:end]))), len(reach)
    if len(known) > min(len(dates), _MOST_DATES * (end - begin)):
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
    state[0], state[1], state[2] = len(known), shift, len(by_time)
    e = 0
    for stretch in range((span >> shift) + 1):
        while ordered[e] <= ordered[0] + (stretch << shift):
            e += 1
        stretches[stretch] = e


@_compiled
def _cumulate(layout, events, streams, catalog):  # type: ignore[no-untyped-def]
    """Cumulative sums of a stream from its first event on; a window's sum is a difference of two of them.

    Each is a sum of the events before and, as a second number, what that sum rounded away (two-sum), so that
    a difference is right however much lies before: the last two of the four `sums`. Where means and extremes
    are computed, also how many events before have a value, and the event's own value: the outer two of the
    four `extremes`. Nothing overflows: `events.LARGEST`.

    `exact`, bool[layouts, streams], says whether no difference of such sums, refunds included, can lose
    anything; returns whether that holds for all. Amounts are whole multiples of the last digit that the
    smallest of them can have. A number holds 2^53 such units: enough for second numbers and for what the
    first number of a difference rounds away, if `_is_exact`, and surely if amounts are few enough and of
    sizes near enough.
    """
    layouts, bounds, src = layout.shows, layout.bounds, layout.src
    sums, extremes, exact = layout.sums, layout.extremes, layout.exact
    values, refund_stream, tiles = events.values, streams.refund_stream, catalog.tiles
    has_values, all_exact = len(values), True
    for s in range(_U(len(tiles))):
        more_than_sums = tiles[s, _MEAN] < tiles[s, _MAX + 1]
        for lay in range(_U(len(layouts) if tiles[s, _SUM] < tiles[s, _MAX + 1] else 0)):
            smallest, largest, n_events = math.inf, 0.0, 0.0
            for stream in (np.int64(s), refund_stream[s]):
                if stream < 0:
                    continue
                total, rest, valued = 0.0, 0.0, 0.0
                first, stop = _U(bounds[lay, stream, 0]), _U(bounds[lay, stream, 1])
                for p in range(first, stop):
                    value = values[src[p]] + 0.0 if has_values else math.nan  # −0.0 becomes 0.0
                    sums[_U(4) * p + _U(2)], sums[_U(4) * p + _U(3)] = total, rest
                    if more_than_sums:
                        extremes[_U(4) * p], extremes[_U(4) * p + _U(3)] = valued, value
                        valued += not math.isnan(value)
                    value = 0.0 if math.isnan(value) else value
                    size = abs(value)
                    largest = max(largest, size)
                    smallest = min(smallest, size if size > 0.0 else math.inf)
                    total, error = _two_sum(total, value)
                    rest += error
                sums[_U(4) * stop + _U(2)], sums[_U(4) * stop + _U(3)] = total, rest
                extremes[_U(4) * stop] = valued
                n_events += stop - first
            exact[lay, s] = True
            if (n_events + 4.0) * n_events * largest > smallest * 2.0**51:
                for stream in (np.int64(s), refund_stream[s]):
                    if stream >= 0:
                        first, stop = _U(bounds[lay, stream, 0]), _U(bounds[lay, stream, 1])
                        exact[lay, s] &= _is_exact(first, stop, sums, smallest)
                all_exact &= exact[lay, s]
    return all_exact


@_compiled
def _is_exact(first, stop, sums, smallest):  # type: ignore[no-untyped-def]
    """Whether the cumulative sums of a stream leave room for every difference: see `_cumulate`.

    A difference takes two second numbers each of two streams, and rounding of up to 2^-50 of the largest sum.
    """
    largest, most = 0.0, 0.0
    for p in range(first, stop + _U(1)):
        largest, most = max(largest, abs(sums[_U(4) * p + _U(2)])), max(most, abs(sums[_U(4) * p + _U(3)]))
    return most + largest * 2.0**-51 <= smallest / 4.0


@numba.njit(inline="always")
def _two_sum(one, other):  # type: ignore[no-untyped-def]
    """A sum and its rounding error (Knuth's two-sum)."""
    total = one + other
    part = total - one
    return total, (one - (total - part)) + (other - part)


@numba.njit(inline="always")
def _subtract(total, rest, earlier_total, earlier_rest):  # type: ignore[no-untyped-def]
    """The difference of two sums of `_cumulate`, as a number and its rounding error."""
    apart = total - earlier_total
    part = apart - total
    return apart, ((total - (apart - part)) - (earlier_total + part)) + (rest - earlier_rest)


@_compiled
def _write_without_events(begin, end, rows, layout, catalog, matrix):  # type: ignore[no-untyped-def]
    """Writes the rows of customers without any event."""
    customers, edges, empty = rows.customers, layout.edges, catalog.empty
    for row in range(_U(begin), _U(end)):
        if customers[row] < 0:
            for column in range(_U(len(empty))):
                matrix[row, column] = empty[column]
            for s in range(_U(edges.shape[1])):
                for k in range(_U(edges.shape[2])):
                    edges[row - _U(begin), s, k] = 0


@_compiled
def _write_tiles(begin, layout, rows, streams, catalog, targets, matrix):  # type: ignore[no-untyped-def]
    """Writes counts, days, sums, means and extremes: differences between a window's end and its beginning.

    Four windows at a time (`CatalogArrays.lanes`). First fills the rows with the values without events.
    The lowest and the negated highest value from each place to the newest event before the date are the
    middle two of `extremes`; the next date of a customer goes on from there.
    """
    layouts, at, sums, extremes, edges = layout.shows, layout.at, layout.sums, layout.extremes, layout.edges
    moments, refund_stream, empty = rows.moments, streams.refund_stream, catalog.empty
    tiles, lanes, column_of, window = catalog.tiles, catalog.lanes, targets.column, targets.window
    S, n_streams, width = len(tiles), _U(edges.shape[1]), _U(edges.shape[2])
    whole, past, flat, line = width - _U(2), width - _U(1), edges.reshape(-1), matrix.reshape(-1)
    groups, reached = _U(len(lanes) // (S * LANES * (ON_TILES + 1)) if S else 0), np.zeros((S, 2), np.uintp)
    nothing, never, none = four(0.0), four(math.inf), four(math.nan)
    for lay in range(_U(len(layouts))):
        for s in range(_U(S)):
            reached[s, 0] = reached[s, 1] = _NO_STREAM
        for row in range(_U(layouts[lay, _FROM_ROW]), _U(layouts[lay, _TO_ROW])):
            n, here = row - _U(begin), row * _U(len(empty))
            for column in range(_U(len(empty))):
                line[here + column] = empty[column]
            for s in range(_U(S)):
                own = (n * n_streams + s) * width
                first, stop = _U(flat[own + whole]), _U(flat[own + past])
                has, no_refunds, refunds_at, refunded = stop > first, True, own, stop
                if refund_stream[s] >= 0:
                    refunds_at = (n * n_streams + _U(refund_stream[s])) * width
                    refunded = _U(flat[refunds_at + past])
                    no_refunds = refunded == _U(flat[refunds_at + whole])
                if stop == first and no_refunds:
                    continue
                since_last = (moments[row] - at[stop - _U(has)]) / DAY
                for c in range(_U(tiles[s, _SINCE_LAST]), _U(tiles[s, _SINCE_LAST + 1])):
                    line[here + column_of[c]] = since_last if has else empty[column_of[c]]
                since_first = (moments[row] - at[first]) / DAY
                for c in range(_U(tiles[s, _SINCE_FIRST]), _U(tiles[s, _SINCE_FIRST + 1])):
                    line[here + column_of[c]] = since_first if has else empty[column_of[c]]
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
                        old = four_at(extremes, _U(4) * p)
                        value = extremes[_U(4) * p + _U(3)]
                        m = minimum4(both_ways(value), m)
                        store4(extremes, _U(4) * p, blend(old, m))
                    if until > far:
                        for p in range(far, until):
                            old = four_at(extremes, _U(4) * p)
                            # Mixed, as "store where lesser" alone becomes a store that is ten times as slow.
                            store4(extremes, _U(4) * p, blend(old, minimum4(m, old)))
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
                        more, less = _subtract(four(sums[end + _U(2)]), four(sums[end + _U(3)]), head, tail)
                        if lanes[group + _SUMS] != NO_LANES:
                            total = more + less
                            if not no_refunds:
                                q = refunds_at + _U(lanes[group + _ANY + _U(1)])
                                head, tail = transpose4(sums, flat, q)[2:]
                                q = _U(4) * refunded
                                gone, rest = _subtract(
                                    four(sums[q + _U(2)]), four(sums[q + _U(3)]), head, tail
                                )
                                total, rest = _subtract(more, less, -gone, -rest)
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
def _write_exact_sums(begin, layout, events, streams, catalog, targets, parts, matrix):  # type: ignore[no-untyped-def]
    """Writes sums and means again, value by value, where the two numbers of `_cumulate` are not enough."""
    layouts, exact, values = layout.shows, layout.exact, events.values
    refund_stream, tiles = streams.refund_stream, catalog.tiles
    column_of, window = targets.column, targets.window
    for lay in range(_U(len(layouts))):
        for row in range(_U(layouts[lay, _FROM_ROW]), _U(layouts[lay, _TO_ROW])):
            n = row - _U(begin)
            for s in range(_U(len(tiles))):
                stop = tiles[s, _SUM] if exact[lay, s] else tiles[s, _MEAN + 1]
                for c in range(_U(tiles[s, _SUM]), _U(stop)):
                    used, valued = _add_parts(layout, n, s, window[c], values, parts, 0)
                    if c >= _U(tiles[s, _MEAN]):
                        if valued:  # without values the empty value is there already
                            matrix[row, column_of[c]] = _rounded(parts, used) / valued
                        continue
                    if refund_stream[s] >= 0:
                        back = _U(refund_stream[s])
                        used, _ = _add_parts(layout, n, back, window[c], values, parts, used)
                    matrix[row, column_of[c]] = _rounded(parts, used)


@_compiled
def _add_parts(layout, n, s, k, values, parts, used):  # type: ignore[no-untyped-def]
    """Adds the values of a window to an exact sum: the first `used` of `parts`, which share no digit.

    Returns how many are used then, and how many values there were. Shewchuk 1997, Adaptive precision
    floating-point arithmetic and fast robust geometric predicates, figure 4.
    """
    edges, src = layout.edges, layout.src
    valued = 0
    for p in range(_U(edges[n, s, k]), _U(edges[n, s, edges.shape[2] - 1])):
        value, n_parts = values[src[p]], 0
        if math.isnan(value):
            continue
        valued += 1
        for part in range(used):
            value, rest = _two_sum(value, parts[part])
            if rest != 0.0:
                parts[n_parts] = rest
                n_parts += 1
        parts[n_parts] = value
        used = n_parts + 1
    return used, valued


@_compiled
def _rounded(parts, used):  # type: ignore[no-untyped-def]
    """The exact sum of `_add_parts`, rounded once: the largest part, and what it can hold of the others.

    Halves are rounded to even only where nothing is left behind them.
    """
    total, rest = 0.0, 0.0
    while used and rest == 0.0:
        used -= 1
        total, rest = _two_sum(total, parts[used])
    if used and (rest > 0.0) == (parts[used - 1] > 0.0):
        more = total + 2.0 * rest
        if more - total == 2.0 * rest:
            return more
    return total


@_compiled
def _write_distinct(begin, layout, events, catalog, targets, marks, passed, matrix):  # type: ignore[no-untyped-def]
    """Writes how many distinct details, channels and places a window holds.

    From date to date of a customer each event sets a flag, and the event before it with the same code loses
    its own. The flags that remain mark the newest event of each code; a window counts those it reaches.
    `latest` holds where each code was met, counted from the first layout on, so that nothing needs wiping.
    """
    layouts, bounds, src, edges = layout.shows, layout.bounds, layout.src, layout.edges
    channels, places, details = events.channels, events.places, events.details
    starts, columns, column_of, window = catalog.starts, catalog.columns, targets.column, targets.window
    latest, flagged, newest = marks
    S, K = starts.shape[1], edges.shape[2] - 2
    for s in range(S):
        after = starts[DIFFERENT, s, 0]
        while after < starts[DIFFERENT, s, 1]:
            first_column, which = after, columns[after, 1]
            while after < starts[DIFFERENT, s, 1] and columns[after, 1] == which:
                after += 1
            codes = details if which == 0 else channels if which == 1 else places
            farthest, met, has_codes = columns[after - 1, 2], latest[which], len(codes)
            for lay in range(len(layouts)):
                begins, ends = _U(bounds[lay, s, 0]), _U(bounds[lay, s, 1])
                if ends - begins < _U(64):
                    flags = np.uint64(0)
                    for p in range(begins, ends):
                        flagged[p] = flags
                        code = np.int64(codes[src[p]]) if has_codes else np.int64(MISSING)
                        before = met[code] - passed
                        met[code] = np.int64(p) + passed
                        since_first = before - np.int64(begins)
                        flags &= ~(np.uint64(since_first >= 0) << (_U(since_first) & _LAST_BIT))
                        flags |= np.uint64(code >= 0) << (p - begins)
                    flagged[ends] = flags
                    for row in range(_U(layouts[lay, _FROM_ROW]), _U(layouts[lay, _TO_ROW])):
                        n = row - _U(begin)
                        flags = flagged[_U(edges[n, s, K + 1])]
                        for c in range(_U(first_column), _U(after)):
                            matrix[row, column_of[c]] = _flags(flags >> (_U(edges[n, s, window[c]]) - begins))
                    passed += np.int64(ends)
                    continue
                since, base, until = np.int64(_NEVER), np.int64(0), np.int64(0)
                for row in range(_U(layouts[lay, _FROM_ROW]), _U(layouts[lay, _TO_ROW])):
                    n = row - _U(begin)
                    far, stop = np.int64(edges[n, s, farthest]), np.int64(edges[n, s, K + 1])
                    if far < since or stop < until:  # the first date, or one before the last
                        passed += until
                        since = until = far
                        base = since - 64  # the first word is for what lies before
                        newest[0] = newest[1] = 0
                    old, new = _U(until - base), _U(stop - base)
                    word_before = newest[old >> _WORD]
                    for word in range(old >> _WORD, new >> _WORD):
                        newest[word] = _ALL
                    newest[new >> _WORD] = ~(_ALL << (new & _LAST_BIT))
                    newest[old >> _WORD] = word_before | (newest[old >> _WORD] & (_ALL << (old & _LAST_BIT)))
                    for p in range(_U(until), _U(stop)):
                        code = np.int64(codes[src[p]]) if has_codes else np.int64(MISSING)
                        before = met[code] - passed - base  # of no code: the last place is for those
                        before = before if before > 0 else 0
                        met[code] = np.int64(p) + passed
                        gone = _U(before) if code >= 0 else p - _U(base)
                        newest[gone >> _WORD] &= ~(np.uint64(1) << (gone & _LAST_BIT))
                    until = stop
                    distinct, word = 0, _U(stop - base) >> _WORD
                    for c in range(_U(first_column), _U(after)):
                        edge = _U(np.int64(edges[n, s, window[c]]) - base)
                        while word > edge >> _WORD:
                            distinct += _flags(newest[word])
                            word -= _U(1)
                        matrix[row, column_of[c]] = distinct + _flags(newest[word] >> (edge & _LAST_BIT))
                passed += until
    return passed


@intrinsic
def _flags(_, word):  # type: ignore[no-untyped-def]
    """How many flags of a word are set: one instruction."""

    def generate(_, builder, __, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return word(word), generate


@_compiled
def _write_positions(begin, end, rows, layout, events, catalog, numbers, matrix):  # type: ignore[no-untyped-def]
    """Writes what follows from where a window begins and ends: gaps, overdue ratios, spread, last value."""
    moments, edges, at, sums, src = rows.moments, layout.edges, layout.at, layout.sums, layout.src
    populations = rows.populations
    values, details, starts, columns = events.values, events.details, catalog.starts, catalog.columns
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
                    typical, weight = numbers[populations[row], s, 0], numbers[populations[row], s, 1]
                    if operation == _OVERDUE_SMOOTHED and typical * weight >= 0:
                        spent, gaps = spent + typical * weight, gaps + weight
                    if spent > 0:
                        matrix[row, column] = (as_of - at[last]) / DAY / (spent / gaps)
                elif operation == _SILENCE:
                    learned = numbers[populations[row], s]
                    matrix[row, column] = _silence(
                        sums[4 * last + 1] - sums[4 * first + 1] + 1.0,
                        (as_of - at[first]) / DAY,
                        (as_of - at[last]) / DAY,
                        np.float64(columns[c, 3]),
                        learned[2], learned[3], learned[4], learned[5],
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
    """The standard deviation of the values of the grouped events from `begin` to `end`."""
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
def _write_frequencies(begin, end, layout, events, catalog, counts, stamp, matrix):  # type: ignore[no-untyped-def]
    """Writes the most frequent detail of a window, and its share of the events that have one."""
    edges, src, codes = layout.edges, layout.src, events.details
    starts, columns = catalog.starts, catalog.columns
    met, times, rank = counts
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
                    if met[code] != stamp:
                        met[code], times[code], rank[code] = stamp, 0, -different
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
def _write_clock_shares(begin, end, layout, days, catalog, matrix):  # type: ignore[no-untyped-def]
    """Writes the shares of events in the parts of the day and on the weekdays, by the local clock."""
    edges, at, midnights, turns = layout.edges, layout.at, days.midnights, days.turns
    starts, columns = catalog.starts, catalog.columns
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
def _write_lifetimes(begin, rows, layout, catalog, numbers, running, matrix):  # type: ignore[no-untyped-def]
    """Writes what is of whole history: fading counts, gaps, the share of younger events, being alive.

    What grows from event to event does not depend on the date: `running`, float64[e], holds it as of each
    event, once for all dates of a customer.
    """
    layouts, bounds, at, sums, edges = layout.shows, layout.bounds, layout.at, layout.sums, layout.edges
    moments, populations, starts, columns = rows.moments, rows.populations, catalog.starts, catalog.columns
    S, K = starts.shape[1], edges.shape[2] - 2
    for s in range(S):
        for c in range(starts[_LIFETIME, s, 0], starts[_LIFETIME, s, 1]):
            column, operation, days = _U(columns[c, 0]), columns[c, 1], np.float64(columns[c, 3])
            for lay in range(_U(len(layouts))):
                first, ends = bounds[lay, s, 0], bounds[lay, s, 1]
                if first == ends:
                    continue
                _cumulate_lifetime(operation, days, at, _U(first), _U(ends), running)
                for row in range(_U(layouts[lay, _FROM_ROW]), _U(layouts[lay, _TO_ROW])):
                    stop = np.int64(edges[row - _U(begin), s, K + 1])
                    if stop == first:
                        continue
                    as_of, last, gaps = moments[row], stop - 1, stop - 1 - first
                    tenure = (as_of - at[first]) / DAY
                    if operation == _DECAYED_COUNT:
                        faded = math.exp(-((as_of - at[last]) / DAY) / days)
                        matrix[row, column] = running[_U(last)] * faded
                    elif operation == _GAP_FIRST:
                        if gaps:
                            matrix[row, column] = (at[first + 1] - at[first]) / DAY
                    elif operation == _GAP_LAST:
                        if gaps:
                            matrix[row, column] = (at[last] - at[last - 1]) / DAY
                    elif operation == _GAP_MIN:
                        if gaps:
                            matrix[row, column] = running[_U(last)]
                    elif operation == _GAP_GEOMETRIC:
                        if gaps:
                            matrix[row, column] = math.expm1(running[_U(last)] / gaps)
                    elif operation == _ACTIVE_DAY_RATE:
                        active_days = sums[4 * last + 1] - sums[4 * first + 1] + 1.0
                        matrix[row, column] = active_days / (tenure + _NEWCOMER_DAYS)
                    elif operation == _SHARE_YOUNGER_HALF:
                        older, younger = first, stop
                        while older < younger:  # the first event of the younger half
                            middle = (older + younger) >> 1
                            if 2 * (at[middle] - at[first]) < as_of - at[first]:
                                older = middle + 1
                            else:
                                younger = middle
                        matrix[row, column] = (stop - older) / (stop - first)
                    elif operation == _ALIVE:
                        learned = numbers[populations[row], s]
                        matrix[row, column] = _alive(
                            sums[4 * last + 1] - sums[4 * first + 1],
                            tenure,
                            (as_of - at[last]) / DAY,
                            learned[2], learned[3], learned[4], learned[5],
                        )  # fmt: skip


@_compiled
def _cumulate_lifetime(operation, days, at, first, stop, running):  # type: ignore[no-untyped-def]
    """Of a stream's events from the first on, as of each: the fading count, the shortest gap in days, or the
    sum of the logarithms of 1 + the gaps in days.
    """
    if operation == _DECAYED_COUNT:
        total = 0.0
        for p in range(first, stop):
            if p > first:
                total *= math.exp(-((at[p] - at[p - _U(1)]) / DAY) / days)
            total += 1.0
            running[p] = total
    elif operation == _GAP_MIN:
        shortest = math.inf
        for p in range(first, stop):
            if p > first:
                shortest = min(shortest, (at[p] - at[p - _U(1)]) / DAY)
            running[p] = shortest
    elif operation == _GAP_GEOMETRIC:
        total = 0.0
        for p in range(first, stop):
            if p > first:
                total += math.log1p((at[p] - at[p - _U(1)]) / DAY)
            running[p] = total


@_compiled
def _write_derived(begin, end, catalog, matrix):  # type: ignore[no-untyped-def]
    """Writes the columns that are made of two others."""
    derived, factors = catalog.derived, catalog.factors
    for row in range(begin, end):
        for d in range(len(derived)):
            one, other = matrix[row, derived[d, 2]], matrix[row, derived[d, 3]]
            if derived[d, 1] == _DIFFERENCE:
                matrix[row, derived[d, 0]] = one - other
            else:
                quotient = one / other * factors[d] if other != 0 else math.nan
                matrix[row, derived[d, 0]] = quotient if math.isfinite(quotient) else math.nan


@_compiled
def _alive(again, since_first, since_last, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """The probability that a customer who came on `again` more days than one has not stopped for good."""
    grown = ((alpha + since_first) / (alpha + (since_first - since_last))) ** (r + again)
    return 1.0 / (1.0 + a / (b + again) * grown)


@_compiled
def _silence(active_days, since_first, since_last, days, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """The probability of no event in the next days, by MBG/NBD (Batislam, Denizel and Filiztekin 2007).

    While alive a customer comes at a rate of their own, drawn from Gamma(r, alpha); after each active day,
    the first included, they stop for good with a chance of their own, drawn from Beta(a, b).
    """
    again, until = active_days - 1.0, alpha + since_first
    alive = _alive(again, since_first, since_last, r, alpha, a, b)
    return 1.0 - alive * (1.0 - (until / (until + days)) ** (r + again))


@numba.vectorize(cache=True)
def silence(active_days, since_first, since_last, days, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """The probability of no event in the next `days`, of many customers: the aggregate `silence`.

    Active days, and days since the first and the last of them, all float64 and of whole history; four
    numbers of the population. The same code as the kernel's, so its numbers are equal bit for bit.
    """
    return _silence(active_days, since_first, since_last, days, r, alpha, a, b)

"""Checks and timestamps of a live request in compiled passes: the fast path from JSON rows to a history.

Inputs: the columns of a request as arrays (`check_rows`); the timestamps of all rows as one text of bytes
(`parse_timestamps`).
Outputs: whether the rows are plainly valid, and sorted; instants in microseconds UTC.
Invariant: whatever is not plainly valid is refused here (`INVALID`, `False`) and left to the rules of the
store, so a row accepted here is accepted there, with the same instant.
Plain versions: `tests.reference.checked` and `datetime.fromisoformat`; tests compare them.
Read on only to change the speed.
"""

from __future__ import annotations

import numba
import numpy as np

INVALID, IN_ORDER, OUT_OF_ORDER = range(3)

_SECOND = 1_000_000
_ZERO, _NEW_LINE = 48, 10


@numba.njit(cache=True, nogil=True)
def check_rows(keys, instants, values, kinds, refund, earliest, latest, largest):  # type: ignore[no-untyped-def]
    """`INVALID` if any row is; else whether the rows ascend by customer and instant without a tie.

    Invalid is an instant or a value out of bounds, and a refund (of the kind `refund`) that is positive.
    """
    order = IN_ORDER
    for row in range(len(keys)):
        if not earliest <= instants[row] <= latest or abs(values[row]) > largest:
            return INVALID
        if kinds[row] == refund and values[row] > 0.0:
            return INVALID
        if row > 0 and keys[row] == keys[row - 1] and instants[row] <= instants[row - 1]:
            order = OUT_OF_ORDER
        if row > 0 and keys[row] < keys[row - 1]:
            order = OUT_OF_ORDER
    return order


@numba.njit(cache=True, nogil=True)
def parse_timestamps(text, instants):  # type: ignore[no-untyped-def]
    """Parses lines like `2017-11-07T16:16:55.25+09:00` into `instants`, int64[lines], microseconds UTC.

    False if any line has another form; `instants` is then undefined. Python parses more forms, and these to
    the same instants.
    """
    at, size, count = 0, len(text), len(instants)
    for line in range(count):
        if at + 20 > size:
            return False
        if not (
            text[at + 4] == 45 and text[at + 7] == 45 and (text[at + 10] == 84 or text[at + 10] == 32)
            and text[at + 13] == 58 and text[at + 16] == 58
        ):  # fmt: skip
            return False
        year = 100 * _two(text, at) + _two(text, at + 2)
        month, day, hour = _two(text, at + 5), _two(text, at + 8), _two(text, at + 11)
        minute, second = _two(text, at + 14), _two(text, at + 17)
        if min(month, day, hour, minute, second, _two(text, at), _two(text, at + 2)) < 0:
            return False
        if year < 1970 or year > 2100 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
            return False
        if day < 1 or day > _days(year, month):
            return False
        instant = (_day(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * _SECOND
        at += 19
        if text[at] == 46:
            at, unit, begun = at + 1, _SECOND, at
            while at < size and _ZERO <= text[at] <= _ZERO + 9 and unit > 1:
                unit //= 10
                instant += unit * (np.int64(text[at]) - _ZERO)
                at += 1
            if at == begun + 1:
                return False
        if at >= size:
            return False
        if text[at] == 90:
            at += 1
        else:
            if at + 6 > size or text[at + 3] != 58 or not (text[at] == 43 or text[at] == 45):
                return False
            hours, minutes = _two(text, at + 1), _two(text, at + 4)
            if min(hours, minutes) < 0 or hours > 23 or minutes > 59:
                return False
            offset = (hours * 60 + minutes) * 60 * _SECOND
            instant += -offset if text[at] == 43 else offset
            at += 6
        instants[line] = instant
        if line < count - 1:
            if at >= size or text[at] != _NEW_LINE:
                return False
            at += 1
    return at == size


@numba.njit(cache=True, inline="always")
def _two(text, at):  # type: ignore[no-untyped-def]
    """Two digits as a number, below zero where they are none."""
    tens, ones = np.int64(text[at]) - _ZERO, np.int64(text[at + 1]) - _ZERO
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else np.int64(-1_000)


@numba.njit(cache=True)
def _days(year, month):  # type: ignore[no-untyped-def]
    """Days of a month."""
    if month == 2:
        return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@numba.njit(cache=True)
def _day(year, month, day):  # type: ignore[no-untyped-def]
    """Days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    years = year - 1 if month <= 2 else year
    era = years // 400
    of_era = years - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468

"""Fields of a calendar as microseconds: year, month, day and time of day, checked and counted by columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
DAY_US = 86_400_000_000
FIRST_YEAR, LAST_YEAR = 1, 9999
_LENGTHS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)


def days(year: Whole, month: Whole, day: Whole) -> tuple[Whole, Flags]:
    """Days since 1970-01-01 in the Gregorian calendar, and whether there is such a day."""
    there = (month >= 1) & (month <= 12) & (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    month = np.where(there, month, 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    there &= (day >= 1) & (day <= _LENGTHS[month] + ((month == 2) & leap))
    # Years begin in March, so that the leap day is the last of its year.
    shifted = year - (month <= 2)
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    count = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    return np.asarray(count), np.asarray(there)


def time_of_day(hour: Whole, minute: Whole, second: Whole, half: str = "") -> tuple[Whole, Flags]:
    """Seconds since midnight, and whether a clock shows such a time; 24:00:00 is the end of the day.

    `half` is "am" or "pm" where hours count to twelve.
    """
    there = (minute < 60) & (second < 60)
    if half:
        there &= hour <= 12
        hour = hour % 12 + (12 if half == "pm" else 0)
    else:
        there &= (hour < 24) | ((hour == 24) & (minute == 0) & (second == 0))
    return hour * 3600 + minute * 60 + second, np.asarray(there)

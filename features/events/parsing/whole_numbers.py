"""Whole numbers as moments: 20240501, 20240501093000, and seconds to nanoseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.events.parsing.calendar_fields import DAY_US, Flags, Whole, days, time_of_day

EPOCHS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
"""What a count since 1970 may count, and how many of them are a second."""
_FIRST, _LAST = 631_152_000, 4_102_444_800
"""Seconds since 1970 of 1990-01-01 and 2100-01-01: a count outside is taken for no moment."""
_DIGITS = {8: "yyyymmdd", 10: "yyyymmddhh", 12: "yyyymmddhhmm", 14: "yyyymmddhhmmss",
           16: "yyyymmddhhmmss and hundredths", 17: "yyyymmddhhmmss and milliseconds"}  # fmt: skip
KINDS = ("", *_DIGITS.values(), *EPOCHS)
"""What a whole number may mean."""


@dataclass(frozen=True, eq=False)
class WholeMoments:
    """Whole numbers as moments."""

    micros: Whole
    """Microseconds since 1970: local time where the digits are those of a date, else UTC."""
    kinds: Whole
    """Places in `KINDS`; 0 where a number is no moment."""

    @property
    def counted(self) -> Flags:
        """Where a number counts from 1970, and so is in UTC."""
        return np.asarray(self.kinds >= KINDS.index("seconds"))


def read_whole_numbers(numbers: Whole) -> WholeMoments:
    """What each whole number means by its digits.

    The digits of a date are those of a date even where a count since 1970 has as many: as a count it would
    lie in 2032 to 2036.
    """
    micros, kinds = np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.int64)
    if not len(numbers):
        return WholeMoments(micros, kinds)
    for name, per_second in EPOCHS.items():
        fits = (numbers >= _FIRST * per_second) & (numbers < _LAST * per_second)
        if fits.any():
            chosen = numbers[fits]
            micros[fits] = (
                chosen * (1_000_000 // per_second)
                if per_second <= 1_000_000
                else chosen // (per_second // 1_000_000)
            )
            kinds[fits] = KINDS.index(name)
    for width, name in _DIGITS.items():
        fits = (numbers >= 10 ** (width - 1)) & (numbers < 10**width)
        if fits.any():
            rows = np.flatnonzero(fits)
            moments, there = _by_digits(numbers[rows], width)
            micros[rows[there]] = moments[there]
            kinds[rows[there]] = KINDS.index(name)
    return WholeMoments(micros, kinds)


def _by_digits(numbers: Whole, width: int) -> tuple[Whole, Flags]:
    date = numbers // 10 ** (width - 8)
    count, there = days(date // 10_000, date // 100 % 100, date % 100)
    there &= (date >= 19_000_101) & (date < 21_000_101)
    rest = numbers % 10 ** (width - 8)
    places = width - 8
    clock = rest // 10 ** max(places - 6, 0) if places >= 6 else rest * 10 ** (6 - places)
    of_day, told = time_of_day(clock // 10_000, clock // 100 % 100, clock % 100)
    fraction = rest % 10 ** (places - 6) * 10 ** (12 - places) if places > 6 else np.zeros_like(rest)
    return np.asarray(count * DAY_US + of_day * 1_000_000 + fraction), np.asarray(there & told)

"""Texts as moments, by whole columns: each shape's layout, the order of day and month by evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.parsing.absent import is_absent
from features.events.parsing.calendar_fields import DAY_US, Flags, Whole, days, time_of_day
from features.events.parsing.layouts import MomentLayout, Part, layout_of
from features.events.parsing.shapes import ShapeGroup, shaped
from features.events.parsing.whole_numbers import EPOCHS, KINDS, read_whole_numbers

_COUNTED = re.compile(r"\s*(9{8,19})(?:\.(9{1,9}))?\s*")
_LAST_OF_2000 = 68
"""A year 68 is 2068, a year 69 is 1969, as in POSIX."""


@dataclass(frozen=True, eq=False)
class OrderedNumbers:
    """Dates such as 01/02/2024, whose day and month only the column can tell."""

    rows: NDArray[np.int64]
    of_day: Whole
    """Microseconds to add to the day."""
    by_order: dict[str, tuple[Whole, Flags]]
    """Days since 1970 in each order, and whether there is such a day."""

    def valid(self, order: str) -> Flags:
        """Where an order gives a day; nowhere, if the shape cannot have that order."""
        known = self.by_order.get(order)
        return np.zeros(len(self.rows), bool) if known is None else known[1]

    def example(self, texts: pa.Array, where: Flags) -> str:
        """The text of the first row of a mask over these rows."""
        return str(texts[int(self.rows[np.flatnonzero(where)[0]])].as_py()).strip()


@dataclass(eq=False)
class MomentColumn:
    """A column of text as moments, as far as one batch can tell."""

    texts: pa.Array
    micros: Whole
    """Microseconds: UTC where `zoned`, else local."""
    zoned: Flags
    absent: Flags
    unreadable: Flags
    places: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Rows whose text names a zone of the IANA database: local readings there."""
    doubts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Rows whose text names a zone that has several meanings or none."""
    ordered: list[OrderedNumbers] = field(default_factory=list)
    kinds: dict[str, tuple[int, str]] = field(default_factory=dict)
    """How many rows are written in which way (`date`, or one of `KINDS`), each with an example."""

    def settle(self, order: str | None) -> None:
        """Read the dates whose order the column has told; without an order they cannot be read."""
        for numbers in self.ordered:
            # In an order that this shape cannot have (year first, written last), or in none: no moment,
            # except where every order means the same day.
            known = numbers.by_order.get(order or "")
            if known is None:
                (first, valid), *others = numbers.by_order.values()
                same = valid.copy()
                for days_of, there in others:
                    same &= there & (days_of == first)
                known = first, same
            micros = known[0] * DAY_US + numbers.of_day
            self.micros[numbers.rows] = np.where(known[1], micros, 0)
            self.unreadable[numbers.rows[~known[1]]] = True
        self.ordered = []


def read_moments(values: pa.Array) -> MomentColumn:
    """A column of text as moments; those that hang on the order of day and month wait for `settle`."""
    column = shaped(values)
    count = len(values)
    read = MomentColumn(
        column.texts,
        np.zeros(count, np.int64),
        np.zeros(count, bool),
        column.codes < 0,
        np.zeros(count, bool),
    )
    for group in column.groups():
        if is_absent(group.shape):
            read.absent[group.rows] = True
        elif match := _COUNTED.fullmatch(group.shape):
            _count(read, group, match)
        elif (layout := layout_of(group.shape)) is None:
            read.unreadable[group.rows] = True
        else:
            _place(read, group, layout)
    return read


def read_moment_numbers(values: pa.Array) -> MomentColumn:
    """A column of numbers as moments, by their digits."""
    absent = values.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    count = len(values)
    read = MomentColumn(
        values, np.zeros(count, np.int64), np.zeros(count, bool), absent, np.zeros(count, bool)
    )
    if pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        sane = np.where(np.isfinite(numbers) & (np.abs(numbers) < 2**62), numbers, 0.0)
        whole, rest = sane.astype(np.int64), sane - np.floor(sane)
    else:
        whole = values.fill_null(0).cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
        rest = np.zeros(count)
    found = read_whole_numbers(whole)
    in_seconds = found.kinds == KINDS.index("seconds")
    kinds = np.where(in_seconds | (rest == 0), found.kinds, 0)
    read.micros = found.micros + np.where(in_seconds, np.round(rest * 1e6).astype(np.int64), 0)
    read.zoned, read.unreadable = found.counted, (kinds == 0) & ~absent
    for kind in np.unique(kinds[kinds > 0]).tolist():
        at = kinds == kind
        _note(read.kinds, KINDS[kind], int(at.sum()), str(whole[int(np.flatnonzero(at)[0])]))
    return read


def _count(read: MomentColumn, group: ShapeGroup, match: re.Match[str]) -> None:
    """Whole numbers, perhaps with a fraction of a second."""
    whole = read_whole_numbers(group.whole(match.span(1)) if match.end(1) - match.start(1) < 19 else np.array(
        [int(text) if int(text) < 2**63 else 0 for text in (t.strip() for t in group.texts())], np.int64
    ))  # fmt: skip
    micros, kinds = whole.micros, whole.kinds
    if match.group(2):
        start, end = match.span(2)
        rest = group.whole((start, end))
        in_seconds = kinds == KINDS.index("seconds")
        kinds = np.where(in_seconds | (rest == 0), kinds, 0)
        micros = micros + np.where(in_seconds, _as_micros(rest, end - start), 0)
    read.micros[group.rows] = micros
    read.zoned[group.rows] = whole.counted
    read.unreadable[group.rows] = kinds == 0
    for kind in np.unique(kinds[kinds > 0]).tolist():
        at = kinds == kind
        _note(read.kinds, KINDS[kind], int(at.sum()), group.text(int(np.flatnonzero(at)[0])))


def _place(read: MomentColumn, group: ShapeGroup, layout: MomentLayout) -> None:
    rows = group.rows
    if layout.zone_in_doubt:
        read.doubts[layout.zone_in_doubt] = np.concatenate(
            [read.doubts.get(layout.zone_in_doubt, np.empty(0, np.int64)), rows]
        )

    def numbers(part: Part) -> Whole:
        return np.full(len(rows), part, np.int64) if isinstance(part, int) else group.whole(part)

    seconds, there = time_of_day(
        numbers(layout.hour), numbers(layout.minute), numbers(layout.second), layout.half
    )
    of_day = seconds * 1_000_000 + _as_micros(numbers(layout.fraction), layout.digits)
    if layout.offset:
        hours, minutes = (numbers(part) for part in layout.offset)
        there &= (hours <= 18) & (minutes < 60)
        of_day -= layout.minutes * (hours * 60 + minutes) * 60_000_000
    else:
        of_day -= layout.minutes * 60_000_000
    if layout.place:
        read.places[layout.place] = np.concatenate(
            [read.places.get(layout.place, np.empty(0, np.int64)), rows]
        )
    read.zoned[rows] = layout.zoned and not layout.place
    _note(read.kinds, "date", len(rows), group.text(0))
    if layout.numbers is not None:
        three = [numbers(part) for part in layout.numbers]
        by_order = {}
        for order in layout.orders:
            named = dict(zip(order, three, strict=True))
            count, valid = days(_full_year(named["y"], layout), named["m"], named["d"])
            by_order[order] = count, valid & there
        if layout.weekday >= 0:
            by_order = {k: (c, v & ((c + 3) % 7 == layout.weekday)) for k, (c, v) in by_order.items()}
        possible = np.any([valid for _, valid in by_order.values()], axis=0)
        read.unreadable[rows[~possible]] = True
        kept = {order: (count[possible], valid[possible]) for order, (count, valid) in by_order.items()}
        if possible.any():
            read.ordered.append(OrderedNumbers(rows[possible], of_day[possible], kept))
        return
    count, valid = days(numbers(layout.year) + layout.era, numbers(layout.month), numbers(layout.day))
    valid &= there
    if layout.weekday >= 0:
        valid &= (count + 3) % 7 == layout.weekday
    read.micros[rows] = np.where(valid, count * DAY_US + of_day, 0)
    read.unreadable[rows] = ~valid


def _full_year(year: Whole, layout: MomentLayout) -> Whole:
    span = layout.numbers[2] if layout.numbers else 0
    if not isinstance(span, int) and span[1] - span[0] == 4:
        return year
    return np.where(year <= _LAST_OF_2000, 2000 + year, 1900 + year)


def _as_micros(fraction: Whole, digits: int) -> Whole:
    return np.asarray(fraction * 10 ** (6 - digits) if digits <= 6 else fraction // 10 ** (digits - 6))


def _note(kinds: dict[str, tuple[int, str]], kind: str, count: int, example: str) -> None:
    before, first = kinds.get(kind, (0, example))
    kinds[kind] = before + count, first


def epochs_among(kinds: Iterable[str]) -> list[str]:
    """Those that count from 1970."""
    return [kind for kind in kinds if kind in EPOCHS]

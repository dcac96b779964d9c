"""Texts as numbers, by whole columns: the decimal separator by evidence, signs, currencies, labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.parsing.amount_layouts import COMMA, POINT, AmountLayout, Digits, layout_of_amount
from features.events.parsing.calendar_fields import Flags
from features.events.parsing.shapes import ShapeGroup, shaped

_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


@dataclass(eq=False)
class AmountColumn:
    """A column of text as numbers, as far as one batch can tell."""

    texts: pa.Array
    values: NDArray[np.float64]
    absent: Flags
    unreadable: Flags
    waiting: list[tuple[ShapeGroup, AmountLayout]] = field(default_factory=list)
    """Groups that hang on the decimal separator."""
    decimals: dict[str, str] = field(default_factory=dict)
    """The separators that some text proves, each with that text."""
    in_doubt: dict[str, str] = field(default_factory=dict)
    """Separators of three digits that may part thousands or decimals (`.`, `,`), each with a text."""
    currencies: dict[str, str] = field(default_factory=dict)
    """The currencies that are named, each with a text."""
    percent: str = ""
    """A text with a percent sign."""
    bare: str = ""
    """A number without one."""
    labels: dict[str, set[int]] = field(default_factory=dict)
    """The labels of survey answers and the numbers beside them."""
    words: dict[str, int] = field(default_factory=dict)
    """Texts that say that there is no value, with their count."""

    def settle(self, decimal: str) -> None:
        """Read the numbers with the decimal separator that the column has told."""
        for group, layout in self.waiting:
            digits = layout.digits(decimal)
            if digits is None:
                self.unreadable[group.rows] = True
            else:
                self.values[group.rows] = _numbers(group, digits, layout)
        self.waiting = []


def read_amounts(values: pa.Array) -> AmountColumn:
    """A column of text as numbers; those that hang on the decimal separator wait for `settle`."""
    column = shaped(values)
    count = len(values)
    layouts = [layout_of_amount(shape) for shape in column.shapes]
    read = AmountColumn(column.texts, np.full(count, np.nan), column.codes < 0, np.zeros(count, bool))
    if all(layout is not None and layout.plain and not layout.in_doubt for layout in layouts):
        numbers = column.texts.cast(pa.float64())
        read.values = numbers.fill_null(np.nan).to_numpy(zero_copy_only=False)
        for code, layout in enumerate(layouts):
            if layout is not None and (first := np.flatnonzero(column.codes == code)[:1]).size:
                _note_evidence(read, str(column.texts[int(first[0])]), layout)
        return read
    by_shape = dict(zip(column.shapes, layouts, strict=True))
    for group in column.groups():
        _take(read, group, by_shape[group.shape])
    return read


def _note_evidence(read: AmountColumn, text: str, layout: AmountLayout) -> None:
    if len(layout.by_decimal) == 1:
        read.decimals.setdefault(layout.by_decimal[0][0], text)
    read.bare = read.bare or text


def _take(read: AmountColumn, group: ShapeGroup, layout: AmountLayout | None) -> None:
    rows = group.rows
    if layout is None:
        named = group.shape.strip().lstrip("+-").casefold() in _NOT_FINITE
        if named:  # said as a number that is none: refused by what it says
            read.values[rows] = np.inf
        else:
            read.unreadable[rows] = True
        return
    if layout.absent:
        read.absent[rows] = True
        if word := group.text(0).strip():
            read.words[word] = read.words.get(word, 0) + len(rows)
        return
    text = group.text(0).strip()
    if layout.currency:
        read.currencies.setdefault(layout.currency, text)
    if layout.percent:
        read.percent = read.percent or text
    elif not layout.label:
        read.bare = read.bare or text
    if layout.exponent:
        start, end = layout.exponent
        numbers = np.array([float(one.encode()[start:end]) for one in group.texts()])
        read.values[rows] = -numbers if layout.negative else numbers
        return
    if layout.label:
        digits = layout.by_decimal[0][1]
        numbers = _numbers(group, digits, layout)
        read.values[rows] = numbers
        read.labels.setdefault(layout.label, set()).update(np.unique(numbers).astype(int).tolist())
        return
    if layout.in_doubt:
        by_point = layout.digits(POINT)
        separator = POINT if by_point is not None and by_point.fraction else COMMA
        zero = group.bytes_at(layout.first) == ord("0")
        if zero.any():  # 0.500 is no thousand
            read.decimals.setdefault(separator, group.text(int(np.flatnonzero(zero)[0])).strip())
        else:
            read.in_doubt.setdefault(separator, text)
    elif len(layout.by_decimal) == 1:
        read.decimals.setdefault(layout.by_decimal[0][0], text)
    if len(layout.by_decimal) == 2 and not layout.in_doubt:
        read.values[rows] = _numbers(group, layout.by_decimal[0][1], layout)
        return
    read.waiting.append((group, layout))


def _numbers(group: ShapeGroup, digits: Digits, layout: AmountLayout) -> NDArray[np.float64]:
    """The texts of a group as numbers: their digits alone, with a point, read together."""
    count = len(group.rows)
    columns = [group.bytes_at(place) for place in digits.whole] or [np.full(count, ord("0"), np.uint8)]
    if digits.fraction:
        columns.append(np.full(count, ord("."), np.uint8))
        columns += [group.bytes_at(place) for place in digits.fraction]
    cells = np.column_stack(columns)
    starts = np.arange(count + 1, dtype=np.int64) * cells.shape[1]
    texts = pa.Array.from_buffers(
        pa.large_string(), count, [None, pa.py_buffer(starts.tobytes()), pa.py_buffer(cells.tobytes())]
    )
    numbers: NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if layout.percent:
        numbers = numbers / 100
    return -numbers if layout.negative else numbers

"""Features of uplift models: a code book that turns columns of numbers and text into a numeric matrix.

A number stays a number, NaN where it is missing; whole days stand for dates. A text column becomes one column
of 0 and 1 for each of its most frequent values, and one for missing. Rare values share the row of zeros, so
that a column with a value for each customer, such as an identifier, says nothing. Columns that are the same
for all are left out. The code book reads no outcome and no arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import DataError

Floats = NDArray[np.float64]

LEVELS = 20
"""Values of a text column that get a column of their own, the most frequent first."""
FEWEST = 20
"""Customers that a value needs for a column of its own."""


@dataclass(frozen=True)
class TextLevels:
    """The values of a text column that have a column of their own."""

    name: str
    levels: tuple[str, ...]
    missing: bool
    """Whether missing has one too."""


@dataclass(frozen=True)
class CodeBook:
    """How columns become a matrix: numbers as they are, then the values of the text columns."""

    numbers: tuple[str, ...]
    texts: tuple[TextLevels, ...]
    ignored: tuple[str, ...]
    """Columns that say nothing: the same for all, or text whose values are all rare."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the matrix columns."""
        coded = [
            f"{text.name}={value}"
            for text in self.texts
            for value in (*text.levels, *(["(missing)"] if text.missing else []))
        ]
        return (*self.numbers, *coded)

    def encode(self, table: pa.Table) -> Floats:
        """float64[n, columns]: the matrix of a table that has the columns of the code book."""
        columns = [_number(table, name) for name in self.numbers]
        for text in self.texts:
            values = _text(table, text.name)
            columns += [pc.fill_null(pc.equal(values, level), False) for level in text.levels]
            columns += [values.is_null()] if text.missing else []
        matrix = np.empty((table.num_rows, len(columns)))
        for place, column in enumerate(columns):
            matrix[:, place] = np.asarray(column)
        return matrix


def code_book(table: pa.Table) -> CodeBook:
    """The code book of a table with a row a customer; raises `DataError` for a column of another type."""
    numbers, texts, ignored = [], [], []
    for name in table.column_names:
        if _is_text(table.schema.field(name).type):
            levels = _levels(table, name)
            if levels is None:
                ignored.append(name)
            else:
                texts.append(levels)
        elif _says_nothing(_number(table, name)):
            ignored.append(name)
        else:
            numbers.append(name)
    return CodeBook(tuple(numbers), tuple(texts), tuple(ignored))


def _levels(table: pa.Table, name: str) -> TextLevels | None:
    values = _text(table, name)
    counts = [(one["counts"], one["values"]) for one in pc.value_counts(values).to_pylist()]
    frequent = sorted(
        ((count, value) for count, value in counts if value is not None and count >= FEWEST),
        key=lambda one: (-one[0], one[1]),
    )[:LEVELS]
    missing = values.null_count >= FEWEST
    columns = len(frequent) + missing
    if not columns or (columns == 1 and len(counts) == 1):
        return None
    return TextLevels(name, tuple(value for _, value in frequent), missing)


def _says_nothing(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return not len(known) or (len(known) == len(values) and bool((known == known[0]).all()))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).cast(pa.string()).combine_chunks()


def _number(table: pa.Table, name: str) -> Floats:
    """float64[n]: a column of numbers, NaN where it is missing or infinite."""
    column = table.column(name)
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        column = pc.divide(pc.cast(column, pa.float64()), 86_400.0)
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        raise DataError(
            f"cannot use the column '{name}' as a feature: its type is {kind}. "
            "Use columns of numbers, text, dates, or true and false."
        )
    numbers = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy().astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)

"""Columns of a source as columns of events: texts, names, moments, numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.events.local_time import to_instants
from features.events.parsing.source_text import is_text, takes
from features.events.validation_counts import ValidationCounts
from features.timeline import Instants, Timeline


@dataclass(frozen=True, eq=False)
class MomentsRead:
    """A column of moments; 0 where there is none."""

    instants: Instants
    absent: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]
    doubts: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Rows whose zone has no one meaning, by its name."""


def text_column(values: pa.Array, name: str, tally: ValidationCounts) -> pa.Array:
    """Text, or whole numbers as text."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or is_text(kind):
        return values.cast(pa.string())
    raise tally.wrong_type(name, str(kind), values)


def named_column(values: pa.Array, name: str, tally: ValidationCounts) -> pa.Array:
    """Text where an empty one says nothing; other plain types are written out."""
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise tally.wrong_type(name, str(values.type), values)
    if name in ("event_id", "contract_id"):
        values = text_column(values, name, tally)
    elif not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    if values.null_count == len(values):
        return values
    empty = pc.equal(pc.binary_length(values), 0)
    return pc.if_else(empty, pa.scalar(None, pa.string()), values) if pc.any(empty).as_py() else values


def moment_column(values: pa.Array, name: str, timeline: Timeline, tally: ValidationCounts) -> MomentsRead:
    """A column as instants, where it is absent, and where it cannot be read."""
    rows, kind = len(values), values.type
    absent, none = flags(pc.is_null(values), null=False), np.zeros(rows, dtype=bool)
    if pa.types.is_null(kind):
        return MomentsRead(np.zeros(rows, dtype=np.int64), absent, none)
    if pa.types.is_timestamp(kind):
        numbers = _numpy(values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()))
        return MomentsRead(numbers if kind.tz else to_instants(numbers, timeline.timezone), absent, none)
    if pa.types.is_date(kind):
        numbers = _numpy(values.cast(pa.timestamp("us")).cast(pa.int64()))
        return MomentsRead(to_instants(numbers, timeline.timezone), absent, none)
    if not takes(name, kind):
        raise tally.wrong_type(name, str(kind), values)
    read = tally.texts.moments(name, values)
    instants = np.where(read.zoned, read.micros, to_instants(read.micros, timeline.timezone))
    for place, at in read.places.items():
        instants[at] = to_instants(read.micros[at], place)
    doubts = {}
    for zone, at in read.doubts.items():
        doubts[zone] = none.copy()
        doubts[zone][at] = True
    nowhere = read.unreadable | read.absent
    return MomentsRead(np.where(nowhere, 0, instants), read.absent, read.unreadable, doubts)


def number_column(
    values: pa.Array, tally: ValidationCounts
) -> tuple[pa.Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Numbers as float64, where the text is none, and where there is no value."""
    kind = values.type
    none, absent = np.zeros(len(values), dtype=bool), flags(pc.is_null(values), null=False)
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return values.cast(pa.float64(), safe=False), none, absent
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64()), none, absent
    if not is_text(kind):
        raise tally.wrong_type("value", str(kind), values)
    read = tally.texts.amounts("value", values)
    return pa.array(read.values, mask=read.absent | read.unreadable), read.unreadable, read.absent


def flags(values: pa.Array, null: bool) -> NDArray[np.bool_]:
    """A boolean array as NumPy, with a value for null."""
    found: NDArray[np.bool_] = values.fill_null(null).to_numpy(zero_copy_only=False).astype(bool)
    return found


def _numpy(values: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = values.fill_null(0).to_numpy(zero_copy_only=False)
    return numbers

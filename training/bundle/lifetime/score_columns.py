"""The columns of lifetime value in a score file: a number for each horizon, of each customer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.bundle.lifetime.lifetime_values import LifetimeHorizons, LifetimeValues

LIFETIME, JOINED = "lifetime_", "joined_month"
LIFETIME_COLUMNS = ("value", "low", "high")
"""In a file `lifetime_` stands before them."""


def with_lifetime(table: pa.Table, lifetime: LifetimeValues) -> pa.Table:
    """The table with the columns of lifetime value at its end."""
    kind = pa.list_(pa.float64(), len(lifetime.horizons.months))
    for name in LIFETIME_COLUMNS:
        column = column_of(np.ascontiguousarray(getattr(lifetime, name)), kind)
        table = table.append_column(LIFETIME + name, column)
    return table.append_column(JOINED, pa.array(lifetime.joined_month))


def lifetime_of(table: pa.Table, horizons: LifetimeHorizons) -> LifetimeValues:
    """The lifetime values in a table that has them, without a copy. Raises `KeyError` where it has none."""
    value, low, high = (numbers_of(table.column(LIFETIME + name)) for name in LIFETIME_COLUMNS)
    return LifetimeValues(
        horizons,
        value.astype(np.float64, copy=False),
        low.astype(np.float64, copy=False),
        high.astype(np.float64, copy=False),
        numbers_of(table.column(JOINED)).astype(np.int64, copy=False),
    )


def column_of(values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    """An array of one or two dimensions as a column of numbers, or of lists of equal length."""
    if values.ndim == 1:
        return pa.array(values, kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), kind.value_type), type=kind)


def numbers_of(column: pa.ChunkedArray) -> NDArray[np.generic]:
    """The numbers of a column without a copy, [n] or [n, length of its lists]."""
    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not pa.types.is_fixed_size_list(values.type):
        flat: NDArray[np.generic] = values.to_numpy(zero_copy_only=True)
        return flat
    numbers: NDArray[np.generic] = pc.list_flatten(values).to_numpy(zero_copy_only=True)
    return numbers.reshape(-1, values.type.list_size)

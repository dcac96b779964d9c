"""The scores of n customers as arrays, and the columns that they have in a score file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.schema import ATTRIBUTE
from training.bundle.lifetime.lifetime_values import LifetimeValues
from training.bundle.lifetime.score_columns import LIFETIME_COLUMNS, column_of, with_lifetime

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REASONS = 3
"""How many reasons a customer has at most."""

FEW = 8
"""Customers of whom it is faster to read number by number than to take all columns of all."""

SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("status", pa.int8()),
        ("churn_probability", pa.float64()),
        ("tier", pa.int8()),
        ("predicted_tier", pa.int8()),
        ("expected_value", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("reason_features", pa.list_(pa.int16(), REASONS)),
        ("reason_values", pa.list_(pa.float64(), REASONS)),
        ("reason_contributions", pa.list_(pa.float64(), REASONS)),
    ]
)

UpliftColumn = Literal["uplift", "incremental_value"]
UPLIFT_COLUMNS: tuple[UpliftColumn, ...] = ("uplift", "incremental_value")
UPLIFT_SCHEMA = pa.schema([(name, pa.float64()) for name in UPLIFT_COLUMNS])
"""The columns that follow in a file whose scores were made with an uplift model in use; others lack them."""

Numbers = list[float]
_Spend = tuple[Numbers, Numbers, Numbers]
ScoreRow = tuple[int, float, int, int, float, float, list[int], Numbers, Numbers, float, float, *_Spend]
"""The columns of `SCHEMA` from `status` on, of one customer, then those of `UPLIFT_SCHEMA`, NaN without, then
`LIFETIME_COLUMNS`, empty without."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores of n customers; row i of every array is the customer `key[i]`."""

    key: Ints
    status: NDArray[np.int8]
    """Position in `STATUSES`, -1 for a customer of whom nothing was known."""
    churn_probability: Floats
    """NaN outside the cohort."""
    tier: NDArray[np.int8]
    predicted_tier: NDArray[np.int8]
    """-1 outside the cohort."""
    expected_value: Floats
    """What the customer would spend over the horizon if they stayed; NaN where not known."""
    value_at_risk: Floats
    reason_features: NDArray[np.int16]
    """[n, 3], positions in the bundle's columns, the most important first; -1 for no further reason."""
    reason_values: Floats
    reason_contributions: Floats
    attributes: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)
    """Each customer's last known value as a position in `ScoreMetadata.attributes`, -1 for none."""
    uplift: Floats | None = None
    """How much contact changes the outcome that an uplift model was learned on, positive where it helps; NaN
    outside the cohort, None where no uplift model was in use."""
    incremental_value: Floats | None = None
    """The money that contact is expected to gain; None and NaN as `uplift`, NaN too where not known."""
    lifetime: LifetimeValues | None = None
    """None where the bundle tells no lifetime value."""

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Ints) -> ScoreTable:
        attributes = {name: codes[rows] for name, codes in self.attributes.items()}
        columns = {name: getattr(self, name)[rows] for name in self._columns}
        lifetime = None if self.lifetime is None else self.lifetime.take(rows)
        return ScoreTable(**columns, attributes=attributes, lifetime=lifetime)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The names of its columns, without the attributes."""
        return (*SCHEMA.names, *(UPLIFT_COLUMNS if self.uplift is not None else ()))

    def iter_rows(self, rows: Ints | None = None) -> Iterator[ScoreRow]:
        """Each customer's scores, or those of these rows, as plain numbers."""
        whole = self if rows is None or len(rows) <= FEW else self.take(rows)
        columns = [getattr(whole, name) for name in whole._columns[1:]]
        missing = () if self.uplift is not None else (math.nan,) * len(UPLIFT_COLUMNS)
        spend = [getattr(whole.lifetime, name) for name in LIFETIME_COLUMNS] if whole.lifetime else []
        none: tuple[list[float], ...] = () if spend else ([],) * len(LIFETIME_COLUMNS)
        if whole is not self or rows is None:
            unknown = (repeat(nothing, len(whole)) for nothing in missing)
            last = (repeat(nothing, len(whole)) for nothing in none)
            numbers, lists = ([column.tolist() for column in part] for part in (columns, spend))
            return cast("Iterator[ScoreRow]", zip(*numbers, *unknown, *lists, *last, strict=True))
        each = (
            [
                *(column[row].tolist() for column in columns),
                *missing,
                *(column[row].tolist() for column in spend),
                *none,
            ]
            for row in rows.tolist()
        )
        return cast("Iterator[ScoreRow]", each)

    def table(self) -> pa.Table:
        """The same as Arrow, in the columns of `SCHEMA`, those of `UPLIFT_SCHEMA` where there is uplift, then
        one for each attribute.
        """
        schema = SCHEMA if self.uplift is None else pa.schema([*SCHEMA, *UPLIFT_SCHEMA])
        table = pa.table([column_of(getattr(self, one.name), one.type) for one in schema], schema=schema)
        if self.lifetime is not None:
            table = with_lifetime(table, self.lifetime)
        for name, codes in self.attributes.items():
            table = table.append_column(ATTRIBUTE + name, pa.array(codes))
        return table

    @staticmethod
    def joined(parts: list[ScoreTable]) -> ScoreTable:
        """All parts, sorted by customer key."""
        whole = ScoreTable.in_order(parts)
        return whole.take(np.argsort(whole.key, kind="stable"))

    @staticmethod
    def in_order(parts: list[ScoreTable]) -> ScoreTable:
        """All parts, one after the other."""
        names = sorted({name for part in parts for name in part.attributes})
        none = [np.full(len(part), -1, dtype=np.int32) for part in parts]
        attributes = {
            name: np.concatenate([p.attributes.get(name, n) for p, n in zip(parts, none, strict=True)])
            for name in names
        }
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in SCHEMA.names}
        spend = [part.lifetime for part in parts if part.lifetime is not None]
        return ScoreTable(
            **columns, attributes=attributes, lifetime=LifetimeValues.joined(spend) if spend else None
        )


def drop_unused_values(
    answers: ScoreTable, values: Mapping[str, tuple[str, ...]]
) -> tuple[ScoreTable, dict[str, tuple[str, ...]]]:
    """Scores and the values of their attributes, without the values that no row has."""
    codes, used_values = {}, {}
    for name, known in values.items():
        used = np.zeros(len(known) + 1, dtype=bool)
        used[answers.attributes[name]] = True
        used[-1] = False  # the code of no value, -1
        renumbered = np.append(np.cumsum(used[:-1]) - 1, -1).astype(np.int32)
        codes[name] = renumbered[answers.attributes[name]]
        used_values[name] = tuple(value for value, one in zip(known, used, strict=False) if one)
    return replace(answers, attributes=codes), used_values

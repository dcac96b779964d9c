"""Lifetime value in a backtest: its columns, what was spent since, and how right the values were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.event_store import EventStore
from features.events.history import History, without_retracted
from features.execution.local import map_partitions
from features.timeline import Timeline
from training.bundle.level_uncertainty import level_range
from training.bundle.lifetime.lifetime_model import contract_kinds
from training.bundle.lifetime.lifetime_values import LifetimeEvidence, LifetimeHorizons, LifetimeValues
from training.data.lifetime.contract_spend import contract_spend, period_days
from training.data.lifetime.purchase_rows import spent_between
from training.evaluation.lifetime_value_metrics import normalised_gini, total_error
from training.labels.settings import Churn
from training.statistics import finite

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgedLifetimeValue:
    """The lifetime values of a cohort over so many months, beside what it spent."""

    months: int
    evidence: LifetimeEvidence
    decided: int
    """The instant at which the months end."""
    expected: float
    """What all customers together were expected to spend."""
    low: float
    """The range of the level: an 80 % interval of that, from how far such totals lay off before."""
    high: float
    spent: float | None = None
    """What they spent; None, as what follows from it, where the months are not over."""
    total_error: float | None = None
    """By how much of what was spent the expected total is too high."""
    coverage: float | None = None
    """The share of customers who spent within the interval of their value, which is meant to be 0.8."""
    normalised_gini: float | None = None
    """1 is the ranking that turned out to be right, 0 one by chance."""


def lifetime_fields(months: int) -> tuple[pa.Field, ...]:
    """The columns of lifetime value over so many months, as files of the list have them."""
    name = f"lifetime_value_{months}_months"
    numbers = [pa.field(name + end, pa.float64()) for end in ("", "_low", "_high")]
    return (*numbers, pa.field(f"{name}_evidence", pa.string()))


def spent_field(months: int) -> pa.Field:
    """What a customer spent within so many months of the date; null where these are not over."""
    return pa.field(f"spent_{months}_months", pa.float64())


def with_lifetime(table: pa.Table, lifetime: LifetimeValues) -> pa.Table:
    """The table with the columns of lifetime value; null for who has none."""
    horizons = lifetime.horizons
    for at, (months, evidence) in enumerate(zip(horizons.months, horizons.evidence, strict=True)):
        columns = [
            *(
                pa.array(part[:, at], from_pandas=True)
                for part in (lifetime.value, lifetime.low, lifetime.high)
            ),
            pa.array([evidence] * len(table), pa.string()),
        ]
        for one, column in zip(lifetime_fields(months), columns, strict=True):
            table = table.append_column(one, column)
    return table


def judged_lifetime(
    store: EventStore,
    horizons: LifetimeHorizons,
    table: pa.Table,
    keys: NDArray[np.int64],
    churn: Churn,
    indicators: Sequence[Indicator],
    timeline: Timeline,
    as_of: int,
    covered_until: int,
) -> tuple[pa.Table, tuple[JudgedLifetimeValue, ...]]:
    """The table with what each customer spent over each horizon that the data covers, and what that says of
    the values. `keys` are the customers of the table's rows."""
    ends = {months: timeline.months_after(as_of, months) for months in horizons.months}
    over = [months for months, end in ends.items() if end <= covered_until]
    period = period_days(indicators, churn)
    spent = _spent(store, churn, period, keys, as_of, [ends[months] for months in over])
    judged = []
    for months, evidence, spread in zip(horizons.months, horizons.evidence, horizons.spreads, strict=True):
        columns = [table.column(one.name) for one in lifetime_fields(months)[:3]]
        value, low, high = (column.to_numpy() for column in columns)
        expected = float(np.nansum(value))
        told = (months, evidence, ends[months], expected, *level_range(expected, spread))
        if months not in over:
            table = table.append_column(spent_field(months), pa.nulls(len(table), pa.float64()))
            judged.append(JudgedLifetimeValue(*told))
            continue
        mine = spent[:, over.index(months)]
        table = table.append_column(spent_field(months), pa.array(mine))
        known = ~np.isnan(low)
        inside = (np.maximum(mine, 0.0) >= low) & (np.maximum(mine, 0.0) <= high)
        judged.append(
            JudgedLifetimeValue(
                *told,
                spent=float(mine.sum()),
                total_error=finite(total_error(np.nan_to_num(value), mine)),
                coverage=float(inside[known].mean()) if known.any() else None,
                normalised_gini=finite(normalised_gini(np.nan_to_num(value), mine)),
            )
        )
    return table, tuple(judged)


def _spent(
    store: EventStore, churn: Churn, period: float, keys: NDArray[np.int64], as_of: int, ends: Sequence[int]
) -> Floats:
    """float64[n, len(ends)]: what customers spent from the date until each end, refunds taken off, and the
    recurring amounts of their contracts."""
    spent = np.zeros((len(keys), len(ends)))
    if ends:
        found = map_partitions(
            store, partial(_SpentParts, churn, period, keys, as_of, ends), until=None, retractions=True
        )
        for mine, part in found.parts:
            spent[mine] = part
    return spent


@dataclass
class _SpentParts:
    """What given customers spent after the date, bucket by bucket."""

    churn: Churn
    period: float
    """The days that a recurring amount pays for."""
    keys: NDArray[np.int64]
    as_of: int
    ends: Sequence[int]
    parts: list[tuple[NDArray[np.bool_], Floats]] = field(default_factory=list)

    def add(self, history: History) -> None:
        mine = np.isin(self.keys, history.keys)
        if mine.any():
            counted, keys = without_retracted(history), self.keys[mine]
            starts = np.full(len(keys), self.as_of)
            spent = [spent_between(counted, self.churn, keys, starts, end) for end in self.ends]
            if contract_kinds(self.churn):
                places = np.searchsorted(history.keys, keys)
                for at, end in enumerate(self.ends):
                    paid = contract_spend(counted, self.churn, self.as_of, end, self.period)
                    spent[at] = spent[at] + paid[places]
            self.parts.append((mine, np.column_stack(spent)))

    def merge(self, other: _SpentParts) -> None:
        self.parts += other.parts

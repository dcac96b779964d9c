"""Backtest: the scores that a model trained on only what was known at a past date would have given then."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.engine.snapshot import snapshot
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.labels.cohort import cohort
from training.train import Progress, TrainingConfig, learn, silent

if TYPE_CHECKING:
    from training.tuning import Tuning

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("churn_probability", pa.float64()),
        ("tier", pa.string()),
        ("predicted_tier", pa.string()),
        ("expected_value", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """The model of a past date, and its predictions for the cohort of that date."""

    bundle: Bundle
    keys: NDArray[np.int64]
    """int64[n]: the customer of each row of the table."""
    table: pa.Table
    """`SCHEMA`, by customer id."""


def backtest(
    store: EventStore, config: TrainingConfig, as_of: int, progress: Progress | None = None
) -> pa.Table:
    """One row of `SCHEMA` for each customer of the cohort at the as-of date, by customer id.

    Events that occurred or were recorded at or after the date do not exist for it. The gates are not asked
    and nothing is registered. `expected_value` is null where events carry no amounts.
    """
    return backtest_with_bundle(store, config, as_of, progress).table


def backtest_with_bundle(
    store: EventStore,
    config: TrainingConfig,
    as_of: int,
    progress: Progress | None = None,
    *,
    tuning: Tuning | None = None,
) -> BacktestResult:
    """The table of `backtest` and the model behind it; `tuning` searches its settings before the date."""
    report = progress or silent
    store = store.pinned()  # the model and the rows it predicts are of one version of the store
    bundle, _ = learn(
        store, config, until=as_of, tuning=tuning, progress=lambda step, share: report(step, 0.9 * share)
    )
    report("looking back", 0.9)
    new = partial(_PredictionParts, store, bundle, config.timeline, as_of)
    predictions = map_partitions(store, new, until=as_of)
    if not predictions.tables:
        raise DataError(
            f"cannot look back to {config.timeline.name(as_of)}: no customer then could still leave. "
            "Give a date within the history of the events."
        )
    report("looked back", 1.0)
    table = pa.concat_tables(predictions.tables)
    order = table.column("customer_id").to_numpy(zero_copy_only=False).argsort(kind="stable")
    return BacktestResult(bundle, np.concatenate(predictions.keys)[order], table.take(pa.array(order)))


@dataclass
class _PredictionParts:
    """The predictions for the cohort of each bucket."""

    store: EventStore
    bundle: Bundle
    timeline: Timeline
    as_of: int
    keys: list[NDArray[np.int64]] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)

    def add(self, history: History) -> None:
        bundle, keys = self.bundle, cohort(history, self.bundle.churn, self.as_of)
        if not len(keys):
            return
        dates = np.full(len(keys), self.as_of, dtype=np.int64)
        rows = snapshot(history, bundle.catalog, self.timeline, keys, dates, bundle.priors)
        predictions, names = bundle.predict(rows.matrix), np.array([*bundle.tiers.names])
        expected = predictions.expected_value
        columns = [
            self.store.customers.names(keys),
            predictions.churn_probability,
            names[bundle.tiers.tier(bundle.tiers.index(rows))],
            names[predictions.tier_probabilities.argmax(axis=1)],
            pa.nulls(len(keys), pa.float64()) if expected is None else expected,
        ]
        self.keys.append(keys)
        self.tables.append(
            pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        )

    def merge(self, other: _PredictionParts) -> None:
        self.keys += other.keys
        self.tables += other.tables

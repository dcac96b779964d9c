"""What would have been said on a past date, by a model that knew only what was known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.engine.snapshot import snapshot
from features.errors import DataError
from features.event_store import EventStore
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
    """The model of a past date, and what it said of the cohort then."""

    bundle: Bundle
    keys: NDArray[np.int64]
    """int64[n]: the customer of each row of the table."""
    table: pa.Table
    """`SCHEMA`, by customer id."""


def backtest(
    store: EventStore, plan: TrainingConfig, as_of: int, progress: Progress | None = None
) -> pa.Table:
    """One row of `SCHEMA` for each customer of the cohort at the as-of date, by customer id.

    Events that occurred or were recorded at or after the date do not exist for it. No gate is asked and
    nothing is registered. `expected_value` is null where events carry no amounts.
    """
    return backtest_with_bundle(store, plan, as_of, progress).table


def backtest_with_bundle(
    store: EventStore,
    plan: TrainingConfig,
    as_of: int,
    progress: Progress | None = None,
    *,
    tuning: Tuning | None = None,
) -> BacktestResult:
    """The table of `backtest`, with the model that said it, searched for before the date if so asked."""
    tell = progress or silent
    bundle, _ = learn(
        store, plan, until=as_of, tuning=tuning, progress=lambda words, share: tell(words, 0.9 * share)
    )
    tell("looking back", 0.9)
    names = np.array([*bundle.tiers.names])
    parts, every = [], []
    for history in store.histories(until=as_of):
        keys = cohort(history, bundle.churn, as_of)
        if not len(keys):
            continue
        dates = np.full(len(keys), as_of, dtype=np.int64)
        rows = snapshot(history, bundle.catalog, plan.timeline, keys, dates, bundle.priors)
        said = bundle.predict(rows.matrix)
        columns = [
            store.customers.names(keys),
            said.churn_probability,
            names[bundle.tiers.tier(bundle.tiers.index(rows))],
            names[said.tier_probabilities.argmax(axis=1)],
            pa.nulls(len(keys), pa.float64()) if said.expected_value is None else said.expected_value,
        ]
        every.append(keys)
        parts.append(
            pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        )
    if not parts:
        raise DataError(
            f"cannot look back to {plan.timeline.name(as_of)}: no customer then could still leave. "
            "Give a date within the history of the events."
        )
    tell("looked back", 1.0)
    table = pa.concat_tables(parts)
    order = table.column("customer_id").to_numpy(zero_copy_only=False).argsort(kind="stable")
    return BacktestResult(bundle, np.concatenate(every)[order], table.take(pa.array(order)))

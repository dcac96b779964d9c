"""Backtest: the scores that a model trained on only what was known at a past date would have given then.

Where the data covers the horizon of that date, the outcomes judge the scores: AUC, log loss, calibration; and
where it covers the months of lifetime value, what was spent judges that.
"""

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
from training.data.extent import data_extent
from training.evaluation.lifetime_backtest import JudgedLifetimeValue, judged_lifetime, with_lifetime
from training.evaluation.metrics import METRICS, HeldOutOutcomes, churn_metrics
from training.labels.cohort import cohort
from training.labels.labelling import label
from training.labels.settings import Churn
from training.statistics import finite
from training.train import Progress, learn, silent
from training.training_config import TrainingConfig

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
CHURNED = pa.field("churned", pa.bool_())
"""Whether the customer left within the horizon; null where that is not known yet."""


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """The model of a past date, and its predictions for the cohort of that date."""

    bundle: Bundle
    keys: NDArray[np.int64]
    """int64[n]: the customer of each row of the table."""
    table: pa.Table
    """`SCHEMA` and the `lifetime_fields` of each horizon of lifetime value, by customer id."""


@dataclass(frozen=True)
class JudgedMetric:
    """A metric of the scores of one past date, with its 95 % interval over customers."""

    name: str
    value: float | None
    """None where it is undefined: nobody left, or everybody."""
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class JudgedBacktest:
    """The scores of a past date beside what became of the customers, as far as that is known."""

    table: pa.Table
    """That of `backtest`, `churned`, which is null for everybody where the horizon is not over, and what was
    spent over the months of each horizon of lifetime value."""
    decided: int
    """The instant at which the horizon of the date ends."""
    covered_until: int
    """Until when the data tells who left; the scores are judged where that is not before `decided`."""
    churners: int | None
    mean_probability: float
    metrics: tuple[JudgedMetric, ...]
    """`METRICS`; empty where the horizon is not over."""
    calibration_noise: float | None
    """The calibration error that right probabilities would show among so many customers."""
    lifetime: tuple[JudgedLifetimeValue, ...]
    """Lifetime value over each number of months, shortest first; empty without it."""


def judged_backtest(
    store: EventStore,
    config: TrainingConfig,
    as_of: int,
    progress: Progress | None = None,
    *,
    now: int | None = None,
) -> JudgedBacktest:
    """The table of `backtest` judged by what happened since, where the data covers the date's horizon.

    Only the judgement looks at the future: model and scores are those of `backtest`.
    """
    store = store.pinned()
    looked = backtest_with_bundle(store, config, as_of, progress)
    churn, table = looked.bundle.churn, looked.table
    extent = data_extent(
        store, None, churn, config.timeline, config.indicators, closed=config.closed, now=now
    )
    decided, covered = int(churn.horizon.end(as_of)), extent.coverage.covered_until
    probability = table.column("churn_probability").to_numpy()
    mean = float(probability.mean())

    def judged_values(judged: pa.Table) -> tuple[pa.Table, tuple[JudgedLifetimeValue, ...]]:
        model = looked.bundle.lifetime
        if model is None:
            return judged, ()
        keys, timeline = looked.keys, config.timeline
        return judged_lifetime(
            store, model.horizons, judged, keys, churn, config.indicators, timeline, as_of, covered
        )

    if decided > covered:
        unknown = table.append_column(CHURNED, pa.nulls(len(table), CHURNED.type))
        whole, lifetime = judged_values(unknown)
        return JudgedBacktest(whole, decided, covered, None, mean, (), None, lifetime)
    part = partial(_LeaverParts, churn, config.timeline, as_of, covered, looked.keys)
    leavers = map_partitions(store, part, until=None, retractions=True)
    churned = np.zeros(len(looked.keys), dtype=np.bool_)
    for mine, left in leavers.parts:
        churned[mine] = left
    outcomes = HeldOutOutcomes(
        churned,
        np.arange(len(churned), dtype=np.int64),
        np.full(len(churned), as_of, dtype=np.int64),
        config.contacts,
    )
    found = churn_metrics(probability, {}, outcomes, seed=config.seed)
    metrics = tuple(
        JudgedMetric(name, *(finite(found[f"{name}{end}"]) for end in ("", "_low", "_high")))
        for name in METRICS
    )
    whole, lifetime = judged_values(table.append_column(CHURNED, pa.array(churned)))
    return JudgedBacktest(
        whole,
        decided,
        covered,
        int(churned.sum()),
        mean,
        metrics,
        finite(found["expected_calibration_error_noise"]),
        lifetime,
    )


@dataclass
class _LeaverParts:
    """Who of given customers left in the horizon of the date, bucket by bucket."""

    churn: Churn
    timeline: Timeline
    as_of: int
    covered_until: int
    keys: NDArray[np.int64]
    parts: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = field(default_factory=list)

    def add(self, history: History) -> None:
        mine = np.isin(self.keys, history.keys)
        if mine.any():
            labels = label(
                history, self.churn, self.keys[mine], self.as_of, self.covered_until, self.timeline
            )
            self.parts.append((mine, labels.churned))

    def merge(self, other: _LeaverParts) -> None:
        self.parts += other.parts


def backtest(
    store: EventStore, config: TrainingConfig, as_of: int, progress: Progress | None = None
) -> pa.Table:
    """One row for each customer of the cohort at the as-of date, by customer id: `SCHEMA` and, where there is
    lifetime value, the `lifetime_fields` of each horizon.

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
        rows = snapshot(history, bundle.scored_catalog, self.timeline, keys, dates, bundle.priors)
        width = len(bundle.catalog.columns)
        features = np.ascontiguousarray(rows.matrix[:, :width])
        predictions, names = bundle.predict(features), np.array([*bundle.tiers.names])
        expected = predictions.expected_value
        columns = [
            self.store.customers.names(keys),
            predictions.churn_probability,
            names[bundle.tiers.tier(bundle.tiers.index(rows))],
            names[predictions.tier_probabilities.argmax(axis=1)],
            pa.nulls(len(keys), pa.float64()) if expected is None else expected,
        ]
        self.keys.append(keys)
        table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
        if bundle.lifetime is not None:
            facts = rows.matrix[:, width:]
            inside = np.ones(len(keys), dtype=np.bool_)
            values = bundle.lifetime.of_customers(
                facts, features, self.as_of, self.timeline, inside, predictions.churn_probability
            )
            table = with_lifetime(table, values)
        self.tables.append(table)

    def merge(self, other: _PredictionParts) -> None:
        self.keys += other.keys
        self.tables += other.tables

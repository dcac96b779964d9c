"""Looking back to dates of a history with the product's own code, and judging by what happened afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.histories import Past
from features.engine.snapshot import snapshot
from features.event_store import EventStore
from serving.actions.contact_rules import consent_rules
from serving.integrations.training import training_config
from serving.project.settings import Project, read
from training.backtest import BacktestResult, backtest_with_bundle
from training.data.columns.level_counts import level_counts
from training.data.columns.populations import dated_numbers
from training.data.dataset import dataset
from training.data.extent import data_extent
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import temporal_splits
from training.fitting.baselines import baselines
from training.labels.labelling import label
from training.training_config import TrainingConfig
from training.tuning import Tuning

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answer:
    """The churn probabilities of one date, by the model and by its rivals, and what happened."""

    rows: LabelledRows
    probability: Floats
    before_calibration: Floats
    rivals: Mapping[str, Floats]
    seconds: float
    facts: Mapping[str, Any]

    def write(self, file: Path, store: EventStore) -> None:
        """Keep the answer as Parquet: customer, whether they left, and their churn probability."""
        columns = {
            "customer_id": store.customers.names(self.rows.keys),
            "churned": self.rows.churned,
            "probability": self.probability,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), file)


def made(past: Past, data: Path, folder: Path) -> tuple[Project, EventStore, float]:
    """The project of a history, ingested; and the seconds that took."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kizuna.toml").write_text(past.configuration(data.resolve()), encoding="utf-8")
    return ingested(folder, folder / "state")


def ingested(folder: Path, state: Path) -> tuple[Project, EventStore, float]:
    """The project of a folder, its sources read into a store at `state`; and the seconds that took."""
    project, began = read(folder), time.perf_counter()
    EventStore(state).ingest(
        project.settings.sources,
        project.settings.attributes,
        project.settings.aliases,
        folder=project.folder,
        timeline=project.timeline,
        now=time.time_ns() // 1_000,
        consent=consent_rules(project),
        scales=project.survey_scales,
        units=project.recurring_units,
    )
    return project, EventStore(state), round(time.perf_counter() - began, 1)


def answer(project: Project, store: EventStore, date: str, tune: int | None = None) -> Answer:
    """Look back to a date, and let what happened afterwards judge it."""
    as_of, plan = project.timeline.instant(date), training_config(project)
    began = time.perf_counter()
    tuning = None if tune is None else Tuning(tune, store.folder / f"tuning-{date}.db")
    looked = backtest_with_bundle(store, plan, as_of, tuning=tuning)
    seconds = time.perf_counter() - began
    rows, probability, uncalibrated = _judged(looked, store, project, as_of)
    return Answer(
        rows=rows,
        probability=probability,
        before_calibration=uncalibrated,
        rivals=baselines(
            _known(looked, store, plan, as_of), rows, looked.bundle.catalog, looked.bundle.churn
        ),
        seconds=seconds,
        facts={
            "base_rate": float(rows.churned.mean()),
            "mean_probability": float(probability.mean()),
            "evidence": looked.bundle.evidence,
            "calibration": looked.bundle.calibration.to_json(),
            "columns": len(looked.bundle.catalog.columns),
        },
    )


def _judged(
    looked: BacktestResult, store: EventStore, project: Project, as_of: int
) -> tuple[LabelledRows, Floats, Floats]:
    """The rows that were scored with the labels that only the whole record has, their probabilities, and the
    same before calibration."""
    bundle = looked.bundle
    newest = store.newest()
    assert newest is not None
    whole_record = data_extent(store, None, bundle.churn, project.timeline, project.indicators)
    covered = max(newest, whole_record.coverage.covered_until)  # a record by day lasts until its day is over
    churned = np.zeros(len(looked.keys), dtype=np.bool_)
    matrix = np.empty((len(looked.keys), len(bundle.catalog.columns)))
    for whole, past in zip(store.histories(), store.histories(until=as_of), strict=True):
        mine = np.isin(looked.keys, past.keys)
        keys = looked.keys[mine]
        churned[mine] = label(whole, bundle.churn, keys, as_of, covered, project.timeline).churned
        dates = np.full(len(keys), as_of, dtype=np.int64)
        matrix[mine] = snapshot(past, bundle.catalog, project.timeline, keys, dates, bundle.priors).matrix
    nothing = np.zeros(len(looked.keys))
    rows = LabelledRows(
        looked.keys,
        np.zeros(len(looked.keys), dtype=np.uint64),
        np.full(len(looked.keys), as_of, dtype=np.int64),
        matrix,
        churned,
        nothing,
        np.zeros((len(looked.keys), 0)),
        bundle.catalog.columns,
        (),
    )
    predictions = bundle.predict(matrix)
    return rows, predictions.churn_probability, 1.0 / (1.0 + np.exp(-predictions.margin))


def _known(looked: BacktestResult, store: EventStore, plan: TrainingConfig, as_of: int) -> LabelledRows:
    """Every labelled row that was known on the date: what the baselines learn from."""
    bundle = looked.bundle
    past = data_extent(store, as_of, bundle.churn, plan.timeline, plan.indicators)
    dates = temporal_splits(past.first, past.coverage.covered_until, bundle.churn, plan.timeline).labelled
    catalog, priors = bundle.catalog, bundle.priors
    levels = level_counts(store, catalog, bundle.churn, plan.timeline, dates, past.customers, as_of)
    numbers = dated_numbers(store, catalog, plan.timeline, dates, priors, past.customers, as_of, levels)
    return dataset(store, catalog, bundle.churn, plan.timeline, priors, dates, past, as_of, numbers)

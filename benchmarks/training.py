"""How long training takes: `python -m benchmarks.training --data ../shared/data --json`.

The delivered models (churn, tier, value) are fitted by the product and by bare `lightgbm.train` on the same
matrices, in turn, in one process; `ratio` is one median over the other. `other_s` is what is left
of a whole `kizuna train` (features, labels, judging, plots, MLflow) without its fits: those of the delivered
models and of the models that were only judged.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from benchmarks.backtests import made
from benchmarks.histories import HISTORIES
from benchmarks.machine import machine
from features.event_store import EventStore
from serving.project.settings import Project
from training.bundle.lightgbm_models import column_slots
from training.bundle.tiers import index_columns
from training.data.columns.churn_catalog import churn_catalog
from training.data.columns.indicator_details import indicator_details
from training.data.columns.populations import dated_numbers
from training.data.dataset import dataset
from training.data.extent import data_extent
from training.data.priors import learn_priors
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import temporal_splits
from training.fitting.lightgbm import tier_settings, value_settings
from training.fitting.pipeline import TrainingPipeline, thinned
from training.fitting.tiers import tier_scale
from training.labels.settings import Churn
from training.registry.mlflow_tracking import Tracking
from training.train import train
from training.training_config import TrainingConfig

REPEAT = 3


def training(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Seconds of a whole training, of the product's fits and of the bare ones."""
    project, store, _ = made(HISTORIES[name], data, folder)
    plan = _plan(project)
    whole, fits = _whole(store, plan, folder)
    recipe, rows = _prepared(store, plan)
    product, bare = [], []
    for _ in range(REPEAT):
        product.append(_seconds(lambda: recipe.fit(rows)))
        bare.append(_seconds(lambda: _bare(recipe, thinned(rows, recipe.churn))))
    return {
        "set": name,
        "rows": len(rows),
        "features": len(rows.columns),
        "fit_s": statistics.median(product),
        "bare_s": statistics.median(bare),
        "ratio": statistics.median(product) / statistics.median(bare),
        "whole_s": whole,
        "all_fits_s": fits,
        "other_s": whole - fits,
        "machine": machine(),
    }


def _plan(project: Project) -> TrainingConfig:
    settings = project.settings
    return TrainingConfig(
        project.timeline,
        project.indicators,
        settings.features,
        settings.churn,
        settings.tiers,
        settings.capacity.contacts,
    )


def _whole(store: EventStore, plan: TrainingConfig, folder: Path) -> tuple[float, float]:
    """Seconds of `kizuna train`, and how many of them LightGBM trained."""
    spent, real = 0.0, lightgbm.train

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        try:
            return real(*arguments, **named)
        finally:
            spent += time.perf_counter() - began

    tracking = Tracking("sqlite:///mlruns/mlflow.db", folder)
    lightgbm.train = timed
    try:
        whole = _seconds(lambda: train(store, plan, tracking, now=time.time_ns() // 1_000))
    finally:
        lightgbm.train = real
    return whole, spent


def _prepared(store: EventStore, plan: TrainingConfig) -> tuple[TrainingPipeline, LabelledRows]:
    """The recipe and the rows that the delivered models are fitted on."""
    churn, timeline = Churn.of(plan.churn, plan.indicators, plan.timeline.timezone), plan.timeline
    past = data_extent(store, None, churn, timeline, plan.indicators)
    dates = temporal_splits(past.first, past.coverage.covered_until, churn, timeline)
    details = indicator_details(store, plan.indicators, dates.every[0], None)
    features = churn_catalog(plan.indicators, plan.features, past.kinds, churn, details=details)
    priors = learn_priors(store, features, timeline, dates.every[0])
    dated = dated_numbers(store, features, timeline, dates.every, priors, past.customers, None)
    rows = dataset(store, features, churn, timeline, priors, dates.every, past, None, dated=dated)
    scale = tier_scale(plan.tiers, rows.on(dates.fit).named(index_columns(features, churn)), features, churn)
    return TrainingPipeline(replace(plan.models, seed=plan.seed), features, churn, scale), rows.on(
        dates.labelled
    )


def _bare(recipe: TrainingPipeline, rows: LabelledRows) -> None:
    """The same three models by LightGBM alone."""
    stayed, names = rows.where(~rows.churned), list(column_slots(rows.columns))
    tiers = len(recipe.tiers.names)
    for settings, objective, taught, target in (
        (recipe.settings, {"objective": "binary"}, rows, rows.churned.astype(np.float64)),
        (
            tier_settings(recipe.settings),
            {"objective": "multiclass", "num_class": tiers},
            rows,
            recipe.tier_next(rows).astype(np.float64),
        ),
        (
            value_settings(recipe.settings),
            {"objective": "tweedie", "tweedie_variance_power": recipe.value_power},
            stayed,
            np.maximum(stayed.value, 0.0),
        ),
    ):
        parameters = settings.parameters(len(taught)) | objective
        data = lightgbm.Dataset(taught.matrix, target, feature_name=names, params=parameters)
        lightgbm.train(parameters, data, num_boost_round=settings.trees)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the public histories")
    parser.add_argument("--set", choices=tuple(HISTORIES), default="complete_journey")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kizuna-training-") as scratch:
        found = training(options.set, options.data, Path(scratch))
    if options.json:
        print(json.dumps(found))
        return
    for name, figure in found.items():
        print(f"{name:12} {figure:.4g}" if isinstance(figure, float) else f"{name:12} {figure}")


if __name__ == "__main__":
    main()

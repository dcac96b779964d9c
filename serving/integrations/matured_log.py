"""Matured dates as runs in MLflow, each below the run that trained the model of its scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from serving.schemas.json_text import to_json
from training.monitoring.records import DatePerformance, IntervalEstimate

if TYPE_CHECKING:
    from training.registry.mlflow_tracking import Tracking

PARENT = "mlflow.parentRunId"


def log_matured_dates(registry: Tracking, dates: Sequence[DatePerformance]) -> list[str]:
    """Log each date as a run with its figures and `performance.json`; the run ids.

    A date whose model is not registered here has no run to stand below, and is left out.
    """
    runs = {model.version: model.run_id for model in registry.registered()}
    logged = []
    for one in dates:
        trained = runs.get(one.model_version)
        if trained is None:
            continue
        with registry.run(f"matured {one.as_of}", source="kizuna monitor") as run:
            tags = {"as_of": one.as_of, "model_version": one.model_version, "score_file": one.file}
            run.tag(tags | {PARENT: trained})
            run.log_metrics(dict(_figures(one)))
            run.log_texts({"performance.json": to_json(one)})
        logged.append(run.id)
    return logged


def _figures(one: DatePerformance) -> Iterator[tuple[str, float]]:
    """The figures of a date that are defined, each with the ends of its interval."""
    found = one.performance
    yield "matured/customers", float(found.customers)
    yield "matured/leavers", float(found.leavers)
    yield "matured/expected_leavers", found.expected_leavers
    estimates: dict[str, IntervalEstimate] = {
        "auc": found.auc,
        "log_loss": found.log_loss,
        "expected_calibration_error": found.calibration_error,
        "observed_to_expected": found.observed_to_expected,
    }
    if found.shown is not None:
        estimates["list_precision"] = found.shown.precision
    if found.value_lost is not None:
        estimates["value_lost_to_at_risk"] = found.value_lost.observed_to_predicted
    for name, estimate in estimates.items():
        for end, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
            if value is not None:
                yield f"matured/{name}{end}", value

"""What a training run leaves for people: figures, pictures, the feature table and the model card."""

from __future__ import annotations

import csv
import io
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from features.timeline import Timeline
from training.registry.baseline_gate import against_rfm
from training.registry.left_out import left_out
from training.registry.metric_names import metric_names
from training.registry.model_card.card import cards, summary
from training.registry.plots import drawn
from training.registry.run_source import NO_SOURCE, RunSource

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation
    from training.registry.gates import GateDecision
    from training.registry.mlflow_tracking import Run, Tracking
    from training.tuning import Tuning

ENVIRONMENT = (
    "kizuna",
    "lightgbm",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "shap",
    "woodelf_explainer",
    "mlflow",
)

GATES = ("strongest_feature_auc", "additivity_gap", "fast_explanation_gap")
"""What promotion looked at besides the run's own figures."""


def upload_run_artifacts(
    run: Run,
    bundle: Bundle,
    evidence: Evaluation,
    decision: GateDecision,
    source: RunSource = NO_SOURCE,
    **tags: str,
) -> None:
    """Log everything about a run by the names that make runs comparable."""
    run.log_parameters(bundle.settings)
    figures = {**bundle.figures, **evidence.list_figures, **gate_figures(decision)}
    without = None if evidence.roles is None else left_out(bundle, evidence.roles)
    run.log_metrics(metric_names(figures | ({} if without is None else without.figures)))
    _datasets(run, bundle, evidence)
    run.tag(
        {
            "evidence": bundle.evidence,
            "contacts": bundle.contacts,
            "fingerprint": bundle.fingerprint,
            "data_version": bundle.data_version,
            "code_version": bundle.code_version,
            "trained_until": Timeline(bundle.timezone).name(bundle.trained_until),
            "calibration": bundle.calibration.method + (", level" if bundle.calibration.levelled else ""),
            "promoted": str(decision.promoted).lower(),
            "against_rfm": against_rfm(bundle.figures),
        }
        | dict(source.tags)
        | tags
    )
    run.describe(summary(bundle, decision, evidence.list_figures))
    run.log_figures(drawn(bundle, evidence))
    run.log_texts(
        cards(bundle, decision, evidence.list_figures)
        | {
            "configuration.json": _json(bundle.settings),
            "decision.json": _json(asdict(decision)),
            "environment.txt": environment(),
            "features.csv": feature_table(bundle, evidence),
        }
        | ({} if without is None else {"left_out.json": _json(asdict(without))})
        | dict(source.texts)
    )


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True)


def upload_tuning_trials(tracking: Tracking, run: Run, tuning: Tuning) -> None:
    """Every trial of a search as a run nested below the one that used its best settings."""
    facts = tuning.facts
    run.log_parameters({"tuning": facts})
    run.log_metrics(
        {
            "tuning/log_loss": facts["log_loss_best"],
            "tuning/log_loss_defaults": facts["log_loss_defaults"],
        }
    )
    for trial in tuning.trials:
        started, ended = trial.started // 1_000, trial.ended // 1_000
        with tracking.run(f"trial {trial.number}", parent=run, started=started, ended=ended) as one:
            one.log_parameters({"models": trial.settings.to_json()})
            one.tag({"state": trial.state})
            for step, loss in enumerate(trial.losses):
                one.log_metrics({"tuning/log_loss": loss}, step=step)


def _datasets(run: Run, bundle: Bundle, evidence: Evaluation) -> None:
    """The events, and the rows of each role with its as-of dates; the test's with its columns."""
    calendar: dict[str, list[str]] = dict(bundle.settings.get("calendar", {}))
    run.log_dataset(
        "events",
        bundle.data_version,
        rows=int(bundle.settings.get("events", 0)),
        context="training",
        customers=int(bundle.settings.get("customers", 0)),
    )
    columns = dict.fromkeys(("churned", *bundle.catalog.columns), "double") | {"churned": "boolean"}
    rows = evidence.rows
    run.log_dataset(
        "test rows",
        bundle.data_version,
        rows=len(rows),
        context="test",
        columns=columns,
        customers=len(np.unique(rows.keys)),
        churned=int(rows.churned.sum()),
        as_of=calendar.get("test", []),
    )


def gate_figures(decision: GateDecision) -> dict[str, float]:
    """What the gates looked at beyond the run's own figures."""
    return {
        f"gate/{name}": value
        for name, value in decision.figures.items()
        if name in GATES or name.startswith("champion/")
    }


def feature_table(bundle: Bundle, evidence: Evaluation) -> str:
    """Every feature as CSV: what it says, how typical customers stand, and how much it moves the risk."""
    catalog = bundle.catalog
    moved = np.abs(bundle.contributions(evidence.sample)[:, :-1]).mean(axis=0)
    known = 1.0 - np.isnan(evidence.sample).mean(axis=0)
    order = np.argsort(-moved, kind="stable").tolist()
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
        ["feature", "indicator", "unit", "meaning", "meaning_ja", "typical", "known", "mean_abs_contribution"]
    )
    for at in order:
        column = catalog.columns[at]
        typical = bundle.typical.get(column)
        table.writerow(
            [
                column,
                catalog.indicator_of(column),
                catalog.unit(column),
                catalog.meaning(column, "en"),
                catalog.meaning(column, "ja"),
                "" if typical is None else f"{typical:.6g}",
                f"{known[at]:.4f}",
                f"{moved[at]:.6f}",
            ]
        )
    return file.getvalue()


def environment() -> str:
    """The versions that made the run."""
    lines = [f"python {platform.python_version()}"]
    return "\n".join([*lines, *(f"{name} {version(name)}" for name in ENVIRONMENT)]) + "\n"

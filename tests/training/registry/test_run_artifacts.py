"""A run leaves everything that people compare runs by."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests.experiments import experiments
from tests.training.judged import shown
from tests.training.trained import bundle, like
from training.bundle.calibration import Calibration
from training.evaluation.evaluate import Evaluation
from training.registry.gates import decide_promotion
from training.registry.metric_names import HEADLINE, metric_names
from training.registry.run_artifacts import environment, feature_table, upload_run_artifacts


def evidence() -> Evaluation:
    """Evidence of the small bundle on rows it has not seen."""
    seen = shown()
    said = bundle().predict(seen.rows.matrix)
    tiers = said.tier_probabilities.argmax(axis=1).astype(np.int8)
    return Evaluation(
        level="normal",
        figures=seen.figures,
        list_figures={},
        calibration=Calibration(),
        value_scale=1.0,
        base_rate=0.3,
        rows=seen.rows,  # type: ignore[arg-type]
        probability=said.churn_probability,
        rivals={"recency": np.linspace(0, 1, len(seen.rows))},
        tier_now=tiers,
        tier_next=tiers,
        tier_predicted=tiers,
        value_predicted=said.expected_value,
        sample=seen.sample,
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory):
    """A run that kept everything: what MLflow says of it, and its files."""
    tracking = experiments(tmp_path_factory.mktemp("project"))
    found = evidence()
    judged = like(bundle(), figures=dict(found.figures), settings=bundle().settings | {"events": 9_000})
    with tracking.run("one") as run:
        upload_run_artifacts(run, judged, found, decide_promotion(judged, found, None), store_version="7")
    return run.client.get_run(run.id), Path(run.client.download_artifacts(run.id, ""))


def test_metrics_settings_tags_and_data_are_named_the_same_in_every_run(kept) -> None:
    run, _ = kept
    plain = {name for name in run.data.metrics if "/" not in name}
    assert plain <= set(HEADLINE)
    assert {"auc", "interval/auc_low", "log_loss", "baseline/recency/auc", "gate/additivity_gap"} <= set(
        run.data.metrics
    )
    assert run.data.params["churn.horizon_days"] == "30"
    tags = {name: text for name, text in run.data.tags.items() if not name.startswith("mlflow.")}
    assert sorted(tags) == [
        "against_rfm",
        "calibration",
        "code_version",
        "contacts",
        "data_version",
        "evidence",
        "fingerprint",
        "promoted",
        "store_version",
        "trained_until",
    ]
    assert tags["trained_until"] == "2018-01-01"
    assert tags["contacts"] == "as_they_were"
    data = {used.dataset.name: used for used in run.inputs.dataset_inputs}
    assert sorted(data) == ["events", "test rows"]
    assert data["events"].dataset.digest == bundle().data_version
    assert json.loads(data["test rows"].dataset.profile)["num_rows"] == 3_000
    columns = json.loads(data["test rows"].dataset.schema)["mlflow_colspec"]
    assert columns[0] == {"name": "churned", "type": "boolean"}
    assert len(columns) == 1 + len(bundle().catalog.columns)
    assert run.data.tags["mlflow.note.content"].startswith("- Became the champion.\n")


def test_pictures_cards_tables_and_settings_are_files_of_the_run(kept) -> None:
    _, folder = kept
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "configuration.json",
        "decision.json",
        "environment.txt",
        "features.csv",
        "figures/gains.png",
        "figures/precision_recall.png",
        "figures/reliability.png",
        "figures/shap_beeswarm.png",
        "figures/shap_dependence.png",
        "figures/tier_confusion.png",
        "model_card.en.html",
        "model_card.en.md",
        "model_card.ja.html",
        "model_card.ja.md",
    ]


def test_the_feature_table_has_every_feature_once_strongest_first() -> None:
    found = evidence()
    table = list(csv.DictReader(io.StringIO(feature_table(bundle(), found))))
    assert sorted(row["feature"] for row in table) == sorted(bundle().catalog.columns)
    moved = [float(row["mean_abs_contribution"]) for row in table]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > 0
    first = next(row for row in table if row["feature"] == "purchase_count_30d")
    assert first["meaning"] == "number of purchases in the last 30 days"
    assert first["meaning_ja"] == "直近30日の購買回数"


def test_the_environment_names_exact_versions_and_no_machine() -> None:
    lines = environment().splitlines()
    assert lines[0].startswith("python 3.")
    assert any(line.startswith("lightgbm 4.") for line in lines)


def test_a_metric_has_no_name_that_a_setting_has() -> None:
    assert metric_names({"lead_days": 3.0, "lead_days_low": 1.0}) == {
        "more/days_before_last_activity": 3.0,
        "interval/days_before_last_activity_low": 1.0,
    }

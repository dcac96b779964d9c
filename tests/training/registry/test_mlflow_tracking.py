"""Runs, figures and bundles are kept in MLflow, where people compare and load them."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from features.errors import DataError, ModelError
from tests.experiments import URI, experiments
from tests.training.trained import bundle, like, rows
from training.bundle.model_bundle import Bundle
from training.registry.mlflow_tracking import Tracking


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a finished run, a parent of another one, and two registered versions."""
    folder = tmp_path_factory.mktemp("project")
    tracking = Tracking(URI, folder, project="Corner shop")
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    with tracking.run("until 2017-12-02") as run:
        run.log_parameters({"churn": {"horizon_days": 30, "indicators": ["purchase"]}, "seed": 0})
        run.log_metrics({"churn.auc": 0.81, "churn.log_loss": 0.41})
        run.log_figures({"reliability": figure})
        run.log_texts(
            {"configuration.toml": 'timezone = "UTC"\n', "cards/model_card.ja.md": "# 離反モデル\n"}
        )
        run.log_dataset("events", "events-7", rows=2_000, context="fit", churners=280)
        run.tag({"evidence": "normal", "data_version": "events-7"})
        assert tracking.register(run, bundle()) == "1"
        with tracking.run("trial 0", parent=run) as trial:
            trial.log_metrics({"churn.log_loss": 0.42})
    tracking.promote("1")
    with tracking.run("until 2018-01-01") as run:
        assert tracking.register(run, like(bundle(), data_version="events-8")) == "2"
    return folder


def table_of(matrix: np.ndarray) -> pd.DataFrame:
    """The rows as `kizuna features` writes them: details as text, one of them unknown to the code book."""
    table = pd.DataFrame(matrix, columns=list(bundle().catalog.columns))
    for column in bundle().catalog.detail_columns:
        names = [*bundle().priors.code_book[column], "never seen before"]
        table[column] = [None if np.isnan(code) else names[int(code)] for code in table[column]]
    return table


@pytest.fixture
def mlflow_of(project: Path) -> Iterator[object]:
    """MLflow as a data scientist opens it on the project."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{project / 'mlruns' / 'mlflow.db'}")
    yield mlflow
    mlflow.set_tracking_uri(None)


def test_everything_lies_inside_mlruns(project: Path) -> None:
    assert [path.name for path in project.iterdir()] == ["mlruns"]
    assert sorted(path.name for path in (project / "mlruns").iterdir()) == ["artifacts", "mlflow.db"]


def test_runs_stand_side_by_side_under_the_name_of_the_project(mlflow_of) -> None:
    runs = mlflow_of.search_runs(experiment_names=["Corner shop"], order_by=["start_time"])
    assert list(runs["tags.mlflow.runName"][:3]) == ["until 2017-12-02", "trial 0", "until 2018-01-01"]
    assert set(runs["status"]) == {"FINISHED"}
    first = runs.iloc[0]
    assert first["metrics.churn.auc"] == 0.81
    assert first["params.churn.horizon_days"] == "30"
    assert first["tags.evidence"] == "normal"
    assert runs.iloc[1]["tags.mlflow.parentRunId"] == first["run_id"]


def test_a_run_names_its_data_with_the_data_version(mlflow_of) -> None:
    run = mlflow_of.search_runs(experiment_names=["Corner shop"], order_by=["start_time"]).iloc[0]
    (used,) = mlflow_of.get_run(run["run_id"]).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("events", "events-7")
    assert json.loads(used.dataset.profile) == {"num_rows": 2_000, "churners": 280}
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "fit")]


def test_figures_and_texts_are_artifacts_of_the_run(mlflow_of) -> None:
    run = mlflow_of.search_runs(experiment_names=["Corner shop"], order_by=["start_time"]).iloc[0]
    folder = Path(mlflow_of.artifacts.download_artifacts(run_id=run["run_id"]))
    assert (folder / "figures" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "configuration.toml").read_text() == 'timezone = "UTC"\n'
    assert (folder / "cards" / "model_card.ja.md").read_text(encoding="utf-8") == "# 離反モデル\n"


def test_the_champion_loaded_by_mlflow_gives_the_probabilities_of_the_bundle(mlflow_of) -> None:
    matrix = rows(50, seed=5)
    model = mlflow_of.pyfunc.load_model("models:/churn@champion")
    said = model.predict(table_of(matrix))
    expected = bundle().predict(matrix)
    assert np.array_equal(said["churn_probability"], expected.churn_probability)
    assert np.array_equal(said["tier_devoted"], expected.tier_probabilities[:, -1])
    assert np.array_equal(said["expected_value"], expected.expected_value)


def test_columns_in_another_order_give_the_same_probabilities(mlflow_of) -> None:
    matrix = rows(20, seed=6)
    table = table_of(matrix)
    model = mlflow_of.pyfunc.load_model("models:/churn@champion")
    said = model.predict(table[table.columns[::-1]])
    assert np.array_equal(said["churn_probability"], bundle().predict(matrix).churn_probability)


def test_the_signature_asks_for_doubles_and_for_details_as_text_by_name(mlflow_of) -> None:
    signature = mlflow_of.models.get_model_info("models:/churn@champion").signature
    assert signature.inputs.input_names() == list(bundle().catalog.columns)
    texts = {one.name for one in signature.inputs.inputs if str(one.type) == "DataType.string"}
    assert texts == set(bundle().catalog.detail_columns) != set()
    assert {str(kind) for kind in signature.inputs.input_types()} == {"DataType.double", "DataType.string"}
    assert signature.outputs.input_names()[0] == "churn_probability"


def test_the_model_comes_with_an_example_that_it_can_predict(mlflow_of) -> None:
    model = mlflow_of.pyfunc.load_model("models:/churn@champion")
    example = model.input_example
    assert list(example.columns) == list(bundle().catalog.columns)
    assert example["purchase_count_30d"].item() == bundle().typical["purchase_count_30d"]
    assert 0.0 < model.predict(example)["churn_probability"].item() < 1.0


def test_a_table_without_a_feature_is_refused_by_its_name(mlflow_of) -> None:
    model = mlflow_of.pyfunc.load_model("models:/churn@champion")
    with pytest.raises(DataError) as refusal:
        model.predict(table_of(rows(3, seed=5)).drop(columns="purchase_count_30d"))
    assert str(refusal.value) == (
        f"cannot predict from this table: 1 of the {len(bundle().catalog.columns)} features are missing, "
        "such as 'purchase_count_30d'. Write the table with `kizuna features`."
    )


def test_nothing_that_mlflow_keeps_is_a_pickle(project: Path) -> None:
    kept = [path for path in (project / "mlruns" / "artifacts").rglob("*") if path.is_file()]
    assert len(kept) > 15
    for path in kept:
        assert path.suffix in {".txt", ".json", ".toml", ".yaml", ".md", ".png", ""}
        if path.suffix != ".png":
            path.read_text(encoding="utf-8")


def test_the_champion_is_a_version_and_a_folder_that_holds_its_bundle(project: Path) -> None:
    version, folder = Tracking(URI, project, project="Corner shop").champion() or ("", Path())
    assert version == "1"
    assert Bundle.load(folder) == bundle()


def test_promotion_moves_the_champion_and_can_be_taken_back(project: Path) -> None:
    tracking = Tracking(URI, project, project="Corner shop")
    for version, data in (("2", "events-8"), ("1", "events-7")):
        tracking.promote(version)
        found, folder = tracking.champion() or ("", Path())
        assert (found, Bundle.load(folder).data_version) == (version, data)


def test_asking_for_a_champion_where_nothing_was_trained_creates_nothing(tmp_path: Path) -> None:
    assert Tracking(URI, tmp_path).champion() is None
    assert list(tmp_path.iterdir()) == []


def test_a_champion_whose_files_are_gone_is_said_plainly(project: Path) -> None:
    tracking = Tracking(URI, project, project="Corner shop")
    with tracking.run("lost") as run:
        version = tracking.register(run, like(bundle(), data_version="events-9"))
    tracking.promote(version)
    _, folder = tracking.champion() or ("", Path())
    shutil.rmtree(folder.parent.parent)
    with pytest.raises(ModelError) as refusal:
        tracking.champion()
    tracking.promote("1")
    assert str(refusal.value) == (
        f"cannot fetch the champion, version {version} of 'churn': its files are not at "
        f"{folder.parent.parent.as_uri()}. Put them back, or train again with `kizuna train`."
    )


def test_a_model_without_a_champion_is_no_trouble(tmp_path: Path) -> None:
    tracking = experiments(tmp_path)
    with tracking.run("one") as run:
        pass
    assert tracking.champion() is None
    with tracking.run("two") as run:
        tracking.register(run, bundle())
    assert tracking.champion() is None


def test_trouble_with_mlflow_is_not_taken_for_the_absence_of_a_champion(tmp_path: Path) -> None:
    remedy = "Check that tracking_uri in kizuna.toml is right and answers, then try again."
    tracking = experiments(tmp_path)
    with tracking.run("one") as run:
        tracking.promote(tracking.register(run, bundle()))
    database = tmp_path / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("alter table registered_model_aliases rename to gone")
    with pytest.raises(ModelError) as refusal:
        tracking.champion()
    assert str(refusal.value) == (
        "cannot ask MLflow for the champion: (sqlite3.OperationalError) no such table: "
        f"registered_model_aliases. {remedy}"
    )
    other = tmp_path / "other"
    (other / "mlruns").mkdir(parents=True)
    (other / "mlruns" / "mlflow.db").write_bytes(b"rubbish" * 1000)
    with pytest.raises(ModelError) as refusal:
        Tracking(URI, other).champion()
    assert str(refusal.value) == (
        f"cannot ask MLflow for the champion: (sqlite3.DatabaseError) file is not a database. {remedy}"
    )


def test_a_run_whose_work_fails_is_marked_failed(project: Path, mlflow_of) -> None:
    tracking = Tracking(URI, project, project="Broken")
    with pytest.raises(ZeroDivisionError), tracking.run("one"):
        raise ZeroDivisionError
    assert list(mlflow_of.search_runs(experiment_names=["Broken"])["status"]) == ["FAILED"]


def test_tracking_is_quiet_and_stays_on_the_machine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("tracking reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    tracking = Tracking(URI, tmp_path)
    with tracking.run("one") as run:
        tracking.promote(tracking.register(run, bundle()))
    assert tracking.champion() is not None
    assert capfd.readouterr() == ("", "")

"""Experiments and models in MLflow; the one module that imports it.

    mlruns/mlflow.db        runs, parameters, metrics, the registered model `churn` and its aliases
    mlruns/artifacts/       figures, tables, model cards, and the bundles as text

Importing MLflow takes seconds: import this module where it is needed. Nothing here leaves the machine
unless the tracking address does.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

with warnings.catch_warnings():
    # MLflow 3.17 warns of its own type hints, and uses a loader strategy that SQLAlchemy 2.1 deprecates.
    warnings.filterwarnings("ignore", r"(?s).*Any type hint is inferred", UserWarning)
    warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)
    import mlflow
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.store.db.utils import sqlalchemy as mlflow_database
    from mlflow.store.tracking import sqlalchemy_store as _  # noqa: F401
    from mlflow.tracking import MlflowClient
    from mlflow.types import ColSpec, DataType, Schema

import pandas as pd

from features.errors import ModelFilesMissing
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.bundle.pyfunc import example_row
from training.evaluation.metrics import METRICS
from training.registry.artifact_locations import absolute_uri, relocate_artifacts, sqlite_file
from training.registry.parameter_texts import parameter_texts
from training.registry.registered_models import (
    ABOUT_MODEL,
    ABOUT_RUNS,
    CHAMPION,
    MODEL,
    REQUIREMENTS,
    RegisteredModel,
    no_answer,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BUNDLE = Path("data", "bundle")
"""Where MLflow puts the bundle inside a model's files."""

_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""How MLflow says that there is no such model, and no such alias."""

DatabaseError: type[Exception] = mlflow_database.exc.SQLAlchemyError
"""What MLflow lets through where its database cannot be opened; everything later is an `MlflowException`."""

logging.getLogger("mlflow").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Run:
    """One training run: what is logged here stands beside other runs in MLflow's own screens."""

    client: MlflowClient
    id: str
    experiment: str
    started: int
    """Milliseconds; the moment of every figure, so that logging one again adds no point to its history."""

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Settings, nested ones with dots in their names."""
        flat = [Param(key, text) for key, text in parameter_texts(parameters)]
        for start in range(0, len(flat), 100):
            self.client.log_batch(self.id, params=flat[start : start + 100])

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Figures by their standard names."""
        rows = [Metric(key, float(value), self.started, step) for key, value in metrics.items()]
        for start in range(0, len(rows), 1000):
            self.client.log_batch(self.id, metrics=rows[start : start + 1000])

    def log_figures(self, figures: Mapping[str, Figure]) -> None:
        """Pictures under `figures/`, by name."""
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in figures.items():
                figure.savefig(Path(folder) / f"{name}.png", dpi=110)
            self.client.log_artifacts(self.id, folder, "figures")

    def log_texts(self, texts: Mapping[str, str]) -> None:
        """Files of text, by file name: configuration, feature table, model cards."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in texts.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            self.client.log_artifacts(self.id, folder)

    def log_dataset(
        self,
        name: str,
        digest: str,
        *,
        rows: int,
        context: str,
        columns: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        """The data a role used; `digest` is the data version, `columns` maps a column to its type."""
        schema = [{"name": column, "type": kind} for column, kind in (columns or {}).items()]
        dataset = Dataset(
            name=name,
            digest=digest[:36],
            source_type="kizuna",
            source=json.dumps({"store": name, "version": digest}),
            schema=json.dumps({"mlflow_colspec": schema}) if schema else None,
            profile=json.dumps({"num_rows": rows, **facts}),
        )
        tag = InputTag("mlflow.data.context", context)
        self.client.log_inputs(self.id, datasets=[DatasetInput(dataset, [tag])])

    def describe(self, text: str) -> None:
        """Markdown that stands on the run's own page."""
        self.tag({"mlflow.note.content": text})

    def tag(self, tags: Mapping[str, str]) -> None:
        """Words to find and group runs by."""
        self.client.log_batch(self.id, tags=[RunTag(key, str(value)) for key, value in tags.items()])


class Tracking:
    """The experiments of one project and its registered models.

    `uri` is MLflow's tracking address; a relative SQLite path starts at the project folder. Addresses in a
    SQLite database inside the project follow the project when it is moved, copied or restored.
    """

    def __init__(self, uri: str, folder: Path, *, project: str | None = None) -> None:
        self.folder = folder.resolve()
        self.uri = absolute_uri(uri, self.folder)
        self.project = project or self.folder.name or "kizuna"
        self._named_by_folder = project is None
        database = sqlite_file(self.uri)
        if database is not None:
            relocate_artifacts(database, self.folder)

    @contextmanager
    def run(
        self,
        name: str,
        *,
        source: str = "kizuna train",
        parent: Run | None = None,
        started: int | None = None,
        ended: int | None = None,
    ) -> Iterator[Run]:
        """A run with this name, of the command `source`; marked failed when the work inside it fails.

        `started` and `ended` (milliseconds) are given where the work was done earlier.
        """
        experiment = self._experiment()
        tags = {"mlflow.source.name": source, "mlflow.source.type": "LOCAL"}
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.id
        info = self._client.create_run(experiment, started, tags=tags, run_name=name).info
        run = Run(self._client, info.run_id, experiment, int(info.start_time))
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        finally:
            self._client.set_terminated(run.id, status, ended)

    def register(self, run: Run, bundle: Bundle, *, description: str = "") -> str:
        """Register the bundle as the next version of the model `churn`; returns the version."""
        client = self._client
        tags = {
            "fingerprint": bundle.fingerprint,
            "evidence": bundle.evidence,
            "contacts": bundle.contacts,
            "data_version": bundle.data_version,
            "trained_until": Timeline(bundle.timezone).name(bundle.trained_until),
        }
        model = client.create_logged_model(
            run.experiment,
            MODEL,
            source_run_id=run.id,
            model_type="churn",
            tags=tags,
        )
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "bundle"
            bundle.save(data)
            packed = Path(folder) / "model"
            with warnings.catch_warnings():
                # MLflow 3.17 compares an index with a range, which pandas 3 deprecates.
                warnings.filterwarnings("ignore", "Operation with range is deprecated", DeprecationWarning)
                save_model(
                    packed,
                    loader_module="training.bundle.pyfunc",
                    data_path=str(data),
                    signature=_signature(bundle),
                    input_example=pd.DataFrame([example_row(bundle)]),
                    pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
                )
            client.log_model_artifacts(model.model_id, str(packed))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run.id, [LoggedModelOutput(model.model_id, 0)])
        headline = [(name, bundle.figures[name]) for name in METRICS if name in bundle.figures]
        of_model = [Metric(name, value, run.started, 0, model.model_id) for name, value in headline]
        client.log_batch(run.id, metrics=of_model)
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL, description=ABOUT_MODEL)
        version = client.create_model_version(
            MODEL,
            source=model.artifact_location,
            run_id=run.id,
            model_id=model.model_id,
            tags=tags,
            description=description,
        )
        return str(version.version)

    def experiment_address(self, server: str) -> str:
        """Where MLflow's screens at `server` show the project's runs; the start page before the first run."""
        known = self._client.get_experiment_by_name(self.project) if self._exists() else None
        return server if known is None else f"{server}/#/experiments/{known.experiment_id}"

    def promote(self, version: str) -> None:
        """Make this version the champion."""
        self._client.set_registered_model_alias(MODEL, CHAMPION, version)

    def version_of(self, fingerprint: str) -> str | None:
        """The newest version that is this bundle, byte for byte."""
        held = self._client.search_model_versions(f"name = '{MODEL}' and tags.fingerprint = '{fingerprint}'")
        return max((str(one.version) for one in held), key=int, default=None)

    def run_of(self, version: str) -> str | None:
        """The run that trained this version."""
        run_id: str | None = self._client.get_model_version(MODEL, version).run_id
        return run_id

    def experiment_of(self, run_id: str) -> str:
        """The identifier of the experiment that a run is in."""
        return str(self._client.get_run(run_id).info.experiment_id)

    def champion(self) -> tuple[str, Path] | None:
        """The champion's version and a local folder with its bundle; None when there is none yet.

        Raises `ModelError` when MLflow cannot say, `ModelFilesMissing` when the champion's files are gone.
        """
        version = self.champion_version() if self._exists() else None
        return None if version is None else (version, self.bundle_of(version, champion=True))

    def champion_version(self) -> str | None:
        """The version that the alias names."""
        try:
            return str(self._client.get_model_version_by_alias(MODEL, CHAMPION).version)
        except MlflowException as error:
            if error.error_code in _NOT_THERE:
                return None
            raise no_answer(error) from None
        except DatabaseError as error:
            raise no_answer(error) from None

    def bundle_of(self, version: str, *, champion: bool = False) -> Path:
        """A local folder with the bundle of a registered version; `ModelFilesMissing` when it is gone."""
        location = self._client.get_model_version_download_uri(MODEL, version)
        try:
            local = Path(mlflow.artifacts.download_artifacts(artifact_uri=location, tracking_uri=self.uri))
        except (MlflowException, OSError):
            local = None
        if local is None or not (local / _BUNDLE).is_dir():
            raise ModelFilesMissing(MODEL, version, location, champion=champion)
        return local / _BUNDLE

    def registered(self) -> list[RegisteredModel]:
        """Every version there is, the newest first."""
        if not self._exists():
            return []
        champion, client = self.champion_version(), self._client
        found = []
        try:
            for held in client.search_model_versions(f"name = '{MODEL}'", max_results=10_000):
                run = client.get_run(held.run_id).data
                when = int(held.creation_timestamp) * 1_000
                mine = str(held.version) == champion
                found.append(
                    RegisteredModel(
                        str(held.version), held.run_id, when, mine, dict(run.tags), dict(run.metrics)
                    )
                )
        except (MlflowException, DatabaseError) as error:
            raise no_answer(error) from None
        return sorted(found, key=lambda one: -int(one.version))

    def _exists(self) -> bool:
        database = sqlite_file(self.uri)
        return database is None or database.is_file()

    @property
    def _client(self) -> MlflowClient:
        database = sqlite_file(self.uri)
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(self.uri, registry_uri=self.uri)

    def _experiment(self) -> str:
        client = self._client
        known = client.get_experiment_by_name(self.project)
        if known is not None:
            return str(known.experiment_id)
        artifacts = (self.folder / "mlruns" / "artifacts").as_uri() if sqlite_file(self.uri) else None
        if self._named_by_folder and artifacts:  # in a moved project runs go on in the experiment they are in
            for earlier in client.search_experiments(order_by=["creation_time ASC"]):
                if earlier.artifact_location == artifacts:
                    client.rename_experiment(earlier.experiment_id, self.project)
                    return str(earlier.experiment_id)
        tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": ABOUT_RUNS}
        return str(client.create_experiment(self.project, artifact_location=artifacts, tags=tags))


def _signature(bundle: Bundle) -> ModelSignature:
    """Numbers as double and details as text, as `kizuna features` writes them."""
    details = frozenset(bundle.catalog.detail_columns)
    outputs = ["churn_probability", *(f"tier_{name}" for name in bundle.tiers.names)]
    if bundle.models.value is not None:
        outputs.append("expected_value")
    return ModelSignature(
        Schema(
            [
                ColSpec(DataType.string if column in details else DataType.double, column, required=False)
                for column in bundle.catalog.columns
            ]
        ),
        Schema([ColSpec(DataType.double, column) for column in outputs]),
    )

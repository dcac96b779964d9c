"""The file of `kizuna features` is what the models read: the bundle and MLflow give its rows their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from serving.scoring.batch import score_customers
from tests.experiments import URI, experiments
from tests.training.simulated import NOW, UTC, plan, shop
from tests.training.worlds import day
from training.bundle.model_bundle import Bundle
from training.bundle.pyfunc import Model
from training.data.feature_table import FeatureColumns, cohort_feature_table, feature_columns
from training.labels.cohort import IN_COHORT
from training.labels.settings import Churn
from training.train import train

AS_OF = day(320)


@dataclass(frozen=True)
class Trained:
    folder: Path
    store: EventStore
    champion: Bundle


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A shop, and the champion that was trained on it."""
    folder = tmp_path_factory.mktemp("project")
    store = shop().store(folder / "state")
    champion = train(store, plan(), experiments(folder), now=NOW)
    assert champion.promoted
    return Trained(folder, store, champion.bundle)


@pytest.fixture
def mlflow_of(trained: Trained) -> Iterator[object]:
    import mlflow

    mlflow.set_tracking_uri(URI.replace("sqlite:///", f"sqlite:///{trained.folder}/"))
    yield mlflow
    mlflow.set_tracking_uri(None)


def features(
    store: EventStore, as_of: int = AS_OF, champion: Bundle | None = None, **changed: object
) -> pa.Table:
    return cohort_feature_table(store, columns(store, as_of, champion, **changed))


def columns(
    store: EventStore, as_of: int = AS_OF, champion: Bundle | None = None, **changed: object
) -> FeatureColumns:
    config = replace(plan(), **changed)  # type: ignore[arg-type]
    churn = Churn.of(config.churn, config.indicators)
    return feature_columns(store, config.indicators, config.features, churn, UTC, as_of, champion)


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same rows to the bit, NaN beside NaN."""
    frames = (table.sort_by("customer_id").to_pandas() for table in (one, other))
    return next(frames).equals(next(frames))


def scores(trained: Trained) -> dict[str, tuple[float, float]]:
    """The churn probability and the expected value of each customer of the cohort, as `score` gives them."""
    found: dict[str, tuple[float, float]] = {}
    for history in trained.store.histories():
        answers = score_customers(trained.champion, history, AS_OF)
        inside = answers.status == IN_COHORT
        names = trained.store.customers.names(answers.key[inside]).to_pylist()
        numbers = zip(answers.churn_probability[inside], answers.expected_value[inside], strict=True)
        found |= dict(zip(names, numbers, strict=True))
    return found


def test_the_file_gives_the_scores_to_the_last_digit_by_the_bundle_and_by_mlflow(
    trained: Trained, mlflow_of, tmp_path: Path
) -> None:
    file = tmp_path / "features.parquet"
    pq.write_table(features(trained.store, champion=trained.champion), file)
    table, expected = pd.read_parquet(file), scores(trained)
    assert set(table["customer_id"]) == set(expected)
    assert trained.champion.catalog.detail_columns
    for model in (Model(trained.champion), mlflow_of.pyfunc.load_model("models:/churn@champion")):
        predictions = model.predict(table)
        numbers = zip(predictions["churn_probability"], predictions["expected_value"], strict=True)
        assert dict(zip(table["customer_id"], numbers, strict=True)) == expected


def test_what_the_population_taught_is_in_the_file_with_and_without_a_champion(trained: Trained) -> None:
    for table in (features(trained.store, champion=trained.champion), features(trained.store)):
        (silence,) = (name for name in table.column_names if name.startswith("purchase_silence_"))
        chances = table.column(silence).to_numpy()
        assert ((chances >= 0) & (chances <= 1)).mean() > 0.9
        smoothed = table.column("purchase_overdue_smoothed").to_numpy()
        plain = table.column("purchase_overdue").to_numpy()
        assert (smoothed != plain).mean() > 0.9


def test_without_a_champion_only_what_was_known_at_the_date_teaches(tmp_path: Path) -> None:
    there = shop(150, 260)
    whole = features(there.store(tmp_path / "whole"), day(200))
    past = features(there.store(tmp_path / "past", before=day(200)), day(200))
    assert same(whole, past)


def test_a_kind_of_event_that_came_later_than_the_champion_adds_columns_and_changes_none(
    trained: Trained, tmp_path: Path
) -> None:
    store = shop().store(tmp_path / "state")
    visits = {
        "customer_id": [f"c{n:04}" for n in range(50)],
        "occurred_at": pa.array([day(310)] * 50, pa.timestamp("us", "UTC")),
        "kind": ["visit"] * 50,
    }
    store.add(pa.table(visits), source="visits", timeline=UTC, now=NOW)
    before = features(trained.store, champion=trained.champion)
    after = features(store, champion=trained.champion)
    assert "usage_count_30d" in after.column_names
    assert same(after.select(before.column_names), before)


def test_a_champion_of_other_settings_does_not_decide_the_columns(trained: Trained) -> None:
    other = FeatureSettings(windows=(14,))
    table = features(trained.store, champion=trained.champion, features=other)
    assert "purchase_count_14d" in table.column_names
    assert "purchase_count_30d" not in table.column_names
    assert np.isfinite(table.column("purchase_overdue_smoothed").to_numpy()).any()

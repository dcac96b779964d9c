"""What a training left out: dropped and unread features, dates without a role, rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.catalog.settings import FeatureSettings
from tests.experiments import experiments
from tests.training.simulated import NOW, plan, shop
from training.registry.left_out import left_out
from training.train import learn, train


def test_a_run_keeps_which_features_dates_and_rows_were_left_out(tmp_path: Path) -> None:
    store = shop(customers=120).store(tmp_path / "state")
    features = FeatureSettings(windows=(7, 30, 90), drop=("purchase_sum_*",))
    config = replace(plan(), features=features)
    bundle, evaluation = learn(store, config, until=None)
    assert evaluation.roles is not None
    found, splits = left_out(bundle, evaluation.roles), evaluation.roles.splits
    assert found.dropped_features
    assert all(name.startswith("purchase_sum_") for name in found.dropped_features)
    assert set(found.features_not_read) == {
        name for name, read in zip(bundle.catalog.columns, bundle.used, strict=True) if not read
    }
    roles = {*splits.fit, *splits.calibrate, *splits.test}
    assert len(found.dates_without_role) == len(set(splits.every) - roles)
    assert found.rows_without_role == sum(
        int((evaluation.roles.rows.as_of == date).sum()) for date in set(splits.every) - roles
    )
    assert found.share_of_rows == 1.0

    tracking = experiments(tmp_path)
    run = train(store, config, tracking, now=NOW).run_id
    client = tracking._client
    kept = Path(client.download_artifacts(run, "left_out.json")).read_text(encoding="utf-8")
    assert json.loads(kept)["dropped_features"] == list(found.dropped_features)
    metrics = client.get_run(run).data.metrics
    assert metrics["left_out/dropped_features"] == pytest.approx(len(found.dropped_features))

"""What a training left out: dropped and unread features, dates without a role, rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.catalog.settings import FeatureSettings
from tests.experiments import experiments
from tests.training.simulated import plan, shop
from training.registry.gates import decide_promotion
from training.registry.left_out import left_out
from training.registry.run_artifacts import upload_run_artifacts
from training.train import learn


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

    with experiments(tmp_path).run("one") as run:
        upload_run_artifacts(run, bundle, evaluation, decide_promotion(bundle, evaluation, None))
    kept = Path(run.client.download_artifacts(run.id, "left_out.json")).read_text(encoding="utf-8")
    assert json.loads(kept)["dropped_features"] == list(found.dropped_features)
    metrics = run.client.get_run(run.id).data.metrics
    assert metrics["left_out/dropped_features"] == pytest.approx(len(found.dropped_features))

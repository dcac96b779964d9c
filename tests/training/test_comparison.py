"""Two models on the same customers: paired differences, by refitting both or as they were delivered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.catalog.settings import FeatureSettings
from features.errors import UsageError
from tests.training.simulated import plan, shop
from tests.training.trained import CHURN, like
from tests.training.worlds import day
from training.comparison import compare_bundles
from training.fitting.lightgbm import TreeParameters
from training.train import learn


def test_settings_are_compared_on_the_rows_of_their_own_tests_and_later_dates_judge_what_was_delivered(
    tmp_path: Path,
) -> None:
    store = shop().store(tmp_path / "state")
    crude = replace(plan(), models=TreeParameters(trees=2, rate=0.01, depth=1, leaves=2, threads=1))
    blind = replace(crude, features=FeatureSettings(windows=(7, 30, 90), drop=("purchase_count_trend_*",)))
    good, evidence = learn(store, plan(), until=None)
    bad, of_bad = learn(store, blind, until=None)
    found = compare_bundles(store, plan(), bad, good)
    assert found.basis == "refitted"
    assert found.all_rows.rows == len(evidence.rows)
    by_metric = {one.metric: one for one in found.all_rows.differences}
    for metric in ("auc", "log_loss", "expected_calibration_error"):
        one = by_metric[metric]
        assert one.first == pytest.approx(of_bad.figures[metric])
        assert one.second == pytest.approx(evidence.figures[metric])
        assert one.low <= one.difference <= one.high or metric == "expected_calibration_error"
    assert by_metric["log_loss"].difference < 0
    assert len(found.dates) == len(set(evidence.rows.as_of.tolist()))
    assert sum(part.rows for part in found.dates) == found.all_rows.rows

    earlier = [learn(store, config, until=day(230))[0] for config in (blind, plan())]
    later = compare_bundles(store, plan(), *earlier)
    assert later.basis == "as_delivered"
    assert min(part.name for part in later.dates) >= "2024-01-17"

    with pytest.raises(UsageError, match="they decide churn by different rules"):
        compare_bundles(store, plan(), good, like(good, churn=CHURN))

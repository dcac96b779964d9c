"""`kizuna backtest` and `kizuna compare`: what a past day's scores and two runs were worth."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving.cli.context import CliContext
from serving.integrations.training import tracking
from tests.experiments import prepare
from tests.serving.cli.command import run


def test_two_runs_are_compared_by_version_and_by_run_id_and_mlflow_keeps_the_differences(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(own_shop)
    registry = tracking(CliContext(own_shop).project)
    assert run(capsys, own_shop, "train")[0] == 0
    settings = own_shop / "kizuna.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[features]", '[features]\ndrop = ["purchase_sum_*"]'), encoding="utf-8")
    assert run(capsys, own_shop, "train")[0] == 0
    first, second = sorted(registry.registered(), key=lambda one: int(one.version))

    code, out, _ = run(capsys, own_shop, "--json", "compare", first.version, second.run_id)
    assert code == 0
    found = json.loads(out)
    assert found["basis"] == "refitted"
    assert found["segments"][0]["name"].startswith("segment_plan.")
    difference = {one["metric"]: one["difference"] for one in found["all_rows"]["differences"]}
    client = registry._client
    experiment = registry.experiment_of(second.run_id)
    logged = client.search_runs([experiment], "tags.compared != ''")[0]
    assert logged.data.metrics["difference/auc"] == pytest.approx(difference["auc"])
    assert [one.path for one in client.list_artifacts(logged.info.run_id)] == ["comparison.json"]

    code, out, _ = run(capsys, own_shop, "compare", "1", "2")
    assert code == 0
    assert out.startswith("The settings of both were fitted on the same dates")
    code, _, error = run(capsys, own_shop, "compare", "1", "9")
    assert code == 2
    assert error == (
        "cannot compare '9': no model is registered under this version or run id. There are versions 1, 2; "
        "see `kizuna models list`.\n"
    )


def test_a_backtest_says_how_right_it_was_or_until_when_it_is_open(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_shop / "backtest.parquet"
    code, out, _ = run(capsys, own_shop, "backtest", "--as-of", "2024-12-01", "--output", str(file))
    assert code == 0
    assert "Until 2024-12-31 " in out
    assert "  AUC: " in out
    churned = pq.read_table(file).column("churned").to_pylist()
    assert set(churned) == {True, False}
    answer = json.loads(
        run(capsys, own_shop, "--json", "backtest", "--as-of", "2025-01-25", "--output", str(file))[1]
    )
    assert (answer["churners"], answer["metrics"], answer["decided"]) == (None, {}, "2025-02-24")
    assert pq.read_table(file).column("churned").null_count == answer["customers"]

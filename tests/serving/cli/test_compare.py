"""`kizuna backtest` and `kizuna compare`: what a past day's scores and two runs were worth."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving.cli.context import CliContext
from serving.integrations.training import tracking
from serving.project.changed_settings import ChangedSetting, changed_settings
from serving.project.settings import read
from tests.experiments import prepare
from tests.serving import shop
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
    assert "The settings of both were fitted on the same dates" in out
    assert "model 2" in out.splitlines()[0]
    code, _, error = run(capsys, own_shop, "compare", "1", "9")
    assert code == 2
    assert error == (
        "cannot compare '9': no model is registered under this version or run id. There are versions 1, 2; "
        "see `kizuna models list`.\n"
    )


WINDOWS = "windows = [14, 30, 90]"
ADDED = f"""{WINDOWS}
drop = ["purchase_sum_*"]

[[features.add]]
name = "toys_count_60d"
stream = {{ indicator = "purchase", details = ["toys"] }}
aggregate = "count"
days = 60

[[features.add]]
name = "mistyped_60d"
stream = {{ indicator = "purchase", details = ["tyos"] }}
aggregate = "count"
days = 60
"""


def _other(folder: Path, name: str, old: str, new: str) -> Path:
    text = (folder / "kizuna.toml").read_text(encoding="utf-8")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder / name


def test_two_configuration_files_are_trained_on_the_same_past_and_nothing_is_registered(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(own_shop)
    registry = tracking(CliContext(own_shop).project)
    _other(own_shop, "trials/toys.toml", WINDOWS, ADDED)
    files = ("kizuna.toml", "trials/toys.toml")
    code, out, error = run(capsys, own_shop, "--json", "compare", *files, "--until", "2025-01-01")
    assert code == 0
    assert "training kizuna.toml" in error
    found = json.loads(out)
    assert found["basis"] == "refitted"
    assert found["verdict"] in ("better", "worse", "mixed", "no_difference")
    auc = found["all_rows"]["differences"][0]
    assert auc["low"] <= auc["difference"] <= auc["high"]
    assert sum(part["rows"] for part in found["dates"]) == found["all_rows"]["rows"]
    assert found["segments"][0]["name"].startswith("segment_plan.")
    assert {one["name"]: one["constant"] for one in found["only_second"]} == {
        "toys_count_60d": False,
        "mistyped_60d": True,
    }
    assert found["only_first"]
    assert all(name.startswith("purchase_sum_") for name in found["only_first"])
    changed = {one["name"]: (one["first"], one["second"]) for one in found["changed"]}
    assert changed["features.drop"] == (None, "['purchase_sum_*']")
    assert changed["features.add.toys_count_60d"][0] is None
    assert registry.registered() == []
    logged = registry._client.get_run(found["run_id"]).data
    assert logged.metrics["difference/auc"] == pytest.approx(auc["difference"])
    assert logged.tags["compared"] == "kizuna.toml, toys.toml"
    assert logged.params["second.features.drop"] == "['purchase_sum_*']"
    assert max(part["name"] for part in found["dates"]) <= "2024-12-02", "their horizons end before --until"


def test_files_that_answer_other_questions_or_differ_in_nothing_are_not_compared(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _other(own_shop, "same.toml", "[features]", "[console]\ntitle = 'x'\n[features]")
    code, _, error = run(capsys, own_shop, "compare", "kizuna.toml", "same.toml")
    assert (code, error.splitlines()) == (
        2,
        [
            "cannot compare kizuna.toml with same.toml: they differ in nothing that a training reads from "
            "them. Sources and attributes are read by `kizuna ingest`: to try others, copy the project "
            "folder, ingest there, and compare the two kizuna.toml."
        ],
    )
    _other(own_shop, "closed.toml", 'name = "orders"', 'name = "orders"\nclosed = true')
    first, second = (read(own_shop, name) for name in ("kizuna.toml", "closed.toml"))
    assert changed_settings(first, second) == (ChangedSetting("sources.closed", None, "orders"),)
    _other(own_shop, "value.toml", "[features]", "[value]\nmonths = [6]\n[features]")
    assert changed_settings(first, read(own_shop, "value.toml")) == (
        ChangedSetting("value.months", None, "[6]"),
    )
    _other(own_shop, "longer.toml", "horizon_days = 30", "horizon_days = 45")
    code, _, error = run(capsys, own_shop, "compare", "kizuna.toml", "longer.toml")
    assert code == 2
    assert "they decide churn by different rules" in error
    code, _, error = run(capsys, own_shop, "compare", "kizuna.toml", "3")
    assert code == 2
    assert "one is a configuration file, the other a registered model" in error
    code, _, error = run(capsys, own_shop, "compare", "kizuna.toml", "none.toml")
    assert code == 2
    assert error.startswith("cannot compare none.toml: there is no such file in ")
    code, _, error = run(capsys, own_shop, "compare", "1", "2", "--until", "2025-01-01")
    assert code == 2
    assert "registered models have learned already" in error


def test_two_project_folders_are_compared_customer_by_customer(
    own_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(own_shop)
    other = tmp_path / "other"
    shop.lay_out(other)
    settings = other / "kizuna.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("[[attributes]]", "[[attributes]]\nenglish = 'tariff'"), encoding="utf-8"
    )
    orders = other / "data" / "orders.csv"
    heading, *rows = orders.read_text(encoding="utf-8").splitlines(keepends=True)
    orders.write_text(heading + "".join(reversed(rows)), encoding="utf-8")
    shop.ingest(other)
    code, out, _ = run(capsys, own_shop, "compare", "kizuna.toml", str(other))
    assert code == 0
    assert out.startswith("shop/kizuna.toml and other/kizuna.toml give every customer the same probability")


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

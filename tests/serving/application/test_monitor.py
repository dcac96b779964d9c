"""Monitoring: stored scores against what the shop's own table says happened, read by plain Python."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from serving.application.operation.monitor import monitor
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.presentation.models.monitor import alarm_text
from serving.schemas.monitor_responses import MonitorReply
from serving.state import monitor_file
from serving.state.scores.score_file import load
from tests.serving import shop
from tests.serving.application.test_score import run
from training.bundle.model_bundle import Bundle
from training.monitoring.drift import drift, sampled_rows
from training.monitoring.records import CalibrationAlarm

JANUARY = datetime(2025, 1, 1)  # noqa: DTZ001 (the shop's zone is UTC)


def monitored(folder: Path) -> MonitorReply:
    with CliContext(folder).workspace() as place:
        return monitor(place, COMMAND_LINE)


def outcomes_by_hand(folder: Path) -> dict[str, tuple[bool, float]]:
    """Whether each customer bought nothing in January, and what they spent in it."""
    bought: dict[str, float] = {}
    visited: set[str] = set()
    with (folder / "data" / "orders.csv").open(encoding="utf-8") as file:
        for order in csv.DictReader(file):
            when = datetime.fromisoformat(order["ordered_at"])
            if order["kind"] != "visit" and JANUARY <= when < JANUARY + timedelta(days=30):
                bought[order["customer"]] = bought.get(order["customer"], 0.0) + float(order["amount"])
                if order["kind"] == "purchase":
                    visited.add(order["customer"])
    return {name: (name not in visited, bought.get(name, 0.0)) for name in bought.keys() | visited}


def test_a_matured_date_is_compared_with_what_the_table_says(own_shop: Path) -> None:
    found = monitored(own_shop)
    assert [one.as_of for one in found.dates] == ["2025-01-01"]
    assert [(one.as_of, one.reason, one.matures) for one in found.unjudged] == [
        ("2025-02-01", "not_matured", "2025-03-03")
    ]
    one = found.dates[0]
    call = CliContext(own_shop)
    scores = load(call.project.scores / one.file)
    answers = scores.answers.take(scores.cohort)
    names = call.store.customers.names(answers.key).to_pylist()
    by_hand = outcomes_by_hand(own_shop)
    left = np.array([by_hand.get(name, (True, 0.0))[0] for name in names])
    spent = np.array([by_hand.get(name, (True, 0.0))[1] for name in names])
    assert 0 < left.sum() < len(left)
    performance = one.performance
    assert (performance.customers, performance.leavers) == (len(names), int(left.sum()))
    assert performance.expected_leavers == pytest.approx(answers.churn_probability.sum())
    p = answers.churn_probability
    pairs = p[left][:, np.newaxis] - p[~left][np.newaxis, :]
    assert performance.auc.value == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert performance.spent_by_stayers is not None
    assert performance.spent_by_stayers.observed == pytest.approx(spent[~left].sum())
    assert performance.spent_by_stayers.predicted == pytest.approx(answers.expected_value[~left].sum())
    listed = np.argsort(-answers.value_at_risk, kind="stable")[:20]
    assert performance.shown is not None
    assert (performance.shown.source, performance.shown.customers) == ("list", 20)
    assert performance.shown.leavers == int(left[listed].sum())
    assert {one.group.split("=")[0] for one in performance.segments} == {"plan"}


def test_scores_whose_model_had_seen_the_outcomes_are_not_judged(own_shop: Path) -> None:
    shop.score_all(own_shop, own_shop / "bundle", dates=("2024-10-01",))
    found = monitored(own_shop)
    assert ("2024-10-01", "learned_from_later") in [(one.as_of, one.reason) for one in found.unjudged]
    assert [one.as_of for one in found.dates] == ["2025-01-01"]


def test_of_several_score_files_of_a_date_the_last_made_is_judged(own_shop: Path) -> None:
    shop.score_all(own_shop, own_shop / "bundle", version="2", dates=("2025-01-01",))
    assert [(one.as_of, one.model_version) for one in monitored(own_shop).dates] == [("2025-01-01", "2")]


def test_the_arms_of_a_campaign_that_ran_in_the_horizon_are_judged_apart(
    started_shop: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(started_shop, tmp_path / "shop"))
    shop.score_all(folder, folder / "bundle", dates=("2024-11-01",))  # the campaign held until 30 November
    by_date = {one.as_of: one for one in monitored(folder).dates}
    during, after = by_date["2024-11-01"], by_date["2025-01-01"]
    arms = {arm.group: arm.customers for arm in during.performance.arms}
    assert set(arms) == {"spring/treatment", "spring/control"}
    assert during.treated == arms["spring/treatment"]
    assert during.performance.customers >= arms["spring/control"]
    assert (after.treated, after.performance.arms) == (0, ())


def test_the_list_that_was_shown_is_the_plan_where_one_was_made(
    planned_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(planned_shop, tmp_path / "shop"))
    shop.score_all(folder, folder / "bundle", dates=("2025-01-02",))
    assert run(capsys, folder, "plan", "--limit", "1")[0] == 0
    shop.score_all(folder, folder / "bundle", dates=("2025-02-01",))
    by_date = {one.as_of: one.performance.shown for one in monitored(folder).dates}
    assert by_date["2025-01-02"] is not None
    assert by_date["2025-01-02"].source == "plan"
    assert by_date["2025-01-01"] is not None
    assert by_date["2025-01-01"].source == "list"


def test_a_missing_file_or_model_is_told_and_stops_nothing(own_shop: Path) -> None:
    file = monitored(own_shop).unjudged[0].file
    (own_shop / "state" / "scores" / file).unlink()
    assert [(one.as_of, one.reason) for one in monitored(own_shop).unjudged] == [("2025-02-01", "unreadable")]


def test_the_command_prints_and_keeps_the_same_result(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, own_shop, "monitor", "--output", str(own_shop / "m.json"))
    assert code == 0
    printed = json.loads(out)
    assert printed["dates"][0]["as_of"] == "2025-01-01"
    assert json.loads((own_shop / "m.json").read_text()) == printed
    stored = monitor_file.load(CliContext(own_shop).project.state)
    assert stored is not None
    assert stored.dates[0].performance.leavers == printed["dates"][0]["performance"]["leavers"]
    code, out, _ = run(capsys, own_shop, "monitor", "--language", "ja", as_json=False)
    assert code == 0
    assert "2025-01-01（モデル1）：2025-01-31までに" in out
    assert "2025-02-01（モデル1）：判定できません。予測期間は2025-03-03に終わります" in out


def test_each_matured_date_is_one_run_below_the_run_of_its_model(own_shop: Path) -> None:
    from serving.integrations.training import tracking

    registry, made = tracking(CliContext(own_shop).project), Bundle.load(own_shop / "bundle")
    with registry.run("trained") as run:
        registry.register(run, made)
    found = monitored(own_shop)
    monitored(own_shop)
    client = registry._client
    runs = client.search_runs([registry.experiment_of(run.id)], "tags.as_of = '2025-01-01'")
    assert [(one.info.run_name, one.data.tags["mlflow.parentRunId"]) for one in runs] == [
        ("matured 2025-01-01", run.id)
    ]
    performance = found.dates[0].performance
    assert runs[0].data.metrics["matured/auc"] == pytest.approx(performance.auc.value)
    assert runs[0].data.metrics["matured/leavers"] == performance.leavers


def test_an_alarm_is_told_with_its_figures_and_the_money_at_stake() -> None:
    alarm = CalibrationAlarm("5", "more", "7", "2025-01-03", 12, 100.0, 130.0, 1.3, 1.1, 1.5, 5_000.0, "high")
    assert alarm_text(alarm, "JPY", "en") == (
        "ALARM (high): more of risk band 5 leave than model 7 says; observed ÷ expected 1.30 [1.10, 1.50] "
        "over 12 dates, first seen on the scores of 2025-01-03; ¥5,000 a date at stake."
    )
    assert alarm_text(replace(alarm, group="everyone", money=None), "JPY", "ja") == (
        "警報（重大）：全顧客の離反がモデル7の予測より多くなっています。実績÷予測1.30 [1.10, 1.50]"
        "（12日分）、2025-01-03のスコアから。"
    )


def test_a_file_that_is_no_json_is_refused(own_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, own_shop, "monitor", "--output", "m.xlsx", as_json=False)
    assert (code, err) == (
        2,
        "cannot write m.xlsx: the result of monitoring is written as JSON, which that name does not say. "
        "Give a name that ends in .json.\n",
    )


def test_before_anything_was_scored_monitoring_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.lay_out(tmp_path)
    shop.ingest(tmp_path)
    code, _, err = run(capsys, tmp_path, "monitor", as_json=False)
    assert code != 0
    assert err.splitlines()[-1].startswith("cannot monitor: nothing has been scored yet. Run `kizuna score`")


def test_the_shift_of_the_scores_is_the_sum_of_what_features_moved(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    bundle, timeline = Bundle.load(scored_shop / "bundle"), call.project.timeline
    result = drift(call.store, bundle, timeline, timeline.instant("2025-01-01"))
    assert result is not None
    assert result.before == ("2024-12-01", "2024-11-01", "2024-10-01")
    assert result.past == 6
    assert result.columns == int(bundle.used.sum()) + 2
    rows = sampled_rows(call.store, bundle, timeline, timeline.instant("2025-01-01"), 4_000)
    margins = [bundle.predict(one.matrix).margin.mean() for one in rows]
    assert result.margin_shift == pytest.approx(margins[0] - np.mean(margins[1:4]), abs=1e-6)


def test_too_short_a_record_tells_no_drift(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    timeline = call.project.timeline
    bundle = Bundle.load(scored_shop / "bundle")
    assert drift(call.store, bundle, timeline, timeline.instant("2024-07-01")) is None

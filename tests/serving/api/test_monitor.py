"""The last result of monitoring over the API, in metrics and on the console's first page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from serving.api.live_state import ServiceState
from serving.api.openapi_examples import ANSWERS
from serving.api.process.metrics import ServiceMetrics
from serving.application.operation.monitor import monitor
from serving.application.operation.overview import overview
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.console.texts import text
from serving.jobs.kinds import KINDS
from serving.jobs.work import WORK
from serving.project.settings import read
from serving.schemas.json_text import to_json
from serving.schemas.monitor_responses import LastMonitorReply
from serving.state import monitor_file
from serving.state.api_keys import add_key
from tests.serving.api.test_campaigns import get
from tests.serving.api.test_errors import NOW as LATER
from tests.serving.shapes import published
from training.monitoring.records import CalibrationAlarm, DriftedColumn

ALARM = CalibrationAlarm(
    "everyone", "more", "1", "2025-01-01", 3, 100.0, 130.0, 1.3, 1.1, 1.5, 5_000.0, "high"
)
MOVED = DriftedColumn("purchase_count_30d", 1.0, 2.0, 1.5, 0.1, 0.9, 0.01, False, 0.25)


def test_the_last_result_is_answered_and_nothing_before_the_first(own_shop: Path) -> None:
    status, answer = get(own_shop, "/v1/monitor")
    assert (status, answer) == (200, {"result": None})
    published(LastMonitorReply, ANSWERS["get_monitor"])
    with CliContext(own_shop).workspace() as place:
        found = monitor(place, COMMAND_LINE)
    status, answer = get(own_shop, "/v1/monitor")
    assert status == 200
    assert answer["result"] == json.loads(to_json(found))
    assert published(LastMonitorReply, answer).result is not None


def test_a_key_without_the_scope_read_is_refused(own_shop: Path) -> None:
    with CliContext(own_shop).records() as records:
        keys = {scope: add_key(records, scope, (scope,), LATER, who="me") for scope in ("read", "score")}
    assert get(own_shop, "/v1/monitor")[0] == 401
    answers = {scope: get(own_shop, "/v1/monitor", key)[0] for scope, key in keys.items()}
    assert answers == {"read": 200, "score": 403}


def test_an_alarm_and_drift_stand_on_the_first_page_in_both_languages(own_shop: Path) -> None:
    with CliContext(own_shop).workspace() as place:
        subjects = {one.subject for one in overview(place, COMMAND_LINE).attention}
        assert not subjects & {"calibration", "drift"}
        found = monitor(place, COMMAND_LINE)
        assert found.drift is not None
        drifted = replace(found.drift, drifted=(MOVED, replace(MOVED, column="season", seasonal=True)))
        monitor_file.save(place.project.state, replace(found, alarms=[ALARM], drift=drifted))
        attention = {one.subject: one for one in overview(place, COMMAND_LINE).attention}
    assert attention["calibration"].severity == "bad"
    words = {
        (subject, language): text(f"today.attention_{subject}", language, **attention[subject].values)
        for subject in ("calibration", "drift")
        for language in ("en", "ja")
    }
    assert words["calibration", "en"] == (
        "The probabilities of model 1 are wrong beyond chance: observed ÷ expected leavers 1.30, on scores "
        "since 2025-01-01 (1 alarms). See kizuna monitor."
    )
    assert "離反の実績÷予測は1.30" in words["calibration", "ja"]
    assert words["drift", "en"].startswith("1 columns moved further than usual, first purchase_count_30d")
    assert "+0.250" in words["drift", "ja"]


def test_metrics_tell_alarms_and_how_right_the_newest_matured_scores_were(own_shop: Path) -> None:
    state = ServiceState(read(own_shop), lambda: LATER, open_without_keys=True)
    assert "kizuna_calibration_alarms" not in ServiceMetrics.of_process().text(state).decode()
    with CliContext(own_shop).workspace() as place:
        found = monitor(place, COMMAND_LINE)
        monitor_file.save(place.project.state, replace(found, alarms=[ALARM]))
    lines = ServiceMetrics.of_process().text(state).decode()
    ratio = found.dates[0].performance.observed_to_expected.value
    assert "kizuna_calibration_alarms 1\n" in lines
    assert f'kizuna_observed_to_expected{{model="1"}} {ratio}\n' in lines


def test_the_job_does_what_the_command_does(own_shop: Path) -> None:
    arguments = KINDS["monitor"].read("monitor", {})
    with CliContext(own_shop).workspace() as place:
        done = WORK["monitor"](place, COMMAND_LINE, arguments, lambda *_: None)
    assert done == {"dates": 1, "alarms": 0}
    assert monitor_file.load(CliContext(own_shop).project.state) is not None

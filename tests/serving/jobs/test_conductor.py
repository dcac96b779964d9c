"""Runs of the schedule: one at a time, steps that fail stop what needs them alone, and killed runs go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from features.errors import RunUnderWay
from features.storage.writer_turn import turn
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.integrations.training import tracking
from serving.jobs.conductor import run_due
from serving.jobs.run_list import BROKEN_OFF, recent_runs
from serving.jobs.run_lock import run_lock
from serving.jobs.runner import job, start
from serving.state.job_index import unfinished_jobs
from serving.state.run_index import DONE, RUNNING, begin_run, change_step, find_run
from serving.state.scores.score_index import current_scores, scores_by_date
from tests.experiments import prepare
from tests.serving.cli.command import run as command
from training.bundle.model_bundle import Bundle

NIGHT = '\n[simulated]\nnow = "now.txt"\n'
NOW = "2025-02-10T12:00:00+00:00"


@pytest.fixture
def shop(own_shop: Path) -> Path:
    """A shop with its model registered, whose time stands still on 10 February 2025."""
    prepare(own_shop)
    registry = tracking(CliContext(own_shop).project)
    with registry.run("run") as run:
        registry.register(run, Bundle.load(own_shop / "bundle"))
    registry.promote("1")
    with (own_shop / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(NIGHT)
    (own_shop / "now.txt").write_text(NOW, encoding="utf-8")
    return own_shop


@pytest.fixture
def workspace(shop: Path) -> Iterator[Workspace]:
    with opened(shop).database:
        yield opened(shop)


def opened(folder: Path) -> Workspace:
    project = CliContext(folder).project
    return open_workspace(project, lambda: project.timeline.instant(NOW), lambda: time.time_ns() // 1_000)


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def states(workspace: Workspace, number: int) -> dict[str, str]:
    found = find_run(workspace.database, number)
    assert found is not None
    return {step.step: step.state for step in found.steps}


def test_what_is_due_is_done_once_for_the_day_and_said(
    shop: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = command(capsys, shop, "--json", "run", "ingest", "score", "plan", "notify", "campaigns")
    assert code == 0, out
    (found,) = json.loads(out)["runs"]
    assert (found["state"], found["day"]) == ("done", "2025-02-10")
    assert [step["state"] for step in found["steps"]] == [DONE] * 5
    scores = current_scores(workspace.database)
    assert scores is not None
    assert scores.as_of <= workspace.project.timeline.instant("2025-02-10")
    before = len(scores_by_date(workspace.database)), scores
    code, out, _ = command(capsys, shop, "run", "score")
    assert code == 0
    assert (len(scores_by_date(workspace.database)), current_scores(workspace.database)) == before
    code, out, _ = command(capsys, shop, "runs")
    assert "run 2 for 2025-02-10" in out
    assert "run 1 for 2025-02-10" in out
    code, out, _ = command(capsys, shop, "runs", "1")
    assert "score" in out
    assert "done" in out


def test_a_step_that_fails_stops_what_needs_it_and_nothing_else(
    shop: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (shop / "playbook.toml").read_text() if (shop / "playbook.toml").exists() else None
    (shop / "playbook.toml").write_text("this is no playbook", encoding="utf-8")
    code, out, _ = command(capsys, shop, "run", "ingest", "plan", "notify", "campaigns")
    assert code == 6
    assert states(workspace, 1) == {
        "ingest": "done", "plan": "failed", "notify": "blocked", "campaigns": "done",
    }  # fmt: skip
    assert "plan" in out
    assert "waits for the step 'plan', which is not done" in out
    (shop / "playbook.toml").unlink()
    if good is not None:
        (shop / "playbook.toml").write_text(good, encoding="utf-8")
    code, out, _ = command(capsys, shop, "--json", "run", "campaigns")
    again = find_run(workspace.database, 1)
    assert again is not None
    assert {step.step: step.state for step in again.steps}["notify"] == DONE, "the failed run went on first"
    plan = again.step("plan")
    assert plan is not None
    assert plan.attempts == 2
    assert code == 0, out


def test_two_runs_at_once_are_one_and_the_other_is_told_which(
    shop: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_run(workspace.database, "2025-02-10", 0, 0, "test", {"ingest": 1})
    with run_lock(workspace.project, workspace.database) as is_free:
        assert is_free
        code, _, err = command(capsys, shop, "run", "report")
        assert code == 7
        assert "another run is under way (run 1 of 2025-02-10)" in err
        assert recent_runs(workspace, COMMAND_LINE)[0].state == RUNNING
    assert recent_runs(workspace, COMMAND_LINE)[0].state == BROKEN_OFF


def test_only_who_may_run_runs(workspace: Workspace) -> None:
    with pytest.raises(Exception, match="permission 'run'"):
        run_due(workspace, person("mei", "marketer"), ["report"])


def test_a_killed_run_goes_on_with_the_job_that_outlived_it(shop: Path, workspace: Workspace) -> None:
    words = [sys.executable, "-m", "serving.cli.main", "-C", str(shop), "run", "ingest", "campaigns"]
    words[1:3] = ["-c", "from serving.cli.main import main; main()"]
    with turn(shop / "state", lambda _: None, None):  # the ingest waits for its turn
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: bool(unfinished_jobs(workspace.database)))
        wait_for(lambda: bool((find_run(workspace.database, 1) or _none()).steps[0].job))
        with pytest.raises(RunUnderWay):
            run_due(workspace, COMMAND_LINE)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    (job_id,) = {one.job for one in (find_run(workspace.database, 1) or _none()).steps if one.job}
    resumed = run_due(workspace, COMMAND_LINE, ["campaigns"])
    assert [run.id for run in resumed] == [1, 2]
    ingest = resumed[0].step("ingest")
    assert ingest is not None
    assert (ingest.state, ingest.job, ingest.attempts) == (DONE, job_id, 1)
    assert resumed[0].state == DONE


def test_a_step_whose_job_was_killed_is_done_again(workspace: Workspace) -> None:
    run = begin_run(workspace.database, "2025-02-10", 0, 0, "test", {"ingest": 1})
    with turn(workspace.project.state, lambda _: None, None):
        job_id = start(workspace, COMMAND_LINE, "ingest")
        change_step(workspace.database, run.id, "ingest", state=RUNNING, job=job_id, attempts=1)
        wait_for(lambda: job(workspace, COMMAND_LINE, job_id).process is not None)
        os.kill(job(workspace, COMMAND_LINE, job_id).process or 0, signal.SIGKILL)
        wait_for(lambda: job(workspace, COMMAND_LINE, job_id).is_finished)
    (done, _) = run_due(workspace, COMMAND_LINE, ["campaigns"])
    ingest = done.step("ingest")
    assert ingest is not None
    assert (ingest.state, ingest.attempts) == (DONE, 2)


def test_a_source_that_was_not_stored_is_held_back_and_the_exit_code_says_so(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop / "kizuna.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("number as event_id", "'n' || number as event_id"),
        encoding="utf-8",
    )
    code, out, _ = command(capsys, shop, "run", "ingest", "campaigns")
    assert code == 8
    assert "warning: source 'orders' was not stored: its query changed" in out


def test_a_source_that_stopped_has_everyone_scored_as_of_its_last_whole_day_or_nobody(
    shop: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """The orders of the shop end on 3 February 2025, and its time is a week later."""
    before = current_scores(workspace.database)
    code, out, _ = command(capsys, shop, "run", "ingest", "checks", "score")
    scores = current_scores(workspace.database)
    assert code == 0
    assert "source 'orders' has sent nothing since 2025-02-03 (6 d)" in out
    assert "everyone is scored as of 2025-02-04, the last day on which every source was whole" in out
    assert scores is not None
    assert scores.as_of == workspace.project.timeline.instant("2025-02-04")
    assert scores != before
    with (shop / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write("\n[schedule]\ndays_back = 3\n")
    code, out, _ = command(capsys, shop, "run", "checks", "score", "campaigns")
    assert code == 8
    assert "nobody is scored: every source was last whole on 2025-02-03, 6 days back" in out
    assert states(workspace, 2) == {"checks": "held", "score": "blocked", "campaigns": "done"}
    assert current_scores(workspace.database) == scores


def test_with_forever_each_day_is_run_when_the_clock_reaches_it(shop: Path, workspace: Workspace) -> None:
    steps = ("ingest", "checks", "score", "plan", "notify", "retrain", "report")
    never = "".join(f'{step} = "never"\n' for step in steps)
    with (shop / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[schedule]\n{never}")
    words = ["-c", "from serving.cli.main import main; main()", "-C", str(shop), "run", "--forever"]
    running = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: [run.state for run in recent_runs(workspace, COMMAND_LINE)] == [DONE])
        (shop / "now.txt").write_text("2025-02-11T12:00:00+00:00", encoding="utf-8")
        wait_for(lambda: [run.state for run in recent_runs(workspace, COMMAND_LINE)] == [DONE, DONE])
    finally:
        running.terminate()
        running.communicate()
    assert [run.day for run in recent_runs(workspace, COMMAND_LINE)] == ["2025-02-11", "2025-02-10"]


def test_ways_to_run_that_exclude_each_other_are_refused(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = command(capsys, shop, "run", "--due", "--dry-run")
    assert code == 2
    assert "each is a way of its own" in err
    code, _, err = command(capsys, shop, "runs", "12")
    assert code == 2
    assert "cannot show run 12: there is none of that number" in err


def _none() -> None:
    raise AssertionError("there is no run")

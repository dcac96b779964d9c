"""Which steps are due: cron words in the project's zone, over daylight saving and over missed days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import ConfigurationError, UsageError
from features.timeline import Timeline
from serving.application.workspace import Workspace, open_workspace
from serving.jobs.due_steps import due_steps, instant_after, instant_before, local_day, named_steps
from serving.jobs.kinds import KINDS
from serving.project.schedule_settings import BY_NAME, STEPS, ScheduleSettings
from serving.project.settings import read
from serving.state.run_index import DONE, FAILED, begin_run, change_run, change_step

BERLIN = Timeline("Europe/Berlin")


class MovedClock:
    """A clock that stands where a test puts it."""

    def __init__(self, timeline: Timeline, when: str) -> None:
        self.timeline, self.when = timeline, when

    def __call__(self) -> int:
        return self.timeline.instant(self.when)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(BERLIN, "2026-03-10T12:00:00")


@pytest.fixture
def workspace(tmp_path: Path, clock: MovedClock) -> Iterator[Workspace]:
    words = '[schedule]\nscore = "30 4 * * MON"\nnotify = "never"\n'
    (tmp_path / "kizuna.toml").write_text(f'timezone = "Europe/Berlin"\n{words}', encoding="utf-8")
    opened = open_workspace(read(tmp_path), clock)
    with opened.database:
        yield opened


def begin(workspace: Workspace, clock: MovedClock) -> int:
    """A run of everything that is due, begun and ended."""
    day, as_of = local_day(clock(), clock.timeline)
    run = begin_run(workspace.database, day, as_of, clock(), "test", due_steps(workspace).scheduled)
    for step in run.steps:
        change_step(workspace.database, run.id, step.step, state=DONE)
    change_run(workspace.database, run.id, DONE, clock())
    return run.id


@pytest.mark.parametrize(
    ("words", "now", "newest", "coming"),
    [
        ("0 3 * * *", "2026-03-10T02:59:59", "2026-03-09T03:00", "2026-03-10T03:00"),
        ("0 3 * * *", "2026-03-10T03:00:00", "2026-03-10T03:00", "2026-03-11T03:00"),
        # On 29 March the clock goes from 2:00 to 3:00: what was to come at 2:30 comes at 3:00, once.
        ("30 2 * * *", "2026-03-29T01:59:59", "2026-03-28T02:30", "2026-03-29T03:00"),
        ("30 2 * * *", "2026-03-29T03:00:00", "2026-03-29T03:00", "2026-03-30T02:30"),
        ("30 2 * * *", "2026-03-29T12:00:00", "2026-03-29T03:00", "2026-03-30T02:30"),
        # On 25 October the hour from 2:00 comes twice: the first of them counts.
        ("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30"),
        ("30 2 * * *", "2026-10-25T02:45:00+01:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30"),
        ("0 0 L * *", "2026-03-10T12:00:00", "2026-02-28", "2026-03-31"),
    ],
)
def test_cron_words_are_read_by_the_clock_of_the_projects_zone(
    words: str, now: str, newest: str, coming: str
) -> None:
    instant = BERLIN.instant(now)
    assert instant_before(words, instant, BERLIN) == BERLIN.instant(newest)
    assert instant_after(words, instant, BERLIN) == BERLIN.instant(coming)


def test_a_step_is_due_once_for_each_instant_of_its_schedule_and_missed_days_are_one(
    workspace: Workspace, clock: MovedClock
) -> None:
    first = due_steps(workspace).scheduled
    assert first["score"] == BERLIN.instant("2026-03-09T04:30")
    assert "notify" not in first
    assert list(first) == ["ingest", "checks", "score", "plan", "campaigns", "retrain", "report"]
    begin(workspace, clock)
    assert due_steps(workspace).scheduled == {}
    clock.when = "2026-03-11T03:00:00"
    assert list(due_steps(workspace).scheduled) == ["ingest", "checks", "plan", "campaigns", "report"]
    clock.when = "2026-03-15T09:00:00"
    due = due_steps(workspace).scheduled
    assert due["ingest"] == BERLIN.instant("2026-03-15T03:00")
    begin(workspace, clock)
    assert due_steps(workspace).scheduled == {}
    assert due_steps(workspace).next["score"] == BERLIN.instant("2026-03-16T04:30")


def test_another_zone_neither_repeats_a_night_nor_leaves_one_out(
    workspace: Workspace, clock: MovedClock, tmp_path: Path
) -> None:
    begin(workspace, clock)
    (tmp_path / "kizuna.toml").write_text('timezone = "Asia/Tokyo"\n', encoding="utf-8")
    moved = open_workspace(read(tmp_path), clock)
    with moved.database:
        assert "ingest" not in due_steps(moved).scheduled, "three in Tokyo is yesterday evening in Berlin"
        clock.when = "2026-03-10T19:00:00"
        assert "ingest" in due_steps(moved).scheduled


def test_a_failed_step_is_tried_again_on_its_day_as_often_as_it_may_be(
    workspace: Workspace, clock: MovedClock
) -> None:
    number = begin(workspace, clock)
    change_step(workspace.database, number, "ingest", state=FAILED, attempts=3, error="away")
    change_run(workspace.database, number, FAILED, clock())
    resumed = due_steps(workspace, most_attempts=4).resumed
    assert resumed is not None
    assert resumed.id == number
    assert due_steps(workspace, most_attempts=3).resumed is None
    assert due_steps(workspace).resumed is not None, "who asks by hand is not counted"
    clock.when = "2026-03-11T12:00:00"
    assert due_steps(workspace).resumed is None


def test_a_run_that_was_broken_off_goes_on_whatever_the_day(workspace: Workspace, clock: MovedClock) -> None:
    day, as_of = local_day(clock(), BERLIN)
    run = begin_run(workspace.database, day, as_of, clock(), "test", {"ingest": 1})
    clock.when = "2026-03-14T12:00:00"
    resumed = due_steps(workspace).resumed
    assert resumed is not None
    assert (resumed.id, resumed.day, resumed.as_of) == (run.id, "2026-03-10", BERLIN.instant("2026-03-10"))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("every night", "write five cron words such as"),
        ("0 3 * * * *", "write five cron words such as"),
        ("61 3 * * *", "the minute does not fit"),
        ("0 0 */20 * 1L", "this one never does"),
        ("0 0 30 2 *", "the day-of-month does not fit"),
    ],
)
def test_cron_words_that_do_not_fit_are_refused_with_what_to_write(
    words: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "kizuna.toml").write_text(f'[schedule]\nreport = "{words}"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"schedule\.report") as refused:
        read(tmp_path)
    assert why in refused.value.message


def test_every_step_has_its_setting_its_job_and_comes_after_what_it_needs() -> None:
    before: set[str] = set()
    for step in STEPS:
        assert step.name in ScheduleSettings.model_fields
        assert step.kind in KINDS
        assert set(step.needs) <= before
        before.add(step.name)
    assert set(ScheduleSettings.model_fields) - {"night", "days_back", "attempts"} == set(BY_NAME)


def test_named_steps_keep_the_order_of_the_table_and_an_unknown_one_is_refused() -> None:
    assert list(named_steps(["report", "ingest"], 5)) == ["ingest", "report"]
    with pytest.raises(UsageError, match="cannot run the step 'socre': there is none of that name"):
        named_steps(["socre"], 5)

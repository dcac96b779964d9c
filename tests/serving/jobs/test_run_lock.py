"""Runs with records in PostgreSQL take turns across machines, and a database that is away says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.jobs.conductor import run_due
from serving.jobs.run_lock import run_lock
from serving.state.database import Database
from serving.state.run_index import DONE, FAILED, begin_run
from tests.postgres_server import PostgresServer, postgres_server
from tests.serving.cli.command import run as command


@pytest.fixture(scope="module")
def records() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def test_a_second_machine_waits_for_no_lock_and_gets_it_when_the_first_is_gone(
    own_shop: Path, records: PostgresServer
) -> None:
    project = CliContext(own_shop).project
    with Database(records.url) as here, Database(records.url) as there:
        with run_lock(project, here) as is_free:
            assert is_free
            with run_lock(project, there, tries=1) as is_free:
                assert not is_free
        with run_lock(project, there, tries=1) as is_free:
            assert is_free


def test_a_run_says_that_its_records_are_away_and_goes_on_when_they_are_back(
    own_shop: Path, records: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_shop / "kizuna.toml"
    file.write_text(f'records = "{records.url}"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    with Database(CliContext(own_shop).project.records) as database:
        begin_run(database, "2025-02-02", 0, 0, "test", {"campaigns": 1})
    records.stop()
    try:
        code, _, err = command(capsys, own_shop, "run", "campaigns")
    finally:
        records.start()
    assert code == 4
    assert "does not answer" in err
    code, out, err = command(capsys, own_shop, "run", "campaigns")
    assert code == 0, err
    assert "run 1 for 2025-02-02" in out, "what was begun is ended first"
    assert out.count(": done") == 2


def opened(folder: Path) -> Workspace:
    project = CliContext(folder).project
    return open_workspace(project, lambda: project.timeline.instant("2025-02-02"))


def test_a_disk_that_cannot_be_written_fails_the_step_in_words(own_shop: Path) -> None:
    workspace = opened(own_shop)
    with workspace.database:
        (own_shop / "state" / "plans").write_text("a file in the place of the folder", encoding="utf-8")
        (run,) = run_due(workspace, COMMAND_LINE, ["plan", "campaigns"])
        plan, campaigns = run.steps
        assert (plan.state, campaigns.state) == (FAILED, DONE)
        assert plan.error.startswith(
            "cannot finish this: the disk, the database or the store does not answer ("
        )
        assert "plans" in plan.error
        assert "Make room or start it" in plan.error

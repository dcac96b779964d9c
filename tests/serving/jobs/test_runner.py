"""Tests of jobs: work in a process of its own that ends by itself, whatever becomes of who started it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from features.errors import Forbidden, UnknownJob, UsageError
from features.storage.writer_turn import turn
from serving.application.access.audit import audit
from serving.application.permissions import COMMAND_LINE, USE_CASES, person
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.console.texts import texts
from serving.jobs.kinds import KINDS
from serving.jobs.process import AS_AT_THE_START, run_job
from serving.jobs.runner import FOLDER, job, jobs, log_file, start
from serving.jobs.work import WORK, JobWork
from serving.state.accounts.people import add_account, disable
from serving.state.audit_log import audit_entries
from serving.state.job_index import JobRecord, add_job
from serving.state.scores.score_index import current_scores

ANALYST, MARKETER = person("aki", "analyst"), person("mei", "marketer")


def opened(folder: Path) -> Workspace:
    return open_workspace(CliContext(folder).project, lambda: time.time_ns() // 1_000)


@pytest.fixture
def workspace(own_shop: Path) -> Workspace:
    """A shop with an account for the analyst."""
    workspace = opened(own_shop)
    add_account(workspace.database, "aki", "analyst", 1, who="test")
    return workspace


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def ended(workspace: Workspace, job_id: str) -> JobRecord:
    """The job when it has ended."""
    wait_for(lambda: job(workspace, COMMAND_LINE, job_id).is_finished)
    return job(workspace, COMMAND_LINE, job_id)


def test_every_kind_has_its_work_its_arguments_and_the_permission_of_its_use_case() -> None:
    assert set(WORK) == set(KINDS)
    for kind, known in KINDS.items():
        work = WORK[kind]
        assert isinstance(work, JobWork)
        assert work.arguments is known.arguments
        import_module(f"serving.application.{work.use_case.rpartition('.')[0]}")
        assert known.permission == USE_CASES[f"serving.application.{work.use_case}"], kind
        for key in (f"jobs.kind_{kind}", f"jobs.done_{kind}"):
            assert key in texts(), "every kind has its words"


def test_a_job_runs_in_a_process_of_its_own_and_says_what_came_of_it(
    own_shop: Path, workspace: Workspace
) -> None:
    folder = own_shop / "state" / FOLDER
    folder.mkdir()
    (folder / "0000.log").write_text("of a job that is forgotten")
    found = ended(workspace, start(workspace, ANALYST, "plan"))
    assert {file.name for file in folder.iterdir()} == {f"{found.id}.log", f"{found.id}.lock"}
    assert log_file(workspace.project, found.id).stat().st_mode & 0o077 == 0, "its log is the owner's alone"
    assert (found.state, found.error) == ("done", "")
    assert json.loads(found.result)["customers"] == current_scores(workspace.database).customers  # type: ignore[union-attr]
    assert found.process not in (None, os.getpid())
    assert found.step != ""
    assert (own_shop / "state" / "plans").is_dir()
    entries = audit(workspace, COMMAND_LINE, limit=5).entries
    assert ("aki", "job plan") in {(one.who, one.action) for one in entries}


def test_what_cannot_be_done_is_told_as_the_command_would(workspace: Workspace) -> None:
    found = ended(workspace, start(workspace, ANALYST, "campaign_report", {"campaign": "spring"}))
    assert found.state == "failed"
    assert found.error.startswith("cannot find the campaign 'spring': there is none of that name.")
    assert found.error in log_file(workspace.project, found.id).read_text(encoding="utf-8")


def test_two_starts_at_once_are_one_job_and_other_work_of_its_sort_has_to_wait(
    own_shop: Path, workspace: Workspace
) -> None:
    with turn(own_shop / "state", lambda _: None, None):  # an ingest waits for its turn
        with ThreadPoolExecutor(4) as several:
            ids = set(several.map(lambda _: start(opened(own_shop), ANALYST, "ingest"), range(4)))
        assert len(ids) == 1
        with pytest.raises(UsageError, match="a job 'ingest' of aki has to end first"):
            start(workspace, ANALYST, "ingest", {"keep": ["orders"]})
    (only,) = ids
    assert ended(workspace, only).state == "done"
    assert len(jobs(workspace, ANALYST, kind="ingest")) == 1


def test_a_job_that_was_killed_is_interrupted_and_can_be_started_again(
    own_shop: Path, workspace: Workspace
) -> None:
    with turn(own_shop / "state", lambda _: None, None):
        first = start(workspace, ANALYST, "ingest")
        wait_for(lambda: job(workspace, ANALYST, first).process is not None)
        process = job(workspace, ANALYST, first).process
        assert process is not None
        parent, _, session = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1:4]
        assert int(parent) != os.getpid(), "it is no child of who started it"
        assert int(session) == process
        os.kill(process, signal.SIGKILL)
        found = ended(workspace, first)
        assert found.state == "interrupted"
        assert "its process ended before it was done" in found.error
    again = start(workspace, ANALYST, "ingest")
    assert again != first
    assert ended(workspace, again).state == "done"


def test_a_job_whose_starter_died_before_its_process_began_is_interrupted(workspace: Workspace) -> None:
    assert add_job(workspace.database, JobRecord("ab", "plan", "{}", "aki", "person", (), 1), "plan", 1)
    assert job(workspace, ANALYST, "ab").state == "interrupted"


def test_who_may_not_do_it_can_neither_start_it_nor_see_it(workspace: Workspace) -> None:
    for who, kind in ((MARKETER, "score"), (ANALYST, "promote"), (person("vi", "viewer"), "plan")):
        with pytest.raises(Forbidden):
            start(workspace, who, kind, {"version": "1"} if kind == "promote" else {})
    assert jobs(workspace, COMMAND_LINE) == []
    record = JobRecord("ab", "plan", "{}", "aki", "person", (), 1)
    assert add_job(workspace.database, record, "plan", 1)
    with pytest.raises(Forbidden):
        job(workspace, MARKETER, "ab")
    assert [one.id for one in jobs(workspace, ANALYST)] == ["ab"]
    assert jobs(workspace, MARKETER) == []


@pytest.mark.parametrize(
    ("role", "disabled", "header", "state"),
    [
        ("analyst", False, "", "done"),
        ("viewer", False, "", "failed"),
        ("analyst", True, "", "failed"),
        (None, False, "", "failed"),
        (None, False, "X-Groups", "done"),
        ("viewer", False, "X-Groups", "failed"),
        ("analyst", False, "X-Groups", "done"),
        ("analyst", True, "X-Groups", "failed"),
    ],
)
def test_who_may_not_do_it_any_more_is_refused_by_the_process(
    own_shop: Path, role: str | None, disabled: bool, header: str, state: str
) -> None:
    if header:
        with (own_shop / "kizuna.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[console]\nrole_header = "{header}"\n')
    workspace = opened(own_shop)
    if role is not None:
        add_account(workspace.database, "aki", role, 1, who="test")
    if disabled:
        disable(workspace.database, "aki", 2, 2, who="test")
    record = JobRecord("ab", "plan", "{}", "aki", "person", tuple(ANALYST.permissions), 1)
    assert add_job(workspace.database, record, "plan", 1)
    run_job(str(own_shop), "ab")
    found = job(workspace, COMMAND_LINE, "ab")
    assert found.state == state
    assert state == "done" or "aki" in found.error
    told = [one.details for one in audit_entries(workspace.database) if one.details == AS_AT_THE_START]
    assert len(told) == (role is None and bool(header)), "whose role could not be read anew is in the audit"


@pytest.mark.parametrize(
    ("kind", "arguments", "field"),
    [
        ("bake", {}, "kind"),
        ("promote", {}, "version"),
        ("score", {"as_of": "soon"}, "as_of"),
        ("plan", {"x": 1}, "x"),
    ],
)
def test_a_job_that_does_not_fit_is_refused_before_anything_is_kept(
    workspace: Workspace, kind: str, arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(UsageError) as refused:
        start(workspace, COMMAND_LINE, kind, arguments)
    assert refused.value.field == field
    assert jobs(workspace, COMMAND_LINE) == []


def test_an_unknown_job_is_404(workspace: Workspace) -> None:
    with pytest.raises(UnknownJob) as refused:
        job(workspace, COMMAND_LINE, "0123")
    assert refused.value.status == 404

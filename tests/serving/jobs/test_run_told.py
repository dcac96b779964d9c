"""How a run ended is told: by webhook once for each end, by metric, and on the console's Today."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving.application.lists.notify import report_run
from serving.application.operation.overview import overview
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.integrations.webhooks import ReportedStep, RunReport
from serving.jobs.conductor import run_due
from serving.state.run_index import BLOCKED, DONE, FAILED, HELD, begin_run, change_run, change_step
from tests.serving.running import serving

NOW = "2025-02-02"


class Receiver(ThreadingHTTPServer):
    """A system that keeps every body that it was sent, with its key."""

    taken: list[tuple[str, dict[str, Any]]]


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.headers["Kizuna-Delivery"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(("127.0.0.1", 0), _Taking) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def opened(folder: Path) -> Workspace:
    project = CliContext(folder).project
    return open_workspace(project, lambda: project.timeline.instant(NOW))


def add_webhook(folder: Path, receiver: Receiver, runs: str) -> None:
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[[webhooks]]\nname = "ops"\nurl = "http://127.0.0.1:{receiver.server_port}/"\n'
            f'secret = "0123456789abcdef"\ntier_falls = false\nruns = "{runs}"\n'
        )


def ended(workspace: Workspace, state: str, steps: dict[str, str]) -> int:
    """A run whose steps ended so."""
    run = begin_run(workspace.database, NOW, 0, workspace.clock(), "test", dict.fromkeys(steps, 1))
    for step, of_step in steps.items():
        why = "" if of_step == DONE else f"why {step}"
        change_step(workspace.database, run.id, step, state=of_step, error=why)
    change_run(workspace.database, run.id, state, workspace.clock())
    return run.id


def test_a_run_that_fails_is_told_once_with_the_reason_and_one_that_is_done_is_not(
    own_shop: Path, receiver: Receiver
) -> None:
    add_webhook(own_shop, receiver, "unwell")
    workspace = opened(own_shop)
    with workspace.database:
        (own_shop / "playbook.toml").write_text("this is no playbook", encoding="utf-8")
        (failed,) = run_due(workspace, COMMAND_LINE, ["plan", "campaigns"])
        assert failed.state == FAILED
        ((key, body),) = receiver.taken
        assert (body["run"], body["day"], body["run_state"]) == (failed.id, NOW, "failed")
        assert [step["step"] for step in body["steps"]] == ["plan"]
        assert "playbook.toml" in body["steps"][0]["messages"][0]
        (own_shop / "playbook.toml").unlink()
        run_due(workspace, COMMAND_LINE, ["campaigns"])
        assert [one for one, _ in receiver.taken] == [key]


def test_each_end_of_a_run_has_one_key(own_shop: Path, receiver: Receiver) -> None:
    add_webhook(own_shop, receiver, "always")
    workspace = opened(own_shop)
    report = RunReport(4, NOW, "failed", [ReportedStep("plan", "failed", ["why"])])
    with workspace.database:
        for _ in range(2):
            report_run(workspace, COMMAND_LINE, report)
        report_run(workspace, COMMAND_LINE, RunReport(4, NOW, "done", []))
    assert [body["run_state"] for _, body in receiver.taken] == ["failed", "done"]
    assert len({key for key, _ in receiver.taken}) == 2


def test_today_names_what_a_run_did_not_do(own_shop: Path) -> None:
    workspace = opened(own_shop)
    with workspace.database:
        number = ended(workspace, FAILED, {"ingest": DONE, "score": FAILED, "plan": BLOCKED})
        first = next(
            one for one in overview(workspace, COMMAND_LINE).attention if one.subject == "run_failed"
        )
        assert (first.severity, first.values["id"], first.values["steps"]) == ("bad", number, "score")
        ended(workspace, HELD, {"checks": HELD, "score": BLOCKED})
        found = {one.subject: one for one in overview(workspace, COMMAND_LINE).attention}
        assert found["run_held"].values["why"] == "why checks"
        assert "run_failed" not in found
        ended(workspace, DONE, {"ingest": DONE})
        assert not {"run_held", "run_failed"} & {
            one.subject for one in overview(workspace, COMMAND_LINE).attention
        }


def test_the_page_of_a_run_says_of_each_step_what_to_look_at(own_shop: Path) -> None:
    workspace = opened(own_shop)
    with workspace.database:
        number = ended(workspace, FAILED, {"ingest": DONE, "score": FAILED, "plan": BLOCKED})
    with serving(own_shop) as running:
        every = running.send("GET", "/runs")[1].decode()
        one = running.send("GET", f"/runs?id={number}")[1].decode()
    assert f'href="/runs?id={number}"' in every
    assert "Failed" in every
    for words in ("Not begun", "why score", "score everyone", "Done"):
        assert words in one


def test_metrics_say_which_step_of_the_newest_run_is_not_done(own_shop: Path) -> None:
    workspace = opened(own_shop)
    with workspace.database:
        ended(workspace, FAILED, {"ingest": DONE, "score": FAILED, "plan": BLOCKED})
    with serving(own_shop) as running:
        text = running.send("GET", "/metrics")[1].decode()
    assert "kizuna_run_unwell 1\n" in text
    assert 'kizuna_run_step_unwell{step="ingest"} 0\n' in text
    assert 'kizuna_run_step_unwell{step="score"} 1\n' in text
    assert "kizuna_run_age_seconds " in text

"""`kizuna mlflow`: MLflow's screens on the runs of a project, until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from serving.integrations.mlflow_screens import exposure
from tests.experiments import experiments
from tests.serving.cli.command import run
from tests.serving.running import COMMAND, free_port

SECONDS = 120.0


def _experiments(port: int) -> list[str]:
    """The names of the experiments that the server has; waits until it answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search",
        json.dumps({"max_results": 10}).encode(),
        {"Content-Type": "application/json"},
    )
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return [one["name"] for one in json.load(answer)["experiments"]]
        except (URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.slow  # MLflow is loaded three times
def test_the_screens_show_the_runs_of_the_project_and_end_with_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "kizuna.toml").write_text("", encoding="utf-8")
    with experiments(folder).run("one"):
        pass
    port = free_port()
    with subprocess.Popen(
        [*COMMAND, "-C", str(folder), "--json", "mlflow", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            url = json.loads(child.stdout.readline())["url"]
            assert url == f"http://127.0.0.1:{port}/#/experiments/1"
            assert "shop" in _experiments(port)
        finally:
            os.kill(child.pid, signal.SIGTERM)
            child.wait(SECONDS)
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("command", ["mlflow", "serve"])
def test_a_taken_port_is_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "kizuna.toml").write_text("", encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, error = run(capsys, tmp_path, command, "--port", str(port))
    assert code == 2
    assert error == (
        f"cannot listen on 127.0.0.1:{port}: address already in use. Give another --port or --host.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["kizuna.toml"]


def test_a_project_whose_runs_are_on_a_server_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kizuna.toml").write_text('tracking_uri = "http://127.0.0.1:9"\n', encoding="utf-8")
    code, out, _ = run(capsys, tmp_path, "mlflow")
    assert (code, out) == (0, "The runs of this project are on a server already: http://127.0.0.1:9\n")


def test_an_address_that_others_reach_is_warned_of() -> None:
    assert not [*exposure("127.0.0.1"), *exposure("localhost"), *exposure("::1")]
    (warning,) = exposure("0.0.0.0")
    assert warning.startswith("Whoever reaches 0.0.0.0 can read and change the runs")

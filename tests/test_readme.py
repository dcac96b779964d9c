"""Every command of the README works as it is written, in a fresh clone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVERS = {"make serve": "http://127.0.0.1:3000/readyz", "make mlflow": "http://127.0.0.1:5000/health"}
ELSEWHERE = {"make test"}  # this run is it
pytestmark = pytest.mark.slow


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone, as `make install` leaves it: with packages and compiled code, and nothing else."""
    there = tmp_path_factory.mktemp("clone") / "kizuna"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(there)], check=True)
    (there / ".venv").symlink_to(ROOT / ".venv")
    subprocess.run(["touch", "-h", str(there / ".venv")], check=True)
    (ROOT / ".venv" / "installed").touch()
    for path in ROOT.glob("*/**/__pycache__/*.nb?"):  # taken only where it is of the same source
        kept = there / path.relative_to(ROOT)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept)
    return there


def taken(url: str) -> bool:
    port = int(url.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 300) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert server.poll() is None, "the server ended by itself"
            assert time.monotonic() < ends, f"{url} does not answer"
            time.sleep(0.3)


def test_every_command_of_the_readme_works_in_a_fresh_clone(clone: Path) -> None:
    ran, servers = [], []
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    try:
        for command in commands():
            if command in ELSEWHERE:
                continue
            if command in SERVERS:
                if taken(SERVERS[command]):
                    pytest.fail(f"cannot try `{command}`: something else listens at {SERVERS[command]}")
                server = subprocess.Popen(
                    command, shell=True, cwd=clone, env=environment, start_new_session=True
                )
                servers.append(server)
                wait_for(SERVERS[command], server)
            else:
                ended = subprocess.run(
                    command, shell=True, cwd=clone, env=environment, capture_output=True, text=True
                )
                assert ended.returncode == 0, f"{command}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
                if command.startswith("curl"):
                    assert "error" not in json.loads(ended.stdout), command
            ran.append(command)
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    assert len(ran) >= 12
    listed = subprocess.run(
        [".venv/bin/kizuna", "--json", "at-risk", "--limit", "20"],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
    )
    customers = json.loads(listed.stdout)["customers"]
    assert len(customers) == 20
    assert all(0 < customer["churn_probability"] < 1 for customer in customers)
    assert all(
        customer["reasons"] and customer["tier"] and customer["predicted_tier"] for customer in customers
    )
    assert all(customer["expected_value"] > 0 for customer in customers)
    assert len({json.dumps(customer["reasons"]) for customer in customers}) > 5
    assert (clone / "mlruns" / "mlflow.db").is_file()
    at_stake = [customer["value_at_risk"] for customer in customers]
    assert at_stake == sorted(at_stake, reverse=True)


def test_the_readme_names_the_commands_that_matter() -> None:
    text = " ".join(commands())
    for word in (
        "make demo",
        "make test",
        "at-risk",
        "explain",
        "backtest",
        "features",
        "init",
        "curl",
        "simulate",
        "report",
        "plan",
    ):
        assert word in text

"""A month of nightly runs in fast motion, each third of them killed: it ends as the month without kills.

The service is simulated and its record is released day by day: each source is read up to the instant in
now.txt. Two projects go through the same days; in one of them `kizuna run` is killed at a random instant, now
and then with the job that it waits for, and started again. The short form has three days and two kills; `make
prove` has a month (`tests/prove.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from features.simulation.simulate import simulate
from serving.cli.context import CliContext

KILLS = int(os.environ.get("KIZUNA_PROOF_KILLS", "2"))
SEED = int(os.environ.get("KIZUNA_PROOF_SEED", "22"))
IS_MONTH = KILLS > 2
FIRST = date(2024, 12, 1)
DAYS = 31 if IS_MONTH else 3
KILLED = [day for day in range(1, DAYS + 1) if day % 3 == 0] if IS_MONTH else [2, 3]
CUSTOMERS = 400
UNTIL_NOW = "happened_at < (select left(trim(content), 19)::timestamp from read_text('now.txt'))"
SINCE_NOW = UNTIL_NOW.replace("happened_at", "since")
SETTINGS = """
[campaigns]
review_months = [1]

[schedule]
retrain = "0 3 16 * *"

[[webhooks]]
name = "crm"
url = "http://127.0.0.1:{port}/changes"
secret = "0123456789abcdef"
probability = 0.1
"""

pytestmark = pytest.mark.slow


class Receiver(ThreadingHTTPServer):
    """A system that takes every delivery and counts them by key; of each key it keeps what it brought."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.bodies: dict[str, set[str]] = {}
        super().__init__(("127.0.0.1", 0), _Taking)


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Kizuna-Delivery"]
        self.server.keys[key] += 1
        self.server.bodies.setdefault(key, set()).add(hashlib.sha256(body).hexdigest())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def kizuna(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", "from serving.cli.main import main; main()", "-C", str(folder), *words]


def done(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints; it must end with one of these exit codes."""
    found = subprocess.run(kizuna(folder, *words), capture_output=True, text=True, check=False)
    assert found.returncode in codes, (
        f"kizuna {' '.join(words)}: {found.returncode}\n{found.stdout}{found.stderr}"
    )
    return found.stdout


def move_to(folder: Path, day: date, time_of_day: str) -> None:
    (folder / "now.txt").write_text(f"{day}T{time_of_day}+09:00", encoding="utf-8")


def prepared(folder: Path, port: int) -> None:
    """A service on 1 December whose model is trained, with a campaign under way."""
    simulate(folder, customers=CUSTOMERS, months=16, seed=SEED)
    file = folder / "kizuna.toml"
    text = file.read_text(encoding="utf-8")
    text = re.sub(
        r"(?m)^from 'data/(?!profiles)(\w+)\.parquet'$", rf"from 'data/\1.parquet' where {UNTIL_NOW}", text
    )
    text = text.replace(
        "from 'data/profiles.parquet'\nwhere ", f"from 'data/profiles.parquet' where {SINCE_NOW} and "
    )
    text = text.replace("from 'data/profiles.parquet'\"", f"from 'data/profiles.parquet' where {SINCE_NOW}\"")
    file.write_text(text.replace("\n[churn]", SETTINGS.format(port=port) + "\n[churn]"), encoding="utf-8")
    move_to(folder, FIRST, "03:30:00")
    for words in (("ingest",), ("train",)):
        done(folder, *words)
    if "1" not in done(folder, "--json", "score", codes=(0, 5)):
        done(folder, "models", "promote", "1")
        done(folder, "score")
    done(
        folder,
        "campaign",
        "start",
        "december",
        "--control",
        "50%",
        "--hold",
        "60",
        "--yes",
        codes=(0,),
    )


def process_of_job(folder: Path) -> int | None:
    """The process of the job that runs, if one does."""
    with closing(sqlite3.connect(folder / "state" / "kizuna.db", timeout=10)) as records:
        row = records.execute("select process from jobs where state = 'running'").fetchone()
    return None if row is None else row[0]


def run_and_kill(folder: Path, dice: random.Random, seconds: float) -> None:
    """A run that is killed at a random instant, with the job that it waits for or without."""
    running = subprocess.Popen(
        kizuna(folder, "run", "--due"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        running.wait(dice.uniform(1.0, seconds))
    except subprocess.TimeoutExpired:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        job = process_of_job(folder) if dice.random() < 0.6 else None
        if job is not None:
            try:
                os.kill(job, signal.SIGKILL)
            except ProcessLookupError:
                print("the job had ended")


def outcome(folder: Path) -> dict[str, object]:
    """Everything that the month leaves: events, scores, plans, campaigns, log, deliveries."""
    state = folder / "state"

    def rows(query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(state / "kizuna.db")) as records:
            return records.execute(query).fetchall()

    def digests(below: str) -> dict[str, str]:
        files = sorted(file for file in (state / below).rglob("*") if file.is_file())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def result(text: str) -> dict[str, object]:
        return (
            {}
            if not text
            else {name: value for name, value in json.loads(text).items() if name not in UNTOLD}
        )

    steps = rows(
        "select runs.day, runs.as_of, runs.state, step, scheduled, run_steps.state, result from run_steps "
        "join runs on runs.id = run_steps.run order by runs.id, run_steps.id"
    )
    return {
        "events": CliContext(folder).store.version,
        "scores": rows("select file, as_of, model_version, data_version, customers from scores order by id"),
        "score files": digests("scores"),
        "plans": digests("plans"),
        "campaigns": rows("select name, state, treatment, control, seed, as_of from campaigns order by id"),
        "results": [
            (name, json.loads(report)["reviews"], json.loads(report)["pending"])
            for name, report in rows("select campaign, report from campaign_results order by id")
        ],
        "log": [(*step[:-1], result(str(step[-1]))) for step in steps],
        "deliveries": rows("select key, webhook, content, state from outbox order by key"),
    }


UNTOLD = ("new", "corrected", "read", "sent", "changes", "unchanged", "campaigns", "warnings")
"""Figures of a step that say what one attempt found left to do; a warning may name how often it was tried."""


def test_a_month_of_killed_runs_ends_as_the_month_without_kills(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    with receiver() as calm, receiver() as rough:
        prepared(tmp_path / "calm", calm.server_port)
        shutil.copytree(tmp_path / "calm", tmp_path / "rough")
        file = tmp_path / "rough" / "kizuna.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(str(calm.server_port), str(rough.server_port)), encoding="utf-8")
        seconds = 20.0
        for number in range(1, DAYS + 1):
            day = FIRST + timedelta(days=number)
            for folder in (tmp_path / "calm", tmp_path / "rough"):
                move_to(folder, day, "03:30:00")
                if folder.name == "rough" and number in KILLED:
                    run_and_kill(folder, dice, seconds)
                began = time.monotonic()
                done(folder, "run", "--due")
                if folder.name == "calm":
                    seconds = time.monotonic() - began
                assert done(folder, "run", "--due") == "", "nothing more is due that day"
        for folder in (tmp_path / "calm", tmp_path / "rough"):
            move_to(folder, FIRST + timedelta(days=DAYS), "09:00:00")
            done(folder, "notify")
        calm_end, rough_end = outcome(tmp_path / "calm"), outcome(tmp_path / "rough")
        for name, found in calm_end.items():
            assert rough_end[name] == found, name
        assert len(calm.keys) > 0
        assert set(rough.keys) == set(calm.keys), "no delivery has a second key, and none is missing"
        assert set(calm.keys.values()) == {1}
        assert {key: bodies for key, bodies in rough.bodies.items() if len(bodies) > 1} == {}

"""The prediction service against a bare Starlette application and a plain BentoML service.

`python -m benchmarks.serving --project . --json` needs a project that was scored (`make demo`). All servers
run at once on one machine, one worker each; visits go round and round between them, and medians count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.million import MANY, fill
from benchmarks.visitors import Visit, request, visit
from features.engine.snapshot import snapshot
from features.timeline import Timeline, from_instant
from serving.cli.context import CliContext
from serving.lists.score_reader import ScoreReader
from serving.schemas.json_text import to_json
from serving.schemas.requests import LiveCustomer
from serving.scoring.live import history_of

EVENTS = 100
CUSTOMERS = 400
"""Different customers asked for."""
KINDS = ("stored", "live")


def prepare(project: Path, folder: Path) -> dict[str, list[bytes]]:
    """Copy the project, write what the rivals need, and make the requests of each kind."""
    (folder / "project").mkdir()
    shutil.copy(project / "kizuna.toml", folder / "project")
    shutil.copytree(project / "state", folder / "project" / "state")
    call = CliContext(folder / "project")
    with call.records() as records:
        replies = ScoreReader.current(records, call.project, call.store)
    facts = replies.scores.facts
    keys = replies.scores.answers.key[replies.scores.cohort][:CUSTOMERS]
    names = replies.customers.names(keys).to_pylist()
    answers = {one.customer_id: vars(one) for one in replies.of(names, "en").customers}
    (folder / "answers.json").write_text(to_json(answers))
    for name, text in replies.bundle.files.items():
        (folder / name).write_text(text)
    live, as_of = [], from_instant(facts.as_of).isoformat()
    histories = [call.store.history_of([key], until=facts.as_of) for key in keys[:50].tolist()]
    for name, history in zip(names, histories, strict=False):
        events = [
            {
                "occurred_at": from_instant(history.instants[row]).isoformat(),
                "kind": history.kind_names[history.kinds[row]],
                "value": None if np.isnan(history.values[row]) else history.values[row],
                "place": None if history.places[row] < 0 else history.place_names[history.places[row]],
                "detail": None if history.details[row] < 0 else history.detail_names[history.details[row]],
            }
            for row in range(max(0, history.events - EVENTS), history.events)
        ]
        if len(events) == EVENTS:
            live.append({"customers": [{"customer_id": name, "events": events}], "as_of": as_of})
    one = LiveCustomer.model_validate(live[0]["customers"][0])
    history = history_of([one], replies.timeline, facts.as_of, facts.as_of)
    row = snapshot(
        history,
        replies.bundle.catalog,
        Timeline(replies.bundle.timezone),
        history.keys,
        np.array([facts.as_of]),
        replies.bundle.priors,
        threads=1,
    )
    np.save(folder / "row.npy", row.matrix)
    return {
        "stored": [request("/v1/score", {"customer_ids": [name]}) for name in names],
        "live": [request("/v1/predict", asked) for asked in live],
    }


@dataclass(frozen=True)
class Started:
    """A running server, and the seconds until it was ready."""

    pid: int
    ready_s: float


@contextmanager
def started(command: list[str], port: int, log: Path) -> Iterator[Started]:
    """A server process that is ready."""
    begun = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            while True:
                if process.poll() is not None or time.monotonic() - begun > 120:
                    raise SystemExit(f"{command[:4]} did not start: {log.read_text()[-2000:]}")
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                        break
                except urllib.error.HTTPError as error:
                    if error.code == 404:  # the bare application has no such page
                        break
                except OSError:
                    pass
                time.sleep(0.02)
            yield Started(process.pid, time.monotonic() - begun)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def kizuna(folder: Path, port: int) -> list[str]:
    start = "from serving.cli.main import main; main()"
    return [sys.executable, "-c", start, "-C", str(folder), "serve", "--open", "--port", str(port)]


def against_rivals(
    requests: dict[str, list[bytes]], folder: Path, port: int, rounds: int, seconds: float, steady: float
) -> dict[str, Any]:
    """Requests per second of each server, the ratios, and latencies at half of Kizuna's top rate."""
    os.environ["KIZUNA_BENCH"] = str(folder)
    uvicorn = [
        "uvicorn",
        "benchmarks.bare:application",
        "--factory",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    bento = ["bentoml", "serve", "benchmarks.plain_bento:Plain"]
    servers = {
        "kizuna": kizuna(folder / "project", port),
        "bare": [sys.executable, "-m", *uvicorn, "--port", str(port + 1)],
        "default_bento": [sys.executable, "-m", *bento, "--port", str(port + 2)],
    }
    ports = {name: port + number for number, name in enumerate(servers)}
    said: dict[str, Any] = {}
    with ExitStack() as stack:
        for name, command in servers.items():
            server = stack.enter_context(started(command, ports[name], folder / f"{name}.log"))
            if name == "kizuna":
                said["ready_s"] = server.ready_s
        for kind in KINDS:
            seen: dict[str, list[Visit]] = {name: [] for name in servers}
            for turn in range(-1, rounds):  # the first round warms up
                for name in servers:
                    met = visit(ports[name], requests[kind], seconds if turn >= 0 else 1.0)
                    if met.errors:
                        raise SystemExit(f"{name} gave {met.errors} errors for {kind}")
                    if turn >= 0:
                        seen[name].append(met)
            ratios = [k.rps / b.rps for k, b in zip(seen["kizuna"], seen["bare"], strict=True)]
            rps = {name: statistics.median(one.rps for one in met) for name, met in seen.items()}
            half = {
                name: visit(ports[name], requests[kind], steady, rps[name] / 2) for name in ("kizuna", "bare")
            }
            said[kind] = {
                "rps": rps["kizuna"],
                "bare_rps": rps["bare"],
                "ratio": statistics.median(ratios),
                "default_bento_rps": rps["default_bento"],
                "against_bento": rps["kizuna"] / rps["default_bento"],
                "p50_ms": half["kizuna"].p50_ms,
                "p99_ms": half["kizuna"].p99_ms,
                "bare_p50_ms": half["bare"].p50_ms,
                "bare_p99_ms": half["bare"].p99_ms,
            }
    return said


def with_many(folder: Path, port: int) -> dict[str, Any]:
    """A worker that holds a million scores: bulk, the at-risk page, the file, memory."""
    names = fill(folder / "project", folder / "many")
    said: dict[str, Any] = {"scored": MANY}

    def call(path: str, body: Any) -> int:
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, headers)
        with urllib.request.urlopen(asked, timeout=120) as answer:
            size = 0
            while part := answer.read(1 << 20):
                size += len(part)
            return size

    def took(path: str, body: Any, times: int = 15) -> float:
        return statistics.median(_seconds(lambda: call(path, body)) for _ in range(times))

    with started(kizuna(folder / "many", port), port, folder / "many.log") as server:
        said["ready_s"] = server.ready_s
        ten_thousand = took("/v1/score", {"customer_ids": names[:10_000]}, 5)
        said["bulk_10000_s"] = ten_thousand
        said["bulk_customers_per_s"] = 10_000 / ten_thousand
        for name, asked in {
            "page": {"limit": 100},
            "page_by_tier": {"limit": 100, "tiers": ["casual"]},
            "page_by_indicator": {"limit": 100, "indicators": ["purchase"]},
            "page_of_nobody": {"limit": 100, "min_probability": 1.0},
        }.items():
            said[f"{name}_ms"] = 1000 * took("/v1/at_risk", asked)
        said["memory_mb"] = memory(server.pid)
        said["memory_unshared_mb"] = memory(server.pid, "RssAnon")
        begun = time.perf_counter()
        said["csv_mb"] = call("/v1/at_risk.csv", None) / 2**20
        said["csv_s"] = time.perf_counter() - begun
        said["memory_after_csv_mb"] = memory(server.pid)
    return said


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def memory(pid: int, kind: str = "VmRSS") -> float:
    """MB that a process holds: all of it, or RssAnon, what is not mapped from files and so its alone."""
    said = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in said if line.startswith(f"{kind}:")) / 1024


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--project", type=Path, default=Path())
    asked.add_argument("--port", type=int, default=38100)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=4.0)
    asked.add_argument("--steady", type=float, default=60.0)
    asked.add_argument("--only", choices=["rivals", "many"])
    asked.add_argument("--json", action="store_true")
    how = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="kizuna-serving-") as place:
        folder = Path(place)
        requests = prepare(how.project, folder)
        said: dict[str, Any] = {"machine": machine()}
        if how.only != "many":
            said |= against_rivals(requests, folder, how.port, how.rounds, how.seconds, how.steady)
        if how.only != "rivals":
            said["many"] = with_many(folder, how.port + 3)
            said["bulk_customers_per_s"] = said["many"]["bulk_customers_per_s"]
    print(json.dumps(said, indent=None if how.json else 1))


if __name__ == "__main__":
    main()

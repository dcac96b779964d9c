"""Stored scores by a service whose state is in S3, against one on disk.

    python -m benchmarks.object_store_service --customers 3000 --rounds 9

SeaweedFS and PostgreSQL run on this machine. Both services have the same simulated project and one
worker; visitors ask each in turn for one customer's stored score, as fast as they are answered.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.serving import kizuna as serve
from benchmarks.serving import started
from benchmarks.visitors import Visit, request, visit
from serving.cli.context import CliContext
from tests.object_server import object_server
from tests.postgres_server import postgres_server

KIZUNA = str(Path(sys.executable).parent / "kizuna")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scored(folder: Path) -> None:
    """Ingest, train and score."""
    for command in ("ingest", "train", "score"):
        subprocess.run([KIZUNA, "-C", str(folder), command], check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True)
class Compared:
    """Stored scores a second of each service, medians over the rounds, and the median of the ratios."""

    local_rps: float
    s3_rps: float
    s3_over_local: float
    local_p50_ms: float
    s3_p50_ms: float


def compared(ports: dict[str, int], requests: list[bytes], rounds: int) -> Compared:
    """Visit both services in turn; the first round warms up."""
    seen: dict[str, list[Visit]] = {name: [] for name in ports}
    for turn in range(-1, rounds):
        for name in ports if turn % 2 else reversed(ports):
            met = visit(ports[name], requests, 2.0)
            if met.errors:
                raise SystemExit(f"{name} gave {met.errors} errors")
            if turn >= 0:
                seen[name].append(met)
    rps = {name: statistics.median(one.rps for one in met) for name, met in seen.items()}
    p50 = {name: statistics.median(one.p50_ms for one in met) for name, met in seen.items()}
    ratio = statistics.median(s.rps / o.rps for s, o in zip(seen["s3"], seen["local"], strict=True))
    return Compared(rps["local"], rps["s3"], ratio, p50["local"], p50["s3"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(object_server())
        records = stack.enter_context(postgres_server())
        os.environ.update(store.environment())
        local, remote = folder / "local", folder / "s3"
        size = ["--customers", str(chosen.customers), "--months", "21", "--seed", "1"]
        subprocess.run([KIZUNA, "simulate", str(local), *size], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(local, remote)
        settings = (local / "kizuna.toml").read_text()
        (remote / "kizuna.toml").write_text(
            f'state = "{store.place()}"\nrecords = "{records.url}"\n{settings}'
        )
        for project in (local, remote):
            scored(project)
        call = CliContext(local)
        names = call.store.customers.names(np.arange(500)).to_pylist()
        requests = [request("/v1/score", {"customer_ids": [name]}) for name in names]
        ports = {"local": free_port(), "s3": free_port()}
        for name, project in (("local", local), ("s3", remote)):
            log = folder / f"{name}.log"
            stack.enter_context(started(serve(project, ports[name]), ports[name], log))
        found = compared(ports, requests, chosen.rounds)
        print(json.dumps(asdict(found) | {"machine": machine()}))


if __name__ == "__main__":
    main()

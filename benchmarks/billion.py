"""A billion events on one machine, in slices: `python -m benchmarks.billion FOLDER --slices 10`.

Each slice is a simulated service of its own (`kizuna simulate`, 21 months; 1 million customers have 107
million events). Its tables are ingested into the one store and deleted. After the first slice and after the
last, 104 features of every customer are computed for one date and written as Parquet, bucket by bucket. Every
step is a process of its own; a line of JSON follows each. A run that was ended goes on with the first slice
that is not done.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.events import plain_features
from benchmarks.machine import machine
from benchmarks.scale import stream
from features.engine.evaluate import warm
from features.event_store import EventStore
from features.timeline import Timeline
from serving.project.clock import project_clock
from serving.project.settings import read as read_project

MONTHS, BUCKETS = 21, 256
EVENT_IDS = {
    "orders": "order",
    "usage": "use",
    "content": "content",
    "tickets": "ticket",
    "surveys": "answer",
    "social": "social",
    "community": "community",
    "campaigns": "campaign",
    "responses": "response",
    "contracts": "contract",
}
"""What the event ids of each source begin with."""
AS_OF = Timeline("Asia/Tokyo").instant(date(2025, 1, 1))
"""The end of what is simulated."""
KIZUNA = str(Path(sys.executable).parent / "kizuna")


@dataclass(frozen=True)
class Step:
    """One process: what it did, its seconds, and in GB its peak memory and what the disk holds."""

    name: str
    seconds: float
    processor_seconds: float
    peak_gb: float
    store_gb: float
    disk_gb: float
    """The store, and the tables of the slice while they are there."""


def size_gb(*folders: Path) -> float:
    """The files below some folders."""
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
    return round(sum(file.stat().st_size for file in files) / 1e9, 2)


def run(name: str, command: list[str], store: Path, *others: Path) -> Step:
    """Run a command to its end; raises `SystemExit` where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{name} ended with status {status}")
    step = Step(
        name,
        round(time.perf_counter() - began, 1),
        round(used.ru_utime + used.ru_stime, 1),
        round(used.ru_maxrss / 1e6, 2),
        size_gb(store),
        size_gb(store, *others),
    )
    print(json.dumps(asdict(step)), flush=True)
    return step


def ingest_slice(slice_: Path, store: Path, number: int) -> None:
    """Read a slice's tables of events into the store, then delete the files of earlier versions.

    Its customers and events get names of their own, by a table beside the others: the queries stay the same.
    """
    project = read_project(slice_)
    with duckdb.connect() as database:
        database.execute(f"copy (select 's{number:02d}-' as slice) to '{slice_}/data/slice.parquet'")
    mark = "(select slice from 'data/slice.parquet') ||"
    sources = [
        source.model_copy(
            update={
                "query": source.query.replace("customer as", f"{mark} customer as").replace(
                    f"'{EVENT_IDS[source.name]}-' ||", f"{mark} '{EVENT_IDS[source.name]}-' ||"
                )
            }
        )
        for source in project.settings.sources
    ]
    events = EventStore(store, buckets=BUCKETS)
    receipts = events.ingest(
        sources, [], folder=slice_, timeline=project.timeline, now=project_clock(project)()
    )
    if any(receipt.new != receipt.read for receipt in receipts):
        raise SystemExit(f"not every event was new: {receipts}")
    events.drop_earlier_versions()


def whole_run(folder: Path, slices: int, customers: int) -> None:
    """Simulate, ingest and delete one slice after another, then compute the features."""
    store, made = folder / "store", folder / "slice"
    folder.mkdir(parents=True, exist_ok=True)
    me = [sys.executable, "-m", "benchmarks.billion", str(folder)]
    print(json.dumps({"slices": slices, "customers": customers, "machine": machine()}), flush=True)
    for number in range(1, slices + 1):
        done = folder / f"slice-{number:02d}.done"
        if not done.exists():
            shutil.rmtree(made, ignore_errors=True)
            size = ["--customers", str(customers), "--months", str(MONTHS), "--seed", str(number)]
            run(f"simulate {number}", [KIZUNA, "simulate", str(made), *size], store, made)
            run(f"ingest {number}", [*me, "--ingest", str(number)], store, made)
            shutil.rmtree(made)
            done.touch()
        if number in (1, slices):
            run(f"features after {number}", [*me, "--features"], store)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--ingest", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--features", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ingest is not None:
        ingest_slice(chosen.folder / "slice", chosen.folder / "store", chosen.ingest)
    elif chosen.features:
        store = EventStore(chosen.folder / "store")
        warm()
        figures = stream(store, [AS_OF], chosen.folder / "rows", plain_features())
        shutil.rmtree(chosen.folder / "rows")
        print(json.dumps(figures), flush=True)
    else:
        whole_run(chosen.folder, chosen.slices, chosen.customers)


if __name__ == "__main__":
    main()

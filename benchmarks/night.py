"""A whole night of a large company, by this build and by another one, in turn.

    python -m benchmarks.night FOLDER --rival OTHER/.venv/bin/kizuna --customers 1_000_000 --repeat 2

The night is `kizuna ingest` of the day's events, then `score`, `plan` and `report`, each a process of its
own. The events are those of `kizuna simulate` (21 months; 1 million customers have 107 million). Both builds
get the same tables and the same `kizuna.toml`, written by the older build; every source has a watermark, as a
nightly reading of a database has. The model is trained on a small service. Each build makes its store and
keeps a copy, from which every round starts.
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
from multiprocessing import get_context
from pathlib import Path

import duckdb

from benchmarks.machine import machine

TRAINED, MONTHS, SEED = 5_000, 21, 1
LAST_DAY, AS_OF = "2024-12-31", "2025-01-01"
KIZUNA = Path(sys.executable).parent / "kizuna"
NIGHT = {
    "ingest": ["ingest"],
    "score": ["score", "--as-of", AS_OF],
    "plan": ["plan", "--format", "csv", "--output", "plan.csv"],
    "report": ["report", "--output", "report.html"],
}
STORE = ("events", "customers", "ingests", "quarantine", "aliases")
"""Folders of a state that hang on its events."""


@dataclass(frozen=True)
class Step:
    """One process: seconds by the clock, processor seconds, peak memory in GB."""

    seconds: float
    processor_seconds: float
    peak_gb: float


def run(command: list[str], log: Path) -> Step:
    """Run a command to its end; raises `SystemExit` with its log where it fails."""
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}; see {log}")
    seconds = time.perf_counter() - began
    return Step(round(seconds, 2), round(used.ru_utime + used.ru_stime, 2), round(used.ru_maxrss / 1e6, 2))


def simulated(folder: Path, kizuna: Path, customers: int) -> Path:
    """The tables of a simulated service, made when they are not there yet."""
    if not (folder / "kizuna.toml").is_file():
        size = ["--customers", str(customers), "--months", str(MONTHS), "--seed", str(SEED)]
        run([str(kizuna), "simulate", str(folder), *size], folder.with_suffix(".log"))
    return folder


def without_the_last_day(data: Path, folder: Path) -> None:
    """Copies of the tables that end before the last day."""
    folder.mkdir(parents=True)
    with duckdb.connect() as database:
        for file in sorted(data.glob("*.parquet")):
            named = {name for name, *_ in database.sql(f"describe from '{file}'").fetchall()}
            before = f"where happened_at < timestamp '{LAST_DAY}'" if "happened_at" in named else ""
            database.execute(f"copy (from '{file}' {before}) to '{folder / file.name}' (format parquet)")


def prepared(folder: Path, kizuna: Path, settings: str, large: Path) -> None:
    """A project with a model and the events of all days but the last; its state is left in `before`."""
    folder.mkdir(parents=True)
    (folder / "kizuna.toml").write_text(settings)
    small = simulated(folder.parent / "small", KIZUNA, TRAINED)
    shutil.copytree(small / "data", folder / "data")
    for command in (["ingest"], ["train"]):
        run([str(kizuna), "-C", str(folder), *command], folder / "made.log")
    for name in STORE:
        shutil.rmtree(folder / "state" / name, ignore_errors=True)
    shutil.rmtree(folder / "data")
    (folder / "data").symlink_to(folder.parent / "without-last-day", target_is_directory=True)
    first = run([str(kizuna), "-C", str(folder), "ingest"], folder / "made.log")
    print(json.dumps({"build": folder.name, "step": "first ingest", **asdict(first)}), flush=True)
    (folder / "data").unlink()
    (folder / "data").symlink_to(large / "data", target_is_directory=True)
    (folder / "state").rename(folder / "before")


def night(folder: Path, kizuna: Path, number: int) -> float:
    """One night, from the state before it; returns its seconds."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    # Files of events are never changed in place, those of databases and logs are small.
    shutil.copytree(
        folder / "before",
        folder / "state",
        copy_function=lambda a, b: (os.link if a.endswith(".parquet") else shutil.copy2)(a, b),
    )
    total = 0.0
    for name, words in NIGHT.items():
        if "--output" in words:
            words = [*words[:-1], str(folder / words[-1])]
        step = run([str(kizuna), "-C", str(folder), *words], folder / f"{name}.log")
        total += step.seconds
        print(json.dumps({"round": number, "build": folder.name, "step": name, **asdict(step)}), flush=True)
    print(json.dumps({"round": number, "build": folder.name, "step": "night", "seconds": total}), flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rival", type=Path, required=True, help="the kizuna command of the older build")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=2)
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"customers": chosen.customers, "machine": machine()}), flush=True)
    builds = {"this": KIZUNA, "rival": chosen.rival.resolve()}
    settings = (simulated(folder / "settings", builds["rival"], 100) / "kizuna.toml").read_text()
    settings = settings.replace(
        '"""\n\n', '"""\nwatermark = "occurred_at"\n\n', settings.count("[[sources]]")
    )
    large = simulated(folder / "large", KIZUNA, chosen.customers)
    if not (folder / "without-last-day").is_dir():
        # In a process of its own: what this one has held counts as the peak of those that it starts.
        with get_context("spawn").Pool(1) as pool:
            pool.apply(without_the_last_day, (large / "data", folder / "without-last-day"))
    for name, kizuna in builds.items():
        if not (folder / name / "before").is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
            own = (
                "[cluster]\nbuckets = 32\n\n" if name == "this" else ""
            )  # for 4 million events each (docs/scale.md)
            prepared(folder / name, kizuna, settings.replace("[[sources]]", f"{own}[[sources]]", 1), large)
    for number in range(chosen.repeat):
        for name in builds if number % 2 == 0 else reversed(builds):
            night(folder / name, builds[name], number)


if __name__ == "__main__":
    main()

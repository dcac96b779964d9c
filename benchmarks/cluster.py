"""What a second worker is worth: features, scores and report by one and by two worker processes, in turn.

    python -m benchmarks.cluster FOLDER --customers 100_000 --repeat 3

`FOLDER` gets two simulated projects, made once: a small one, trained, and a large one that is scored with its
model. `parallel` is the processor time of the workers in tasks over the time by the clock, which includes
this process's own share (`here_s`: sending, merging, joining). `…_alone` is the same work by this process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.machine import machine
from features.execution.dask import DaskEngine, open_engine
from serving.application.data.feature_export import export_feature_parts, export_features
from serving.application.lists.report import engagement_report
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.scoring.batch import score
from serving.state.active_model import ActiveModel, import_bundle, in_use
from serving.state.scores.score_index import current_champion

TRAINED = 5_000
"""Customers of the project that the model is trained on."""
MONTHS, SEED = 21, 1
KIZUNA = str(Path(sys.executable).parent / "kizuna")
Job = Callable[[Workspace], object]


def kizuna(folder: Path, *words: str) -> None:
    """Run the command on a project."""
    subprocess.run([KIZUNA, "-C", str(folder), *words], check=True, stdout=subprocess.DEVNULL)


def simulated(folder: Path, customers: int) -> Path:
    """A simulated project with its events ingested, made when it is not there yet."""
    if not (folder / "state" / "events").is_dir():
        size = ["--customers", str(customers), "--months", str(MONTHS), "--seed", str(SEED)]
        subprocess.run([KIZUNA, "simulate", str(folder), *size], check=True, stdout=subprocess.DEVNULL)
        kizuna(folder, "ingest")
    return folder


def trained_model(folder: Path) -> Path:
    """The files of a model trained on a small simulated project."""
    simulated(folder, TRAINED)
    call = CliContext(folder)
    with call.records() as records:
        is_trained = current_champion(records) is not None
    if not is_trained:
        kizuna(folder, "train")
        kizuna(folder, "score")
    with call.workspace() as workspace:
        model: ActiveModel = in_use(workspace.database, workspace.project.state)
        model.bundle.save(folder / "bundle")
    return folder / "bundle"


@dataclass(frozen=True)
class Run:
    """One run of one job."""

    seconds: float
    processor_seconds: float
    peak_mb: float
    here_seconds: float
    """Processor time of this process: sending, merging, joining."""

    @property
    def parallel(self) -> float:
        """Processors at work at a time."""
        return self.processor_seconds / self.seconds


def jobs(model: ActiveModel, as_of: int, day: str, folder: Path) -> dict[str, Job]:
    """The jobs that are measured; files of features go to `folder`."""
    return {
        "features": lambda place: pq.write_table(
            export_features(place, COMMAND_LINE, day).table, folder / "features.parquet"
        ),
        "feature_parts": lambda place: export_feature_parts(place, COMMAND_LINE, day, folder / "features"),
        "score": lambda place: (place.coverage(0), score(place.store, model, as_of, 0, engine=place.engine)),
        "report": lambda place: engagement_report(place, COMMAND_LINE, 3),
    }


def timed(job: Job, place: Workspace, engine: DaskEngine) -> Run:
    """Run a job on a cluster."""
    engine.used.clear()
    began, used_before = time.perf_counter(), time.process_time()
    job(replace(place, engine=engine))
    seconds, here = time.perf_counter() - began, time.process_time() - used_before
    used = engine.used.values()
    return Run(
        seconds,
        sum(use.processor_seconds for use in used),
        max(use.peak_bytes for use in used) / 1e6,
        here,
    )


def measured(folder: Path, customers: int, repeat: int) -> dict[str, Any]:
    """Medians of the runs of each job, by one worker and by two."""
    bundle = trained_model(folder / "small")
    call = CliContext(simulated(folder / "large", customers))
    model = import_bundle(call.project.state, "1", bundle)
    with call.workspace() as place:
        coverage = place.coverage(place.clock())
        assert coverage is not None
        as_of = coverage.as_of(place.clock())
        day = call.project.timeline.name(as_of)
        work = jobs(model, as_of, day, folder)
        figures: dict[str, Any] = {"customers": customers, "events": place.store.events, "as_of": day}
        runs: dict[tuple[str, int], list[Run]] = {}
        for number in range(repeat):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                with open_engine(f"local:{workers}") as engine:
                    for name, job in work.items():
                        timed(job, place, engine)  # warm: imports, compiled kernels, pages of the disk
                        runs.setdefault((name, workers), []).append(timed(job, place, engine))
        for name, job in work.items():
            one, two = (min(runs[name, workers], key=lambda run: run.seconds) for workers in (1, 2))
            began = time.perf_counter()
            job(place)
            figures[name] = {
                "one_worker_s": round(one.seconds, 2),
                "two_workers_s": round(two.seconds, 2),
                "faster": round(one.seconds / two.seconds, 2),
                "parallel": round(statistics.median(run.parallel for run in runs[name, 2]), 2),
                "processor_s": round(two.processor_seconds, 2),
                "here_s": round(two.here_seconds, 2),
                "peak_mb": round(max(run.peak_mb for run in (*runs[name, 1], *runs[name, 2]))),
                "alone_s": round(time.perf_counter() - began, 2),
            }
    return figures | {"machine": machine()}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--customers", type=int, default=100_000)
    options.add_argument("--repeat", type=int, default=3)
    chosen = options.parse_args()
    print(json.dumps(measured(chosen.folder, chosen.customers, chosen.repeat), indent=2))


if __name__ == "__main__":
    main()

"""One contender in a process of its own: `python -m benchmarks.contender TASK`, called by the benchmarks.

A contender goes from the Parquet files to the finished matrix: float64 columns, a row for each
customer and as-of date with an event before it. It tries each of its forms on one bucket, the near ones on
two, a rival's best also bucket by bucket, runs those still near on all, and repeats those that are hardly
slower than the best. All in and out is JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import events
from features.catalog.definitions import Catalog
from features.engine.snapshot import Snapshot

Form = Callable[[Sequence[int]], list[Any]]
"""Makes the rows of the customers in these buckets, in pieces."""
_NEAR = 3
"""A form that takes longer than the best by more than this factor on one or two buckets goes no further."""
_EQUAL = 1.05
"""Forms within this factor of the best on all buckets are repeated: one run does not tell them apart."""


@dataclass(frozen=True)
class Task:
    """What a contender is to do."""

    contender: str
    """kizuna, duckdb, polars, or read: just reading the needed columns."""
    store: str
    dates: list[int]
    repeat: int
    answers: str
    """Where the rows are left for the comparison."""


@dataclass(frozen=True)
class Figures:
    """What was measured."""

    seconds: float
    """The best form on all buckets: the least median of those repeated."""
    form: str
    first: dict[str, float] = field(default_factory=dict)
    """Seconds of each form on one bucket."""
    tried: dict[str, float] = field(default_factory=dict)
    """Seconds of each near form on two buckets."""
    finished: dict[str, float] = field(default_factory=dict)
    """Seconds of each near form on all buckets."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """Processor time of those forms: unlike seconds, much the same beside a busy neighbour."""
    peak_memory_mb: float = 0.0


def compete(task: Task) -> Figures:
    """Try the forms, time the best of them, and leave the rows of the last for the comparison."""
    folder, catalog = Path(task.store), events.plain_features()
    buckets = list(events.files(folder))
    known, first, tried = forms(task, catalog), dict[str, float](), dict[str, float]()

    def tell(name: str, where: str) -> None:
        print(f"{task.contender}: {name}, {where}", file=sys.stderr, flush=True)

    def attempt(name: str) -> None:
        tell(name, "two buckets")
        tried[name], _, _ = _seconds(partial(known[name], buckets[:2]))

    known[next(iter(known))](buckets[:1])  # warms up
    for name in known:
        tell(name, "one bucket")
        first[name], _, _ = _seconds(partial(known[name], buckets[:1]))
    for name, seconds in first.items():
        if seconds <= _NEAR * min(first.values()):
            attempt(name)
    if task.contender in ("duckdb", "polars"):
        best = min(tried, key=lambda name: tried[name])
        known[f"{best}, by bucket"] = partial(_by_bucket, known[best])  # smaller tables to look into
        attempt(f"{best}, by bucket")
    near = [name for name, seconds in tried.items() if seconds <= _NEAR * min(tried.values())]
    times, work, pieces = dict[str, list[float]](), dict[str, list[float]](), list[Any]()

    def run(name: str) -> None:
        tell(name, "all buckets")
        pieces.clear()
        seconds, cpu, made = _seconds(partial(known[name], buckets))
        times.setdefault(name, []).append(seconds)
        work.setdefault(name, []).append(cpu)
        pieces.extend(made)

    for name in near:
        run(name)
    fastest = min(seconds for (seconds,) in times.values())
    equal = [name for name, (seconds,) in times.items() if seconds <= _EQUAL * fastest]
    for name in equal:
        for _ in range(max(1, task.repeat - 1)):
            run(name)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    winner = min(equal, key=lambda name: medians[name])
    cpu = {name: min(seconds) for name, seconds in work.items()}
    figures = Figures(medians[winner], winner, first, tried, medians, cpu, peak_memory_mb())
    if task.contender != "read":
        leave(Path(task.answers), pieces, catalog.columns)
    return figures


def forms(task: Task, catalog: Catalog) -> dict[str, Form]:
    """The forms of a contender, by name."""
    # Each contender is imported for itself alone: its memory is what is measured.
    folder = Path(task.store)
    files = events.files(folder)

    def over_files(form: Callable[..., list[Any]]) -> Form:
        return lambda buckets: form([path for b in buckets for path in files[b]], catalog, task.dates)

    if task.contender == "kizuna":
        from benchmarks import kizuna

        return dict(kizuna.forms(folder, catalog, task.dates))
    if task.contender == "read":
        from benchmarks import kizuna

        return dict(kizuna.reading(folder, catalog))
    if task.contender == "duckdb":
        from benchmarks import rival_duckdb

        queries = rival_duckdb.forms(len(task.dates), folder / "spilled")
    else:
        from benchmarks import rival_polars

        queries = rival_polars.forms(len(task.dates))
    return {name: over_files(form) for name, form in queries.items()}


def _by_bucket(form: Form, buckets: Sequence[int]) -> list[Any]:
    return [piece for bucket in buckets for piece in form([bucket])]


def _seconds(work: Callable[[], list[Any]]) -> tuple[float, float, list[Any]]:
    start, cpu = time.perf_counter(), time.process_time()
    made = work()
    return time.perf_counter() - start, time.process_time() - cpu, made


def peak_memory_mb() -> float:
    """The most memory that this process ever held (on Linux, since its own programme began)."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def leave(folder: Path, pieces: Sequence[Any], columns: Sequence[str]) -> None:
    """Write rows as float64 columns, sorted by customer and date: keys, as_of and one row per feature."""
    keys = _column(pieces, "key").astype(np.int64)
    as_of = _column(pieces, "as_of").astype(np.int64)
    order = np.lexsort((as_of, keys))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "keys.npy", keys[order])
    np.save(folder / "as_of.npy", as_of[order])
    matrix = np.lib.format.open_memmap(
        folder / "matrix.npy", mode="w+", dtype=np.float64, shape=(len(columns), len(keys))
    )
    for number, name in enumerate(columns):
        matrix[number] = _column(pieces, name)[order]
    matrix.flush()


def _column(pieces: Sequence[Any], name: str) -> NDArray[Any]:
    """A column of all pieces; null is NaN."""

    def of(piece: Any) -> NDArray[Any]:
        if not isinstance(piece, Snapshot):
            column: NDArray[Any] = piece[name].to_numpy()
            return column
        if name in ("key", "as_of"):
            return piece.keys if name == "key" else piece.as_of
        return piece.matrix[:, piece.columns.index(name)]

    return np.concatenate([of(piece) for piece in pieces])


if __name__ == "__main__":
    print(json.dumps(asdict(compete(Task(**json.loads(sys.argv[1]))))))

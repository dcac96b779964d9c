"""How fast features are made: `python -m benchmarks.features --events 20_000_000 --as-of-dates 1 --json`.

Kizuna, DuckDB and Polars make the same features of the same Parquet files, one after the other, each in a
process of its own, and their answers are compared. `--scale` shows time and memory of Kizuna alone as
events grow, `--online` one customer at a time. Featuretools needs an older pandas than Kizuna:
`--featuretools PYTHON --events 200_000` compares with it, run by a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import events
from benchmarks.contender import Figures, Task
from benchmarks.machine import machine

RIVALS = ("kizuna", "duckdb", "polars")
SCALE = (10_000_000, 30_000_000, 100_000_000)


def compare(
    number: int,
    customers: int,
    dates: int,
    *,
    rivals: Sequence[str] = RIVALS,
    repeat: int = 3,
    home: Path = events.HOME,
) -> dict[str, Any]:
    """Every contender's seconds and peak memory, and how far their answers lie apart."""
    store = events.made(number, customers, home)
    columns = events.plain_features().columns
    answers = home / "answers"
    shutil.rmtree(answers, ignore_errors=True)
    found: dict[str, Any] = {}
    forms: dict[str, Any] = {}
    for name in ("read", *rivals):
        task = Task(name, str(store), events.as_of_dates(dates), repeat, str(answers / name))
        figures = Figures(**_alone("benchmarks.contender", json.dumps(asdict(task))))
        found[f"{name}_s"] = figures.seconds
        found[f"{name}_cpu_s"] = min(figures.cpu_seconds.values())
        found["peak_memory_mb" if name == "kizuna" else f"{name}_peak_memory_mb"] = figures.peak_memory_mb
        forms[name] = {
            "best": figures.form,
            "seconds": figures.finished,
            "cpu_seconds": figures.cpu_seconds,
            "seconds_on_one_bucket": figures.first,
            "seconds_on_two_buckets": figures.tried,
        }
    if "kizuna" in rivals:
        for name in rivals:
            if name != "kizuna":
                found[f"ratio_{name}"] = found[f"{name}_s"] / found["kizuna_s"]
                found[f"cpu_ratio_{name}"] = found[f"{name}_cpu_s"] / found["kizuna_cpu_s"]
    apart = [difference(answers / rivals[0], answers / name, columns) for name in rivals[1:]]
    found["max_abs_diff"] = max((one for one, _ in apart), default=0.0)
    found["max_rel_diff"] = max((one for _, one in apart), default=0.0)
    rows = len(np.load(answers / rivals[0] / "keys.npy", mmap_mode="r"))
    shutil.rmtree(answers)
    return {
        "events": number,
        "customers": customers,
        "as_of_dates": dates,
        "features": len(columns),
        "rows": rows,
        **found,
        "forms": forms,
        "machine": machine(),
    }


def featuretools(python: str, number: int, customers: int, home: Path = events.HOME) -> dict[str, Any]:
    """Kizuna's seconds and featuretools', for one as-of date, and how far their answers lie apart."""
    store, columns = events.made(number, customers, home), events.plain_features().columns
    answers, as_of = home / "answers", events.as_of_dates(1)
    shutil.rmtree(answers, ignore_errors=True)
    ours = Figures(
        **_alone(
            "benchmarks.contender",
            json.dumps(asdict(Task("kizuna", str(store), as_of, 3, str(answers / "kizuna")))),
        )
    )
    task = {
        "files": [path for paths in events.files(store).values() for path in paths],
        "as_of": as_of[0],
        "windows": list(events.WINDOWS),
        "columns": list(columns),
        "answers": str(answers / "featuretools"),
    }
    rival = str(Path(__file__).with_name("rival_featuretools.py"))
    done = subprocess.run([python, rival, json.dumps(task)], stdout=subprocess.PIPE, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    _, relative = difference(answers / "kizuna", answers / "featuretools", columns)
    shutil.rmtree(answers)
    return {
        "events": number,
        "customers": customers,
        "features": len(columns),
        "kizuna_s": ours.seconds,
        "featuretools_s": theirs["seconds"],
        "ratio_featuretools": theirs["seconds"] / ours.seconds,
        "max_rel_diff": relative,
        "featuretools": theirs["version"],
        "machine": machine(),
    }


def difference(one: Path, other: Path, columns: Sequence[str]) -> tuple[float, float]:
    """The largest absolute and relative difference of two contenders' rows.

    Raises `SystemExit` where they have other rows, or one says a number and the other nothing.
    """
    for name in ("keys.npy", "as_of.npy"):
        if not np.array_equal(np.load(one / name), np.load(other / name)):
            raise SystemExit(f"{one.name} and {other.name} have different customers or dates")
    absolute, relative = 0.0, 0.0
    these, those = (np.load(folder / "matrix.npy", mmap_mode="r") for folder in (one, other))
    for column, a, b in zip(columns, these, those, strict=True):
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            raise SystemExit(f"of {one.name} and {other.name} only one says {column} of some customer")
        apart, size = np.abs(a - b), np.maximum(np.abs(a), np.abs(b))
        differs = apart > 0
        if differs.any():
            absolute = max(absolute, float(apart[differs].max()))
            relative = max(relative, float((apart[differs] / size[differs]).max()))
    return absolute, relative


def _alone(module: str, *arguments: str) -> Any:
    """What a module prints as JSON in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def scale(sizes: Sequence[int], customers: int, dates: int, home: Path = events.HOME) -> dict[str, Any]:
    """Seconds and peak memory of Kizuna for each number of events, streamed to Parquet by bucket."""
    line = [
        _alone("benchmarks.scale", str(events.made(size, customers, home)), str(dates), str(home / "rows"))
        for size in sizes
    ]
    return {
        "customers": customers,
        "as_of_dates": dates,
        "features": len(events.rich_features().columns),
        "line": line,
        "machine": machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, help="default 20 million; with --scale 10, 30 and 100 million")
    parser.add_argument("--customers", type=int, help="default a hundredth of the events; --scale: 1 million")
    parser.add_argument("--as-of-dates", type=int, help="default 1; with --scale 12")
    parser.add_argument("--rivals", default=",".join(RIVALS), help="kizuna,duckdb,polars")
    parser.add_argument("--repeat", type=int, default=3, help="runs of the best form; the median counts")
    parser.add_argument("--scale", action="store_true", help="Kizuna alone, as events grow")
    parser.add_argument("--online", action="store_true", help="Kizuna alone, one customer")
    parser.add_argument(
        "--featuretools", metavar="PYTHON", help="a Python with featuretools, to compare with"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    rivals = tuple(options.rivals.split(","))
    if unknown := set(rivals) - set(RIVALS):
        parser.error(f"no such rival: {', '.join(sorted(unknown))}. There are {', '.join(RIVALS)}.")
    if options.featuretools:
        number = options.events or 200_000
        found = featuretools(options.featuretools, number, options.customers or max(1, number // 100))
    elif options.online:
        found = {**_alone("benchmarks.online"), "machine": machine()}
    elif options.scale:
        sizes = SCALE if options.events is None else (options.events,)
        found = scale(sizes, options.customers or 1_000_000, options.as_of_dates or 12)
    else:
        number = options.events or 20_000_000
        customers = options.customers or max(1, number // 100)
        found = compare(number, customers, options.as_of_dates or 1, rivals=rivals, repeat=options.repeat)
    if options.json:
        print(json.dumps(found))
        return
    for name, figure in found.items():
        print(f"{name:22} {figure:.4g}" if isinstance(figure, float) else f"{name:22} {figure}")


if __name__ == "__main__":
    main()

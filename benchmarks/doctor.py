"""How long `kizuna doctor` takes: `python -m benchmarks.doctor --events 20_000_000 --json`.

The project has one Parquet source with the events of `benchmarks/events.py` and default settings. `doctor_s`
is by the clock, from the start of the command to its end; `doctor_cpu_s` is processor time of its threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.events import write_events

_PROJECT = """timezone = "UTC"

[[sources]]
name = "events"
query = "select * from 'events.parquet'"
"""


def run(project: Path, *arguments: str) -> dict[str, float]:
    """Seconds by the clock and of the processor of one `kizuna` command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [str(Path(sys.executable).with_name("kizuna")), "-C", str(project), "--json", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"s": time.perf_counter() - start, "cpu_s": used, "peak_memory_mb": after.ru_maxrss / 1024}


def measure(events: int, customers: int, repeats: int) -> dict[str, float]:
    """Seconds of doctor over `events` events, the median of `repeats` runs."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        (project / "kizuna.toml").write_text(_PROJECT)
        write_events(project / "events.parquet", events, customers)
        ingest = run(project, "ingest")
        runs = [run(project, "doctor") for _ in range(repeats)]
    return {
        "events": events,
        "customers": customers,
        "ingest_s": round(ingest["s"], 2),
        "doctor_s": round(median(one["s"] for one in runs), 2),
        "doctor_cpu_s": round(median(one["cpu_s"] for one in runs), 2),
        "peak_memory_mb": round(max(one["peak_memory_mb"] for one in runs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.events, options.customers, options.repeats)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:20} {figure:,.2f}")


if __name__ == "__main__":
    main()

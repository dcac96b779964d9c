"""How long the first byte of each page of the console takes, and how much memory its worker holds.

    python -m benchmarks.console --project . --events 100_000_000 --seconds 120 --json

The project is one that was scored, planned and reported (`kizuna report`); it is filled to a million
customers with a plan for each, with so many generated events of theirs, and with a campaign. One worker
answers 20 pages a second, asked for by another process over the loopback. A page that is asked for
while others wait counts from the moment it was due. `stolen` is the share of the processors that the host
took away meanwhile: where it is above a thousandth, the tail says more of the host than of the pages. So does
a load above the number of processors.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.ingest import START, table
from benchmarks.machine import machine
from benchmarks.million import MANY, SEED, fill
from benchmarks.serving import kizuna, memory, started
from features.event_store import EventStore
from features.ingestion.sources import Source
from features.timeline import from_instant
from serving.actions import plan_file
from serving.actions.contact_rules import consent_rules
from serving.actions.plan_lookup import contacts_version
from serving.cli.context import CliContext
from serving.schemas.terms import HOOKS, OUTCOMES, STAGES
from serving.state.scores.score_file import load
from serving.state.scores.score_index import current_scores

RATE = 20.0
"""Pages a second."""
CAMPAIGN = "benchmark"
PART, DAYS = 10_000_000, 720
"""Events in one file that is ingested, and the days over which all of them lie."""
QUIET = 8
"""Seconds in which a process has taken no memory, after which it takes none unasked."""
CONNECTIONS = 8
"""Browsers that ask at once, so that a slow page holds up no other."""


@dataclass(frozen=True)
class Latency:
    """First bytes of one page in milliseconds."""

    pages: int
    errors: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


def list_paths(folder: Path) -> list[str]:
    """The list with each filter in turn, of many values, so that most are met for the first time."""
    chance = np.random.default_rng(1)
    with CliContext(folder).records() as records:
        current = current_scores(records)
    assert current is not None
    facts = load(folder / "state" / "scores" / current.file).facts
    fixed = [
        "/list",
        "/list?order_by=churn_probability",
        "/list?rows=100",
        *(f"/list?tiers={one}" for one in facts.tiers),
        *(f"/list?stages={one}" for one in STAGES),
        *(f"/list?outcomes={one}" for one in OUTCOMES),
        *(f"/list?hooks={one}" for one in HOOKS),
        *(
            f"/list?segment.{name}={value}"
            for name, values in facts.attributes.items()
            for value in values
            if value.isascii()
        ),
        "/list?indicators=purchase",
    ]
    drawn = [
        f"{path}{'&' if '?' in path else '?'}min_probability={least:.4f}"
        for path in fixed
        for least in chance.uniform(0, 0.3, 8)
    ]
    return [str(one) for one in chance.permutation([*fixed, *drawn])]


def customer_paths(_: Path) -> list[str]:
    """One customer after the other; where the project has events their timelines are read."""
    return [f"/customer?id=customer-{number:08d}" for number in range(0, MANY, MANY // 997)]


PAGES = {
    "today": lambda _: ["/"],
    "list": list_paths,
    "customer": customer_paths,
    "engagement": lambda _: ["/engagement"],
    "data": lambda _: ["/data"],
    "playbook": lambda _: ["/playbook"],
    "campaigns": lambda _: ["/campaigns"],
    "campaign": lambda _: [f"/campaign?name={CAMPAIGN}"],
    "models": lambda _: ["/models"],
}
"""What is measured: the name of a page → its addresses in a project."""


def add_events(folder: Path, events: int) -> None:
    """Ingest so many generated events of the customers that `fill` made, from two years before the scores."""
    here = CliContext(folder)
    with here.records() as records:
        current = current_scores(records)
    assert current is not None
    first_day = (from_instant(current.as_of).date() - date.fromisoformat(START)).days
    with tempfile.TemporaryDirectory(dir=folder, prefix="parts-") as place:
        for first in range(0, events, PART):
            count = min(PART, events - first)
            days = (first_day - DAYS + DAYS * first // events, max(DAYS * count // events, 1))
            table(Path(place) / f"{first:012d}.parquet", count, MANY, *days, first, ids=True, digits=8)
        source = Source(name="events", query=f"select * from '{place}/*.parquet'")
        (receipt,) = EventStore(folder / "state").ingest(
            [source], [], folder=folder, timeline=here.project.timeline, now=current.as_of
        )
    if receipt.new != events:
        raise SystemExit(f"not every event was new: {receipt}")


def prepare(project: Path, folder: Path, events: int) -> None:
    """A project with a million scored customers, a plan for each and so many events of theirs."""
    fill(project, folder)
    if events:
        add_events(folder, events)
    there, here = CliContext(project), CliContext(folder)
    with there.records() as records, here.records() as many:
        source, target = current_scores(records), current_scores(many)
    assert source is not None
    assert target is not None
    plan = plan_file.load(project / "state" / plan_file.FOLDER / source.file)
    few = load(project / "state" / "scores" / source.file).answers
    answers = load(folder / "state" / "scores" / target.file).answers
    like = np.random.default_rng(SEED).integers(0, len(few), len(answers))  # the same customers as `fill`
    place = np.empty(len(answers), dtype=np.int64)
    place[np.argsort(-np.nan_to_num(answers.value_at_risk, nan=-1.0), kind="stable")] = np.arange(
        len(answers)
    )
    table = plan.table.take(pa.array(plan.rows(few.key[like]))).combine_chunks()
    for name, values in (("key", answers.key), ("place", place)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    rules = consent_rules(here.project, plan.playbook)
    origin = replace(plan.origin, contacts=contacts_version(here.store.pinned(), rules))
    plan_file.save(
        folder / "state" / plan_file.FOLDER / target.file, replace(plan, table=table, origin=origin)
    )
    start = "from serving.cli.main import main; main()"
    campaign = ["campaign", "start", CAMPAIGN, "--limit", "2000", "--yes"]
    subprocess.run([sys.executable, "-c", start, "-C", str(folder), *campaign], check=True)


def ask(port: int, paths: list[str], seconds: float, rate: float = RATE) -> tuple[list[float], int]:
    """Milliseconds until the first byte of each page, from when it was due, and how many failed."""
    due: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
    took: list[float] = []
    failed: list[str] = []

    def browse() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"accept-language": "ja"}
        while (task := due.get()) is not None:
            moment, path = task
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            took.append(1000 * (time.perf_counter() - moment))
            answer.read()
            headers["cookie"] = (answer.getheader("set-cookie") or headers.get("cookie", "")).partition(";")[
                0
            ]
            if answer.status != 200:
                failed.append(path)

    threads = [threading.Thread(target=browse) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    for number in range(int(seconds * rate)):
        moment = begun + number / rate
        time.sleep(max(0.0, moment - time.perf_counter()))
        due.put((moment, paths[number % len(paths)]))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    if failed:
        print(f"{len(failed)} failed, such as {failed[0]}", file=sys.stderr)
    return took, len(failed)


def latency(port: int, paths: list[str], seconds: float) -> Latency:
    """As `ask`, from a process of its own, so that it and the worker do not share an interpreter."""
    command = [sys.executable, "-m", "benchmarks.console", "--ask", str(port), "--seconds", str(seconds)]
    done = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, check=True)
    took, errors = json.loads(done.stdout)
    sys.stderr.write(done.stderr)
    return Latency(
        len(took),
        errors,
        round(statistics.median(took), 2),
        round(float(np.percentile(took, 99)), 2),
        round(max(took), 2),
    )


@contextmanager
def processors() -> Iterator[dict[str, float]]:
    """The share of the processors' time that the host took away within the block, and the load at its end."""
    found: dict[str, float] = {}
    before = _ticks()
    yield found
    spent = [after - was for after, was in zip(_ticks(), before, strict=True)]
    found |= {"stolen": round(spent[7] / max(sum(spent), 1), 5), "load": os.getloadavg()[0]}


def processor_seconds(pid: int) -> float:
    """The processor time that a process has taken, which depends little on what else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ticks() -> list[int]:
    """The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal."""
    return [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def score(port: int) -> None:
    """Calls of the API, so that what it needs is loaded: BentoML too, which starts behind the rest."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/docs.json")
    connection.getresponse().read()
    content = json.dumps({"limit": 100})
    connection.request("POST", "/v1/at_risk", content, {"content-type": "application/json"})
    connection.getresponse().read()
    connection.close()


def settle(pid: int) -> None:
    """Wait until a process takes no more memory: BentoML is loaded behind the first answers."""
    held, quiet = memory(pid), 0
    while quiet < QUIET:
        time.sleep(1.0)
        now = memory(pid)
        held, quiet = now, quiet + 1 if abs(now - held) < 1.0 else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--folder", type=Path, help="the filled project, made where it is not there and kept")
    parser.add_argument(
        "--events", type=int, default=0, help="events that are generated and ingested into it"
    )
    parser.add_argument("--pages", nargs="+", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--port", type=int, default=38300)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(options.ask, json.load(sys.stdin), options.seconds)))
        return
    with tempfile.TemporaryDirectory(prefix="kizuna-console-") as place:
        folder = options.folder or Path(place) / "project"
        if not folder.exists():
            with ExitStack() as unfinished:
                unfinished.callback(shutil.rmtree, folder, ignore_errors=True)
                prepare(options.project, folder, options.events)
                unfinished.pop_all()
        log = Path(place) / "service.log"
        found: dict[str, object] = {"machine": machine(), "scored": MANY, "rate": RATE}
        with started(kizuna(folder, options.port), options.port, log) as server:
            score(options.port)
            settle(server.pid)
            before = memory(server.pid), memory(server.pid, "RssAnon")
            for name in options.pages:
                paths = PAGES[name](folder)
                latency(options.port, paths, 5.0)
                with processors() as spent:
                    began = processor_seconds(server.pid)
                    measured = latency(options.port, paths, options.seconds)
                    took = processor_seconds(server.pid) - began
                found[name] = {
                    **asdict(measured),
                    "processor_ms": round(1000 * took / measured.pages, 1),
                    **spent,
                }
                print(name, found[name], file=sys.stderr, flush=True)
            score(options.port)
            after = memory(server.pid), memory(server.pid, "RssAnon")
        found["memory_mb"] = {
            "without_console": round(before[0]),
            "with_console": round(after[0]),
            "unshared_without": round(before[1]),
            "unshared_with": round(after[1]),
        }
    print(json.dumps(found, indent=None if options.json else 1))


if __name__ == "__main__":
    main()

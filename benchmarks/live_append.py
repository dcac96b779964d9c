"""How long it takes to append one live event to a large store, with an event id of its own and without.

`python -m benchmarks.live_append --events 10_000_000`; each pair is measured in turn on copies of one store.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.events import NEWEST_DATE, made
from features.event_store import EventStore
from features.ingestion.identity.scopes import SENT
from features.timeline import DAY, Timeline


def event(number: int, instant: int, *, named: bool) -> pa.Table:
    """One event of one customer, with an id of its own or without."""
    return pa.table(
        {
            "customer_id": [f"c{number * 7919 % 100_000}"],
            "occurred_at": pa.array([instant + number], pa.timestamp("us", "UTC")),
            "kind": ["visit"],
            "value": pa.array([1.0]),
            "event_id": pa.array([f"live-{number}" if named else None], pa.string()),
        }
    )


def measure(store: EventStore, rounds: int, instant: int) -> dict[str, float]:
    """Median milliseconds of an append with an id, of one without, and of the very first one with an id."""
    took: dict[bool, list[float]] = {False: [], True: []}
    first = 0.0
    timeline = Timeline()
    for number in range(2 * rounds + 2):
        named = number % 2 == 1
        table = event(number, instant, named=named)
        begun = time.perf_counter()
        receipt = store.add(table, source=SENT, timeline=timeline, now=instant + DAY)
        seconds = time.perf_counter() - begun
        assert receipt.new == 1, receipt
        if number == 1:
            first = seconds
        if number > 1:
            took[named].append(seconds)
    with_ids, without = (1000 * statistics.median(took[named]) for named in (True, False))
    return {
        "with_ids_ms": round(with_ids, 1),
        "without_ids_ms": round(without, 1),
        "ratio": round(with_ids / without, 2),
        "first_with_id_ms": round(1000 * first, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    folder = made(arguments.events, arguments.events // 100)
    with tempfile.TemporaryDirectory(prefix="kizuna-append-", dir=folder.parent) as place:
        state = Path(shutil.copytree(folder, Path(place) / "state"))
        found = measure(EventStore(state), arguments.rounds, Timeline().instant(NEWEST_DATE))
    print(json.dumps({"events": arguments.events, **found}))


if __name__ == "__main__":
    main()

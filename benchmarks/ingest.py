"""How fast events come in and are read back: `python -m benchmarks.ingest --events 20_000_000 --json`."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import duckdb

from features.event_store import EventStore
from features.ingestion.sources import Source
from features.timeline import DAY, Timeline, to_instant
from features.timeline import parse as moment

START = "2022-01-01"


def table(
    path: Path,
    events: int,
    customers: int,
    first_day: int,
    days: int,
    first_id: int,
    ids: bool,
    *,
    digits: int = 1,
) -> None:
    """Write generated events as Parquet, in the order in which they occurred.

    `first_day` counts from `START`; the numbers of customers have at least so many `digits`.
    """

    # DuckDB's hash(i, 1) and hash(i, 2) are the same but for a constant: numbers are hashed one by one.
    def drawn(number: int, values: int) -> str:
        return f"(hash((i + {first_id}) * 16 + {number}) % {values})::bigint"

    with duckdb.connect() as database:
        database.execute(
            f"""copy (
                select 'customer-' || format('{{:0{digits}d}}', {drawn(0, customers)}) as customer_id,
                       timestamp '{START}' + to_days({first_day})
                           + to_microseconds((i * {days * 86_400_000_000 / events})::bigint) as occurred_at,
                       ['purchase', 'visit', 'visit', 'login', 'nps'][1 + {drawn(2, 5)}] as kind,
                       round({drawn(3, 100_000)} / 100.0, 2) as value,
                       ['web', 'app', 'store', null][1 + {drawn(4, 4)}] as channel,
                       'place-' || {drawn(5, 50)} as place,
                       'detail-' || {drawn(6, 2000)} as detail
                       {", 'e' || (i + " + str(first_id) + ") as event_id" if ids else ""}
                from range({events}) as t(i)) to '{path}' (format parquet)"""
        )


def measure(events: int, customers: int, batch: int, ids: bool) -> dict[str, float]:
    """Seconds to ingest `events`, then a daily batch, and to read everything back."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table(folder / "first.parquet", events, customers, 0, 720, 0, ids)
        table(folder / "daily.parquet", batch, customers, 720, 1, 10 * events, ids)
        store = EventStore(folder / "state")
        now = to_instant(Timeline().local(Timeline().instant(moment(START)))) + 800 * DAY

        def ingest(file: str) -> tuple[float, float]:
            start, cpu = time.perf_counter(), time.process_time()
            source = Source(name="events", query=f"select * from '{file}'")
            (receipt,) = store.ingest([source], [], folder=folder, timeline=Timeline(), now=now)
            if receipt.new != receipt.read:
                raise SystemExit(f"not every event was new: {receipt}")
            return time.perf_counter() - start, time.process_time() - cpu

        def read() -> float:
            start = time.perf_counter()
            found = sum(history.events for history in store.histories(columns=frozenset({"value", "detail"})))
            if found != store.events:
                raise SystemExit(f"read {found} of {store.events} events")
            return time.perf_counter() - start

        (first, cpu), whole = ingest("first.parquet"), min(read() for _ in range(3))
        (daily, _), with_daily = ingest("daily.parquet"), min(read() for _ in range(3))
        start = time.perf_counter()
        for key in range(20):
            store.history_of([key * 7])
        one = (time.perf_counter() - start) / 20
        size = sum(file.stat().st_size for file in (folder / "state").glob("**/*.parquet"))
        return {
            "events": events,
            "customers": customers,
            "given_ids": float(ids),
            "ingest_s": first,
            "ingest_cpu_s": cpu,
            "daily_batch_s": daily,
            "read_s": whole,
            "read_after_daily_s": with_daily,
            "one_customer_ms": 1000 * one,
            "disk_mb": size / 1e6,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=400_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--ids", action="store_true", help="the source gives event ids")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.events, options.customers, options.batch, options.ids)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:20} {figure:,.2f}")


if __name__ == "__main__":
    main()

"""Kizuna alone, streamed to Parquet bucket by bucket: `python -m benchmarks.scale STORE DATES FOLDER`.

While one bucket's rows are written, the next is computed and the one after it read.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import events, kizuna
from benchmarks.contender import peak_memory_mb
from features.catalog.definitions import Catalog
from features.engine.compiled_catalog import CompiledCatalog
from features.engine.evaluate import warm
from features.engine.snapshot import Snapshot
from features.event_store import EventStore

_ROWS_AT_ONCE = 32_768


def stream(store: EventStore, dates: list[int], folder: Path, catalog: Catalog) -> dict[str, float]:
    """Write a Parquet file of feature rows for each bucket; says the seconds of each part of the work."""
    columns = CompiledCatalog.of(catalog).event_columns
    folder.mkdir(parents=True)
    spent = {"wait_for_reading_s": 0.0, "compute_s": 0.0, "wait_for_writing_s": 0.0}
    counts = {"rows": 0, "events": 0}
    began = time.perf_counter()

    def timed(part: str, since: float) -> float:
        now = time.perf_counter()
        spent[part] += now - since
        return now

    with ThreadPoolExecutor(1) as pool:
        written: Future[None] | None = None
        at = began
        for bucket, history in enumerate(store.histories(columns=columns)):
            at = timed("wait_for_reading_s", at)
            made = kizuna.rows(history, catalog, dates)
            at = timed("compute_s", at)
            if written is not None:
                written.result()
            at = timed("wait_for_writing_s", at)
            counts["rows"] += len(made.keys)
            counts["events"] += history.events
            written = pool.submit(_write, folder / f"bucket-{bucket}.parquet", made)
        if written is not None:
            written.result()
        timed("wait_for_writing_s", at)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    return {
        **counts,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time(),
        **spent,
        "written_mb": size,
        "peak_memory_mb": peak_memory_mb(),
    }


def _write(path: Path, made: Snapshot) -> None:
    schema = pa.schema(
        [
            ("key", pa.int64()),
            ("as_of", pa.timestamp("us", "UTC")),
            *((n, pa.float64()) for n in made.columns),
        ]
    )
    # Numbers of features seldom repeat: looking for a dictionary doubles the time and saves no room.
    how = {"compression": "zstd", "compression_level": 1, "use_dictionary": False, "write_statistics": False}
    with pq.ParquetWriter(path, schema, **how) as file:
        for start in range(0, len(made.keys), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            when = pa.array(made.as_of[part]).cast(pa.timestamp("us", "UTC"))
            numbers = [pa.array(column) for column in made.matrix[part].T.copy()]
            file.write_table(pa.Table.from_arrays([pa.array(made.keys[part]), when, *numbers], schema=schema))


def main() -> None:
    store, number, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    warm()
    figures = stream(EventStore(store), events.as_of_dates(number), folder, events.rich_features())
    shutil.rmtree(folder)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

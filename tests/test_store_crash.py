"""A real ingesting process is killed at random instants; afterwards every event is there exactly once.

The short form kills three times; `make prove` kills thirty times for each of its seeds (`tests/prove.py`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from features.event_store import EventStore
from features.ingestion.sources import Source
from features.timeline import Timeline

KILLS = int(os.environ.get("KIZUNA_PROOF_KILLS", "3"))
SEED = int(os.environ.get("KIZUNA_PROOF_SEED", "20"))
SLICE = 6_000
SLICES = max(KILLS // 6, 2)
"""Finished ingests at least, so that kills meet corrections of earlier slices too."""

WORKER = """
import sys
from pathlib import Path
from features.ingestion.sources import Source
from features.event_store import EventStore
from features.timeline import Timeline

folder, now = Path(sys.argv[1]), int(sys.argv[2])
store = EventStore(folder / "state", buckets=8)
source = Source(name="events", query=(folder / "query.sql").read_text())
print("ready", flush=True)
sys.stdin.readline()
store.ingest([source], [], folder=folder, timeline=Timeline(), now=now)
print("done", flush=True)
"""
# Half of the events have an id of their own and are corrected by later slices, half have none.
QUERY = """
select 'customer-' || (hash(i) % 3000) as customer_id,
       timestamp '2024-01-01' + to_seconds(i) as occurred_at,
       'visit' as kind,
       case when i % 2 = 0 and i < {start} then i + 0.5 else i end as value,
       case when i % 2 = 0 then 'e' || i end as event_id
from range({first}, {stop}) as t(i)
"""


def test_every_event_is_there_once_however_often_the_ingest_was_killed(tmp_path: Path) -> None:
    now, dice = Timeline().instant("2025-01-01"), random.Random(SEED)
    state, kills, stop, length = tmp_path / "state", 0, SLICE, 0.5
    while kills < KILLS or stop <= SLICES * SLICE:
        (tmp_path / "query.sql").write_text(
            QUERY.format(first=max(0, stop - 2 * SLICE), start=stop - SLICE, stop=stop)
        )
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(now)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert worker.stdout is not None
        assert worker.stdin is not None
        assert worker.stdout.readline() == "ready\n"
        worker.stdin.write("go\n")
        worker.stdin.flush()
        started = time.monotonic()
        killed = dice.random() < 0.85
        if killed:
            time.sleep(dice.uniform(0, 1.1 * length))
            worker.kill()
        output = worker.stdout.read()
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()
        if output == "done\n":
            length = time.monotonic() - started
            check(state, stop)
            stop += SLICE
        else:
            assert killed, "the ingest failed by itself"
            kills += 1
            if (state / "events/_delta_log").exists():
                check(state, stop, stop - SLICE)
    # Repair leaves no file of a killed run behind.
    store = EventStore(state)
    source = Source(name="events", query=QUERY.format(first=0, start=0, stop=1))
    store.ingest([source], [], folder=tmp_path, timeline=Timeline(), now=now)
    listed = {file.path for file in store._events.snapshot().files}  # type: ignore[union-attr]
    fresh = {path.relative_to(state / "events").as_posix() for path in state.glob("events/bucket=*/*")}
    removed = set(store._events._table.vacuum(0, dry_run=True, enforce_retention_duration=False))  # type: ignore[union-attr]
    assert fresh == listed | removed
    assert not list(state.glob("arriving-*"))


def check(state: Path | str, stop: int, before: int | None = None) -> None:
    """The store holds exactly the events of a finished ingest: the newest, or the one before it."""
    store = EventStore(state)
    snapshot = store._events.snapshot()
    if snapshot is None or not snapshot.files:
        assert before == 0
        return
    found = np.sort(np.concatenate([history.instants for history in store.histories()]))
    values = np.sort(np.concatenate([history.values for history in store.histories()]))
    count = len(found)
    assert count in (stop, before)
    first = Timeline().instant("2024-01-01")
    np.testing.assert_array_equal(found, first + np.arange(count) * 1_000_000)
    # An even event takes its corrected value in the ingest after the one that brought it.
    numbers = np.arange(count)
    corrected = (numbers % 2 == 0) & (numbers < count - SLICE)
    np.testing.assert_array_equal(values, np.sort(np.where(corrected, numbers + 0.5, numbers)))

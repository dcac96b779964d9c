"""Why rows lie in the quarantine: counts by source and reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from features.event_store import EventStore
from features.ingestion.quarantine import QUARANTINE_SCHEMA
from features.storage.backends.object_file import arrow_input


@dataclass(frozen=True)
class QuarantineReason:
    """Rows of one source that are no events, for one reason; a row that came twice counts once."""

    source: str
    reason: str
    rows: int


def refused(store: EventStore) -> tuple[QuarantineReason, ...]:
    """How many rows of which source lie in the quarantine for which reason, most first."""
    lake = store.place.table("quarantine", QUARANTINE_SCHEMA)
    snapshot = lake.snapshot()
    counts: Counter[tuple[str, str]] = Counter()
    for file in snapshot.files if snapshot else ():
        rows: Any = pq.read_table(
            arrow_input(lake.run_file(file)), columns=["source", "reason"], partitioning=None
        )
        grouped = rows.group_by(["source", "reason"]).aggregate([([], "count_all")]).to_pylist()
        counts.update({(row["source"], row["reason"]): row["count_all"] for row in grouped})
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(QuarantineReason(source, reason, rows) for (source, reason), rows in ordered)

"""Erasing a customer: from the events, every score file and the identity, and then looking again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import DataError, UnknownCustomer
from features.store import EventStore
from serving.records import Records
from serving.scores import load, without


def erase(store: EventStore, scores: Path, records: Records, customer_id: str, now: int) -> dict[str, Any]:
    """Remove every trace and say where was looked; scores go first, while the key is still known."""
    key = int(store.customers.keys(pa.array([customer_id], pa.string()))[0])
    if key < 0:
        raise UnknownCustomer(customer_id)
    files = sorted(scores.glob("*.arrow"))
    rewritten = sum(without(file, key) for file in files)
    receipt = store.erase(customer_id)
    left = [file.name for file in files if load(file).row(key) is not None]
    if left or EventStore(store.folder).customers.keys(pa.array([customer_id], pa.string()))[0] >= 0:
        raise DataError(
            f"cannot vouch that '{customer_id}' is erased: traces were found afterwards in "
            f"{', '.join(left) or 'the events'}. Something wrote at the same time: run `kizuna erase` again."
        )
    records.note("command line", "erase", now, customer=key)
    return {
        "customer_id": customer_id,
        "events": receipt.events,
        "score_files": rewritten,
        "checked": [*receipt.checked, "scores"],
    }

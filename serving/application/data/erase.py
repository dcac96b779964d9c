"""Erasing a customer: from the events, every score file and plan and the identity, and then looking again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import DataError, ModelError
from features.event_store import EventStore
from serving.actions.plan_file import FOLDER, delete_customer
from serving.state.database import Database
from serving.state.score_file import load, without


def erase(store: EventStore, scores: Path, records: Database, customer_id: str, now: int) -> dict[str, Any]:
    """Remove every trace and say where was looked; scores go first, while the key is still known.

    A score file that cannot be read, and one that a broken run left unfinished, cannot be looked through:
    it is deleted. Raises `UnknownCustomer` when not even a refused row names them.
    """
    key = int(store.customers.keys(pa.array([customer_id], pa.string()))[0])
    deleted = _delete(scores.glob(".*.arrow"))
    files, rewritten = sorted(scores.glob("*.arrow")), 0
    for file in files if key >= 0 else ():
        try:
            rewritten += without(file, key)
        except ModelError:
            deleted += _delete([file])
    if key >= 0:
        delete_customer(scores.parent / FOLDER, key)
    receipt = store.erase(customer_id)
    left = (
        [file.name for file in files if file.exists() and load(file).row(key) is not None] if key >= 0 else []
    )
    if left or EventStore(store.folder).customers.keys(pa.array([customer_id], pa.string()))[0] >= 0:
        raise DataError(
            f"cannot vouch that '{customer_id}' is erased: traces were found afterwards in "
            f"{', '.join(left) or 'the events'}. Something wrote at the same time: run `kizuna erase` again."
        )
    records.note("command line", "erase", now, customer=key if key >= 0 else None)
    return {
        "customer_id": customer_id,
        "events": receipt.events,
        "refused_rows": receipt.quarantined,
        "score_files": rewritten,
        "score_files_deleted": deleted,
        "checked": [*receipt.checked, "scores", "plans"],
    }


def _delete(files: Iterable[Path]) -> list[str]:
    names = []
    for file in files:
        file.unlink(missing_ok=True)
        names.append(file.name)
    return names

"""Erasure of a customer from every row, older version and log entry of the store, with a receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import DataError, UnknownCustomer
from features.ingestion.quarantine import QUARANTINE_SCHEMA, names
from features.privacy.suppression_list import SuppressionList
from features.storage import sorted_run
from features.storage.customer_ids import Customers, as_table
from features.storage.delta_table import File, Lake
from features.storage.hashing import as_ids, of_texts
from features.storage.sorted_run import RARE_CODES, RunRows
from features.storage.string_dictionary import StringDictionary


@dataclass(frozen=True)
class ErasureReceipt:
    """What was removed, and every file that was read afterwards without finding a trace."""

    customer_id: str
    key: int | None
    """The key that stood for the customer, never given again; None where only refused rows named them."""
    events: int
    mentions: int
    """Events of other customers whose channel, place, detail or id was this customer's id, now blanked."""
    quarantined: int
    checked: tuple[str, ...]


def erase(
    customer_id: str,
    customers: Customers,
    events: Lake,
    people: Lake,
    quarantine: Lake,
    erased: SuppressionList,
    run: str,
) -> ErasureReceipt:
    """Remove a customer from the three tables and all their past, and note that they stay out."""
    key = int(customers.keys(pa.array([customer_id]))[0])
    refused = _without_refused(quarantine, customer_id, key, run)
    if key < 0 and refused is None:
        raise UnknownCustomer(customer_id)
    erased.add(customer_id)  # first: an erasure that breaks off is to be run again, never forgotten
    vocabulary = StringDictionary()
    added, removed, lost, mentions = [], [], 0, 0
    snapshot = events.snapshot()
    for file in snapshot.files if snapshot else ():
        rows = sorted_run.read(events.path(file), vocabulary)
        stay = rows.keys != key
        others, blanked = _blank(rows.take(stay), customer_id, vocabulary)
        if blanked or not stay.all():
            lost, mentions = lost + int((~stay).sum()), mentions + blanked
            removed.append(file)
            if len(others):
                path = events.new_path(run, file.bucket)
                place = sorted_run.order(others.keys, others.occurred, others.ids)
                people_prints = customers.vocabulary.prints
                sorted_run.write(events.folder / path, others.take(place), vocabulary, people_prints)
                added.append(events.written(path, len(others), file.bucket))
    if snapshot is not None:
        events.commit(added, removed, record=events.record())
    if refused is not None:
        quarantine.commit(refused[0], refused[1], record={})
    if key >= 0:
        table = as_table(customers)
        table = table.filter(pc.not_equal(table.column("key"), key))
        before = people.snapshot()
        people.commit(
            [people.write(run, table)] if table.num_rows else [],
            before.files if before else (),
            record={"given": len(customers)},
        )
    lakes = (events, people, quarantine)
    for lake in lakes:
        lake.forget_the_past()
    checked, traces = [], []
    for lake in lakes:
        for name, found in _inspect(lake, customer_id, key):
            checked.append(name)
            traces += [name] if found else []
    if traces:
        raise DataError(
            f"cannot prove that customer '{customer_id}' is erased: {', '.join(traces)} still name them. "
            "Run the erasure again while nothing else writes to the store."
        )
    count = refused[2] if refused else 0
    return ErasureReceipt(customer_id, key if key >= 0 else None, lost, mentions, count, tuple(checked))


def _without_refused(
    lake: Lake, customer_id: str, key: int, run: str
) -> tuple[list[File], list[File], int] | None:
    """The quarantine rewritten without a customer's rows; None when it holds none."""
    snapshot = lake.snapshot()
    added, removed, lost = [], [], 0
    for file in snapshot.files if snapshot else ():
        table = pq.read_table(lake.path(file), schema=QUARANTINE_SCHEMA)
        theirs = pc.equal(table.column("key"), key).fill_null(False).to_numpy()
        texts = table.column("row")
        quoted = json.dumps(customer_id, ensure_ascii=False)[1:-1]
        for at in np.flatnonzero(pc.match_substring(texts, quoted).to_numpy()).tolist():
            theirs[at] = theirs[at] or names(texts[at].as_py(), customer_id)
        if theirs.any():
            lost += int(theirs.sum())
            removed.append(file)
            if not theirs.all():
                added.append(lake.write(run, table.filter(pa.array(~theirs))))
    return (added, removed, lost) if removed else None


def _blank(rows: RunRows, customer_id: str, vocabulary: StringDictionary) -> tuple[RunRows, int]:
    """Rows of other customers with this customer's id blanked, and how many rows held it."""
    code = int(vocabulary.codes(pa.array([customer_id]))[0])
    columns = {name: getattr(rows, name) for name in ("channels", "places", "details", *RARE_CODES)}
    columns = {name: codes for name, codes in columns.items() if len(codes)}
    mentions = np.zeros(len(rows), dtype=bool)
    if code >= 0:
        for name, codes in columns.items():
            mentions |= codes == code
            columns[name] = np.where(codes == code, np.int32(-1), codes)
    ids, same = rows.ids, pc.equal(rows.ids, customer_id).to_numpy(zero_copy_only=False)
    if same.any():
        ids = pc.if_else(pa.array(same), as_ids(*of_texts(ids)), ids)
    arrays: dict[str, Any] = {name: getattr(rows, name) for name in rows.__slots__}
    return RunRows(**{**arrays, **columns, "ids": ids}), int((mentions | same).sum())


def _inspect(lake: Lake, customer_id: str, key: int) -> Iterator[tuple[str, bool]]:
    """Every file under a table's folder, and whether it still names the customer or holds their key."""
    for path in sorted(lake.folder.glob("**/*")):
        if not path.is_file():
            continue
        if path.suffix != ".parquet":
            entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            found = any(_says(entry, customer_id) for entry in entries)
        elif "_delta_log" in path.parts:
            found = _says(pq.read_table(path).to_pylist(), customer_id)
        else:
            found = _in_table(pq.read_table(path, partitioning=None), customer_id, key)
        yield path.relative_to(lake.folder.parent).as_posix(), found


def _in_table(table: pa.Table, customer_id: str, key: int) -> bool:
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = pa.chunked_array([chunk.dictionary for chunk in column.chunks], column.type.value_type)
        texts = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if name == "key":
            found = key >= 0 and pc.any(pc.equal(column, key)).as_py()
        elif name == "row":
            found = any(names(text, customer_id) for text in column.to_pylist())
        else:
            found = (
                texts
                and name not in ("kind", "source", "reason")
                and pc.any(pc.equal(column, customer_id)).as_py()
            )
        if found:
            return True
    return False


_OURS = {"metaData", "protocol", "partitionValues", "operationParameters", "operation", "engineInfo"}
"""Parts of a log that say nothing of rows: the schema, the software, the number of a bucket."""


def _says(entry: Any, customer_id: str) -> bool:
    """Whether any text in a log entry is the customer's id, texts that hold JSON included."""
    if isinstance(entry, dict):
        return any(_says(value, customer_id) for name, value in entry.items() if name not in _OURS)
    if isinstance(entry, list | tuple):
        return any(_says(value, customer_id) for value in entry)
    if not isinstance(entry, str):
        return False
    if entry == customer_id:
        return True
    return entry.startswith(("{", "[")) and _says(json.loads(entry), customer_id)

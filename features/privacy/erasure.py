"""Erasure of a customer from every row, older version and log entry of the store, with a receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import DataError, UnknownCustomer
from features.ingestion.quarantine import ROWS, names, read_file
from features.privacy.suppression_list import SuppressionList
from features.storage import row_order, sorted_run
from features.storage.backends.object_file import arrow_input
from features.storage.customer_ids import ALIASES_SCHEMA, CUSTOMERS_SCHEMA, Customers, stored_rows
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
    other_ids: tuple[str, ...] = ()
    """The customer's other ids, by aliases: erased with the one that was given."""
    kept_by_store: str | None = None
    """Earlier contents that an object store keeps and could not delete; None where there are none."""


def erase(
    customer_id: str,
    customers: Customers,
    events: Lake,
    people: tuple[Lake, Lake],
    quarantine: Lake,
    erased: SuppressionList,
    run: str,
) -> ErasureReceipt:
    """Remove a customer from all tables and all their past, and note that they stay out.

    `people` are the tables of ids and of aliases. All ids of the customer are erased, and all stay out.
    """
    ids, keys = customers.all_ids(customer_id), customers.all_keys(customer_id)
    refused = _without_refused(quarantine, ids, keys, run)
    if not keys and refused is None:
        raise UnknownCustomer(customer_id)
    erased.add_linked(ids)  # first: an erasure that breaks off is to be run again, never forgotten
    vocabulary = StringDictionary()
    added, removed, lost, mentions = [], [], 0, 0
    snapshot = events.snapshot()
    for file in snapshot.files if snapshot else ():
        rows = sorted_run.read(events.run_file(file), vocabulary)
        stay = ~np.isin(rows.keys, keys)
        others, blanked = _blank(rows.take(stay), ids, vocabulary)
        if blanked or not stay.all():
            lost, mentions = lost + int((~stay).sum()), mentions + blanked
            removed.append(file)
            if len(others):
                path = events.new_path(run, file.bucket)
                place = row_order.order(others.keys, others.occurred, others.ids)
                people_prints = customers.vocabulary.prints
                sorted_run.write(events.folder / path, others.take(place), vocabulary, people_prints)
                added.append(events.written(path, len(others), file.bucket))
    if snapshot is not None:
        events.commit(added, removed, record=events.record())
    if refused is not None:
        quarantine.commit(refused[0], refused[1], record={})
    names, aliases = people
    if keys:
        for lake, schema in ((names, CUSTOMERS_SCHEMA), (aliases, ALIASES_SCHEMA)):
            _remove_keys(lake, schema, keys, {"given": len(customers)}, run)
    lakes = (events, names, aliases, quarantine)
    for lake in lakes:
        lake.forget_the_past()
    checked, traces = [], []
    for lake in lakes:
        for name, found in _inspect(lake, ids, keys):
            checked.append(name)
            traces += [name] if found else []
    if traces:
        raise DataError(
            f"cannot prove that customer '{customer_id}' is erased: {', '.join(traces)} still name them. "
            "Run the erasure again while nothing else writes to the store."
        )
    count = refused[2] if refused else 0
    key, others_of = keys[0] if keys else None, tuple(one for one in ids if one != customer_id)
    return ErasureReceipt(customer_id, key, lost, mentions, count, tuple(checked), others_of)


def _remove_keys(
    lake: Lake, schema: pa.Schema, keys: Sequence[int], record: dict[str, Any], run: str
) -> None:
    """Rewrite a table of identities without the rows of these keys."""
    before = lake.snapshot()
    if before is None:
        return
    table = stored_rows(lake, schema)
    table = table.filter(pc.invert(pc.is_in(table.column("key"), value_set=pa.array(keys, pa.int64()))))
    lake.commit([lake.write(run, table)] if table.num_rows else [], before.files, record=record)


def _without_refused(
    lake: Lake, ids: Sequence[str], keys: Sequence[int], run: str
) -> tuple[list[File], list[File], int] | None:
    """The quarantine rewritten without a customer's rows; None when it holds none."""
    snapshot = lake.snapshot()
    added, removed, lost = [], [], 0
    for file in snapshot.files if snapshot else ():
        table = read_file(lake.path(file))
        theirs = pc.is_in(table.column("key"), value_set=pa.array(keys, pa.int64())).to_numpy().copy()
        for texts, customer_id in ((table.column(name), one) for name in ROWS for one in ids):
            quoted = json.dumps(customer_id, ensure_ascii=False)[1:-1]
            mentions = pc.match_substring(texts, quoted).fill_null(False).to_numpy()
            for at in np.flatnonzero(mentions).tolist():
                theirs[at] = theirs[at] or names(texts[at].as_py(), customer_id)
        if theirs.any():
            lost += int(theirs.sum())
            removed.append(file)
            if not theirs.all():
                added.append(lake.write(run, table.filter(pa.array(~theirs))))
    return (added, removed, lost) if removed else None


def _blank(rows: RunRows, ids: Sequence[str], vocabulary: StringDictionary) -> tuple[RunRows, int]:
    """Rows of other customers with this customer's ids blanked, and how many rows held one."""
    own = vocabulary.codes(pa.array(ids, pa.string()))
    own = own[own >= 0]
    columns = {name: getattr(rows, name) for name in ("channels", "places", "details", *RARE_CODES)}
    columns = {name: codes for name, codes in columns.items() if len(codes)}
    mentions = np.zeros(len(rows), dtype=bool)
    if len(own):
        for name, codes in columns.items():
            theirs = np.isin(codes, own)
            mentions |= theirs
            columns[name] = np.where(theirs, np.int32(-1), codes)
    given = rows.ids
    same = pc.is_in(given, value_set=pa.array(ids, pa.large_string())).to_numpy(zero_copy_only=False)
    if same.any():
        given = pc.if_else(pa.array(same), as_ids(*of_texts(given)), given)
    arrays: dict[str, Any] = {name: getattr(rows, name) for name in rows.__slots__}
    return RunRows(**{**arrays, **columns, "ids": given}), int((mentions | same).sum())


def _inspect(lake: Lake, ids: Sequence[str], keys: Sequence[int]) -> Iterator[tuple[str, bool]]:
    """Every file under a table's folder, and whether it still names the customer or holds their key."""
    for file in list(lake.storage.files()):
        if not file.name.endswith(".parquet"):
            entries = [json.loads(line) for line in lake.storage.read(file.name).splitlines()]
            found = any(_says(entry, ids) for entry in entries)
        else:
            content = arrow_input(lake.storage.run_file(file.name, file.size))
            table = pq.read_table(content, partitioning=None)
            in_log = file.name.startswith("_delta_log/")
            found = _says(table.to_pylist(), ids) if in_log else _in_table(table, ids, keys)
        yield f"{lake.name}/{file.name}", found


def _in_table(table: pa.Table, ids: Sequence[str], keys: Sequence[int]) -> bool:
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = pa.chunked_array([chunk.dictionary for chunk in column.chunks], column.type.value_type)
        texts = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if name in ("key", "superseded"):
            found = pc.any(pc.is_in(column, value_set=pa.array(keys, pa.int64()))).as_py()
        elif name in ROWS:
            found = any(names(text, one) for text in column.drop_null().to_pylist() for one in ids)
        else:
            found = (
                texts
                and name not in ("kind", "source", "reason")
                and pc.any(pc.is_in(column, value_set=pa.array(ids, column.type))).as_py()
            )
        if found:
            return True
    return False


_OURS = {"metaData", "protocol", "partitionValues", "operationParameters", "operation", "engineInfo"}
"""Parts of a log that say nothing of rows: the schema, the software, the number of a bucket."""


def _says(entry: Any, ids: Sequence[str]) -> bool:
    """Whether any text in a log entry is one of the customer's ids, texts that hold JSON included."""
    if isinstance(entry, dict):
        return any(_says(value, ids) for name, value in entry.items() if name not in _OURS)
    if isinstance(entry, list | tuple):
        return any(_says(value, ids) for value in entry)
    if not isinstance(entry, str):
        return False
    if entry in ids:
        return True
    return entry.startswith(("{", "[")) and _says(json.loads(entry), ids)

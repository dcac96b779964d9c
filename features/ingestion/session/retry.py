"""Refused rows that wait for their moment, tried again once it has come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import DataError
from features.events.schema import EVENT_SCHEMA
from features.events.validation import validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion.sources import marks_of
from features.ingestion.staging import StagingArea
from features.storage.hashing import of_texts
from features.storage.string_dictionary import large
from features.timeline import Timeline


def due(rows: pa.Table, newer: pa.ChunkedArray, timeline: Timeline, now: int) -> tuple[pa.Table, pa.Table]:
    """The events (`EVENT_SCHEMA`) of quarantined rows whose moment has come, and those rows.

    `newer` are the event ids of which the source brought a newer version.
    """
    superseded = set(newer.to_pylist())
    events, come = [EVENT_SCHEMA.empty_table()], [rows.slice(0, 0)]
    for part, contents in _by_origin(rows):
        stays = np.array([_text(one.get("event_id")) not in superseded for one in contents], dtype=bool)
        kept = [one for one, stay in zip(contents, stays.tolist(), strict=True) if stay]
        if kept:
            names = dict.fromkeys(name for one in kept for name in one if name in EVENT_SCHEMA.names)
            table = pa.table({name: _column([one.get(name) for one in kept]) for name in names})
            tally = ValidationCounts("retry")
            try:
                good, _ = validate_rows(table, timeline, now, tally)
            except DataError:  # of an earlier version, and its text alone does not tell how to read it
                continue
            events.append(good)
            come.append(part.filter(pa.array(stays)).filter(pa.array(tally.accepted)))
    return pa.concat_tables(events), pa.concat_tables(come)


def newest_marks(arrivals: StagingArea, source: str, ids: pa.Array) -> NDArray[np.float64]:
    """The largest watermark under which each of these event ids of a source arrived; NaN where none did."""
    wanted = of_texts(large(ids))[0]
    order = np.argsort(wanted)
    newest = np.full(len(wanted), np.nan)
    for bucket in range(arrivals.buckets) if len(wanted) else ():
        batch = arrivals.bucket(bucket)
        if batch is None:
            continue
        rows = np.flatnonzero(
            np.isin(batch.ids[0], wanted) & (batch.rows.sources == arrivals.scopes.code(source))
        )
        at = order[np.searchsorted(wanted, batch.ids[0][rows], sorter=order)]
        np.fmax.at(newest, at, arrivals.marks(batch.arrival[rows]))
    return newest


def outdated(refused: pa.Table, column: str, arrivals: StagingArea, source: str) -> pa.Table:
    """Those of the rows that wait for their moment of which a newer version came in the same reading.

    `column` is the source's watermark. Raises nothing where it says no order: then none is outdated.
    """
    rows = [json.loads(text) for text in refused.column("row").to_pylist()]
    ids = pa.array([_text(one.get("event_id")) for one in rows], pa.string())
    distinct = ids.unique().drop_null()
    marks = marks_of(_column([one.get(column) for one in rows]))
    newest = newest_marks(arrivals, source, distinct)
    at = pc.index_in(ids, distinct).fill_null(-1).to_numpy(zero_copy_only=False)
    known = at >= 0
    np.fmax.at(newest, at[known], marks[known])
    older = np.zeros(len(rows), dtype=bool)
    older[known] = marks[known] < newest[at[known]]
    return refused.filter(pa.array(older))


def _by_origin(rows: pa.Table) -> Iterator[tuple[pa.Table, list[dict[str, Any]]]]:
    """Rows beside which their event is kept, and those of earlier versions, read from their own text."""
    kept = rows.column("event").is_valid()
    for mask, name in ((kept, "event"), (pc.invert(kept), "row")):
        part = rows.filter(mask)
        if part.num_rows:
            yield part, [json.loads(text) for text in part.column(name).to_pylist()]


def _column(values: list[Any]) -> pa.Array:
    """Numbers as numbers where all are, else texts."""
    types = {type(value) for value in values if value is not None}
    if not types:
        return pa.nulls(len(values))
    if types <= {int, float}:
        return pa.array(values, pa.int64() if types == {int} else pa.float64())
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)

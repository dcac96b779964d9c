"""Rows refused for their event id: the reason of each, with what to write in the query."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.schema import EVENT_SCHEMA, RARE, REFUND, REFUSED_SCHEMA
from features.events.validation import as_json
from features.storage.sorted_run import RunRows, filled
from features.timeline import ALWAYS

CONTRADICTS = (
    "its event_id has several rows in one ingest that say different things, and nothing says which is newer: "
    "give each event an id of its own, or name a `watermark` or a `recorded_at` that orders them"
)
NEGATIVE = "left(trim(cast(value as varchar)), 1) in ('-', '−', '▲', '△', '(')"
"""Whether an amount is negative, in SQL, whatever the type of its column."""
TAKES_BACK = (
    "its event_id has rows of opposite sign in one ingest: where one takes the other back, give it an id and "
    "a kind of its own, as in `select * replace (cast(event_id as varchar) || if(NEGATIVE, '-REFUND', '') as "
    "event_id, if(NEGATIVE, 'REFUND', kind) as kind) from (QUERY)`"
).replace("NEGATIVE", NEGATIVE)
TAKES_BACK = TAKES_BACK.replace("REFUND", REFUND)
OTHER_KIND = (
    "its event_id has rows of several kinds in one ingest: give each an id of its own, as in "
    "`select * replace (cast(event_id as varchar) || '-' || kind as event_id) from (QUERY)`"
)


def refused_ids(
    rows: RunRows, rivals: RunRows, names: Callable[[NDArray[np.int64]], pa.Array], texts: pa.Array
) -> pa.Table:
    """Rows refused for their event id (`REFUSED_SCHEMA`); `rivals` are the rows that they contradict.

    `names` are the customers' by key, `texts` those that the rows' codes count into.
    """
    mine, others = texts.take(pa.array(rows.sources)), texts.take(pa.array(rivals.sources))
    other_source, other_kind = rows.sources != rivals.sources, rows.kinds != rivals.kinds
    opposite = (rows.values < 0) != (rivals.values < 0)
    reasons = [
        _of_sources(name, other) if foreign else OTHER_KIND if kind else TAKES_BACK if sign else CONTRADICTS
        for name, other, foreign, kind, sign in zip(
            mine.to_pylist(), others.to_pylist(), other_source, other_kind, opposite, strict=True
        )
    ]
    return pa.Table.from_arrays(
        [
            mine.cast(pa.string()),
            as_json(as_table(rows, names(rows.keys), texts)),
            pa.array(reasons, pa.string()),
            pa.nulls(len(reasons), pa.string()),
            as_json(as_table(rivals, names(rivals.keys), texts)),
        ],
        schema=REFUSED_SCHEMA,
    )


def _of_sources(name: str, other: str) -> str:
    quoted = name.replace("'", "''")
    return (
        f"source '{other}' uses this event_id for another kind of event than source '{name}': "
        f"prefix the id in the query, as in `'{quoted}-' || id as event_id`"
    )


def as_table(rows: RunRows, names: pa.Array, texts: pa.Array) -> pa.Table:
    """Rows as a table of events, as they came; without the columns of `RARE` that no row has."""

    def text(codes: NDArray[np.int32]) -> pa.Array:
        codes = filled(codes, len(rows))
        return texts.take(pa.array(codes, mask=codes < 0)).cast(pa.string())

    stamp = pa.timestamp("us", "UTC")
    table = pa.Table.from_arrays(
        [
            names,
            pa.array(rows.occurred).cast(stamp),
            text(rows.kinds),
            pa.array(rows.values, mask=np.isnan(rows.values)),
            text(rows.channels),
            text(rows.places),
            text(rows.details),
            pa.array(rows.recorded, mask=rows.recorded == ALWAYS).cast(stamp),
            text(rows.contracts),
            text(rows.currencies),
            rows.ids.cast(pa.string()),
        ],
        schema=EVENT_SCHEMA,
    )
    return table.drop_columns([name for name in RARE if table.column(name).null_count == len(rows)])

"""Runs become histories: the arrays that the kernel walks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.history import MISSING, Codes, History
from features.runs import TEXTS, merged, order
from features.timeline import ALWAYS, in_history
from features.vocabulary import large

ALL_COLUMNS = frozenset({"value", "channel", "place", "detail"})


def history(
    paths: Sequence[Path],
    *,
    until: int | None,
    columns: frozenset[str],
    event_ids: bool,
    wanted: NDArray[np.int64] | None = None,
) -> History:
    """The history that runs hold; of the customers `wanted` (ascending keys), or of all there are."""
    names = ["key", "occurred_at", "kind", "recorded_at", *sorted(columns & ALL_COLUMNS)]
    names += ["event_id"] if event_ids else []
    parts, keys, instants = _parts(paths, names, wanted)
    places, sure = merged(keys, instants, np.cumsum([0, *(part.num_rows for part in parts)]).tolist())
    table = pa.concat_tables(parts) if parts else None
    if not sure:
        # Two runs have events of one customer at one instant: only their ids can tell which is first.
        again, _, _ = _parts(paths, ["key", "occurred_at", "event_id"], wanted)
        places = order(keys, instants, large(pa.concat_tables(again).column("event_id")))
    recorded = np.empty(0, np.int64)
    if table is not None and table.column("recorded_at").null_count < table.num_rows:
        recorded = table.column("recorded_at").cast(pa.int64()).fill_null(ALWAYS).to_numpy()
    if until is not None:
        past = in_history(instants, recorded if len(recorded) else None, until)
        places = places[past[places]]
    asis = len(places) == len(keys) and (len(parts) < 2) and sure

    def arranged(values: NDArray[Any]) -> NDArray[Any]:
        return values if asis or not len(values) else values[places]

    def coded(name: str) -> tuple[Codes, tuple[str, ...]]:
        if table is None or name not in table.column_names:
            return np.empty(0, np.int32), ()
        column = table.column(name)
        whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        codes = whole.indices
        codes = (codes.fill_null(MISSING) if codes.null_count else codes).to_numpy().astype(np.int32)
        return arranged(codes), tuple(whole.dictionary.to_pylist())

    (kinds, kind_names), (channels, channel_names) = coded("kind"), coded("channel")
    (places_, place_names), (details, detail_names) = coded("place"), coded("detail")
    keys = arranged(keys)
    starts = (
        np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        if len(keys)
        else np.empty(0, np.int64)
    )
    found = keys[starts]
    if wanted is None:
        offsets = np.append(starts, len(keys)).astype(np.int64)
    else:
        found, offsets = wanted, np.searchsorted(keys, np.append(wanted, np.iinfo(np.int64).max))
    return History(
        keys=found,
        offsets=offsets.astype(np.int64),
        instants=arranged(instants),
        recorded=arranged(recorded),
        kinds=kinds,
        values=(
            arranged(table.column("value").fill_null(np.nan).to_numpy())
            if table is not None and "value" in columns
            else np.empty(0)
        ),
        channels=channels,
        places=places_,
        details=details,
        kind_names=kind_names,
        channel_names=channel_names,
        place_names=place_names,
        detail_names=detail_names,
        event_ids=(
            arranged(np.array(table.column("event_id").to_pylist(), dtype=object))
            if table is not None and event_ids
            else np.empty(0, dtype=object)
        ),
    )


def _parts(
    paths: Sequence[Path], names: list[str], wanted: NDArray[np.int64] | None
) -> tuple[list[pa.Table], NDArray[np.int64], NDArray[np.int64]]:
    """The rows of each run, and the keys and instants of all."""
    parts = [_rows(path, names, wanted) for path in paths]
    keys = [np.empty(0, np.int64), *(part.column("key").to_numpy() for part in parts)]
    instants = [part.column("occurred_at").cast(pa.int64()).to_numpy() for part in parts]
    return parts, np.concatenate(keys), np.concatenate([np.empty(0, np.int64), *instants])


def _rows(path: Path, names: list[str], wanted: NDArray[np.int64] | None) -> pa.Table:
    texts = [name for name in TEXTS if name in names]
    if wanted is None:
        return pq.read_table(path, columns=names, read_dictionary=texts, partitioning=None)
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        groups = []
        for group in range(file.metadata.num_row_groups):
            range_ = file.metadata.row_group(group).column(0).statistics
            first = np.searchsorted(wanted, range_.min)
            if first < len(wanted) and wanted[first] <= range_.max:
                groups.append(group)
        table = file.read_row_groups(groups, columns=names)
    keys = table.column("key").to_numpy()
    at = np.minimum(np.searchsorted(wanted, keys), max(len(wanted) - 1, 0))
    return table.filter(pa.array(wanted[at] == keys)) if len(keys) else table

"""The staged rows of one bucket: read from their files, in order of arrival, with an id for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.storage.hashing import Words, as_ids, numbered, of_texts
from features.storage.row_order import Rowset
from features.storage.sorted_run import RARE_CODES, RunRows
from features.storage.string_dictionary import StringDictionary, large


class StagedBatch:
    """The staged rows of one bucket, the fingerprints of their contents and when they came."""

    def __init__(
        self, rows: RunRows, first: Words, second: Words, arrival: Rowset, nameless: NDArray[np.bool_]
    ) -> None:
        self.rows, self.first, self.second = rows, first, second
        self.arrival, self.nameless = arrival, nameless
        self.ids = of_texts(rows.ids)


def read_staged(path: Path) -> pa.Table:
    """The rows of a file of the staging area."""
    with pa.OSFile(str(path), "rb") as stream:
        return pa.ipc.open_stream(stream).read_all()


def staged_batch(
    tables: Sequence[pa.Table], vocabulary: StringDictionary, left_out: Sequence[str], *, by_source: bool
) -> StagedBatch:
    """The rows of a bucket's files in order of arrival, without those of the sources that are `left_out`."""
    table = tables[0]
    if len(tables) > 1:
        table = pa.concat_tables(tables, promote_options="default").sort_by("arrival")
    if left_out:
        codes = vocabulary.codes(pa.array(left_out))
        table = table.filter(pa.array(~np.isin(table.column("sources").to_numpy(), codes)))
    names = [name for name in table.column_names if name != "ids"]
    arrays = {
        name: (table.column(name).fill_null(-1) if name in RARE_CODES else table.column(name)).to_numpy()
        for name in names
    }
    first, second, arrival = (arrays.pop(name) for name in ("first", "second", "arrival"))
    rows = RunRows(**arrays, ids=large(table.column("ids")))
    rows, nameless = with_ids(rows, first, second, by_source=by_source)
    return StagedBatch(rows, first, second, arrival, nameless)


def with_ids(
    rows: RunRows, first: Words, second: Words, *, by_source: bool = True
) -> tuple[RunRows, NDArray[np.bool_]]:
    """Rows in order of arrival with an id for each, and which came without one.

    A missing id is derived from the row's content (its fingerprints) and its ordinal among its equals
    (`by_source`: among those of its source).
    """
    nameless: NDArray[np.bool_] = rows.ids.is_null().to_numpy(zero_copy_only=False)
    if not nameless.any():
        return rows, nameless
    sources = rows.sources[nameless]
    high, low = first[nameless], second[nameless]
    if by_source and (sources != sources[0]).any():
        for source in np.flatnonzero(np.bincount(sources)).tolist():
            theirs = sources == source
            high[theirs], low[theirs] = numbered(high[theirs], low[theirs])
    else:
        high, low = numbered(high, low)
    derived = as_ids(high, low)
    ids = derived if nameless.all() else large(_filled(rows.ids, nameless, derived))
    return replace(rows, ids=ids), nameless


def _filled(ids: pa.Array, nameless: NDArray[np.bool_], derived: pa.Array) -> pa.Array:
    places = np.cumsum(nameless) - 1 + len(ids)
    return pa.concat_arrays([ids, derived]).take(pa.array(np.where(nameless, places, np.arange(len(ids)))))

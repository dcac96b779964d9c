"""Reads chosen columns of one run, for all its customers or some of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features import array_pool
from features.events.history import MISSING, Codes
from features.storage import parquet_pages
from features.storage.backends.object_file import RunFile, arrow_input, opened
from features.storage.backends.object_file import footer as read_footer
from features.storage.damage import reading
from features.storage.row_order import Rowset, in_order
from features.storage.sorted_run import MOMENTS, TEXTS
from features.storage.string_dictionary import large
from features.timeline import ALWAYS, EARLIEST, LATEST, Instants

Texts = tuple[Codes, tuple[str, ...]]
_NONE: Instants = np.empty(0, np.int64)
_SELDOM = {f"{name}_at": missing for name, missing in MOMENTS.items()}
"""Columns that a run has only where some row has an instant there, with what stands for none."""
_NAN = int(np.array(np.nan).view(np.int64))
_PADDING, _HEADER = 8, 256
"""Bytes behind what was read that may be touched; what the header of a page takes at most, as a rule."""


@dataclass(frozen=True, slots=True, eq=False)
class RunColumns:
    """Events of one run, by customer; a column that was not requested is empty."""

    path: RunFile
    keys: Rowset
    """int64[c]: the customers, ascending."""
    starts: Rowset
    """int64[c + 1]: where the events of each begin."""
    instants: Instants
    recorded: Instants
    """May be empty when all were known at once."""
    retracted: Instants
    """Empty when all still count."""
    values: NDArray[np.float64]
    texts: dict[str, Texts]
    """Of each text column its codes, and the texts they count into; a column the run has not is left out."""
    groups: tuple[int, ...]
    """The row groups that were read, and the rows of theirs that were wanted (None: all)."""
    rows: Rowset | None
    ours: bool = True
    """Whether Kizuna wrote the run, and so in its order."""

    def __len__(self) -> int:
        return len(self.instants)

    def ids(self) -> pa.Array:
        """The event ids, `large_string`."""
        with reading(self.path), pq.ParquetFile(arrow_input(self.path)) as file:
            ids = large(file.read_row_groups(self.groups, columns=["event_id"]).column("event_id"))
        return ids if self.rows is None else ids.take(pa.array(self.rows))


def read_columns(path: RunFile, columns: frozenset[str], wanted: Rowset | None = None) -> RunColumns:
    """Keys, instants, kinds and those `columns` of a run; of the customers `wanted` (ascending), or all.

    Raises `DamagedFile` where the run cannot be read, or is not as Kizuna writes it.
    """
    with reading(path):
        return _read_columns(path, columns, wanted)


def _read_columns(path: RunFile, columns: frozenset[str], wanted: Rowset | None) -> RunColumns:
    footer = read_footer(path)
    groups = tuple(range(footer.num_row_groups))
    if wanted is not None:
        groups = tuple(group for group in groups if _may_hold(footer.row_group(group), wanted))
    found = _from_pages(path, footer, groups, columns) or _from_arrow(path, footer, groups, columns)
    if len(found) and found.texts["kind"][0].min() < 0:
        raise ValueError("it has an event without a kind")
    if found.ours and not in_order(found.starts, found.instants, EARLIEST, LATEST):
        raise ValueError("its events are not in order")
    return found if wanted is None else _only(found, wanted)


def _may_hold(group: Any, wanted: Rowset) -> bool:
    range_ = group.column(0).statistics
    first = np.searchsorted(wanted, range_.min)
    return bool(first < len(wanted) and wanted[first] <= range_.max)


def _from_pages(
    path: RunFile, footer: Any, groups: tuple[int, ...], columns: frozenset[str]
) -> RunColumns | None:
    """The columns from the Parquet pages of a run that Kizuna wrote; None if its layout is another."""
    if b"kizuna.digest" not in (footer.metadata or {}) or not groups:
        return None
    place = {name: number for number, name in enumerate(footer.schema.names)}
    rows = [footer.row_group(group).num_rows for group in groups]
    firsts = np.cumsum([0, *rows]).tolist()
    count = firsts[-1]
    coded_names = [
        name for name in TEXTS if name == "kind" or (name in columns & place.keys() and name != "source")
    ]
    seldom = [name for name in _SELDOM if name in place]
    spans = {
        name: [_span(footer.row_group(group).column(place[name])) for group in groups]
        for name in ("key", "occurred_at", "recorded_at", *seldom, *coded_names, *(columns & {"value"}))
    }
    room = np.empty(max(size for chunks in spans.values() for _, size in chunks) + _PADDING, np.uint8)
    with opened(path, (span for chunks in spans.values() for span in chunks)) as file:

        def read(begin: int, *parts: NDArray[Any]) -> int:
            return os.preadv(file, [part.data for part in parts], begin)

        def chunks(name: str) -> Iterator[tuple[NDArray[np.uint8], int]]:
            for begin, size in spans[name]:
                yield room, read(begin, room[:size])

        def numbers(name: str, missing: int) -> NDArray[np.int64] | None:
            """May be empty where no event has one."""
            out = np.empty(0, np.int64)
            for (begin, size), first, length in zip(spans[name], firsts, rows, strict=False):
                if not len(out):
                    if size < max(length, _HEADER) and parquet_pages.blank(
                        room, 0, read(begin, room[:size]), length
                    ):
                        continue
                    out = array_pool.empty(count, np.int64)
                    out[:first] = missing
                part, header = out[first : first + length], size - 8 * length
                # As a rule one page, its numbers behind a short header: they are read into their place.
                in_place = 0 < header <= _HEADER and read(begin, room[:header], part) == size
                if in_place and parquet_pages.follows(room, header, size, length):
                    continue
                if not parquet_pages.fixed(room, 0, read(begin, room[:size]), missing, part):
                    return None
            return out

        def coded(name: str) -> Texts | None:
            out, known = array_pool.empty(count, np.int32), dict[str, int]()
            last, codes = None, np.empty(0, np.int32)
            for (data, size), first, length in zip(chunks(name), firsts, rows, strict=False):
                begin, end, entries = parquet_pages.dictionary(data, 0, size)
                body = data[begin:end].tobytes() if entries > 0 else b""
                if body != last:
                    texts, last = parquet_pages.texts(body, max(entries, 0)), body
                    codes = np.array([known.setdefault(text, len(known)) for text in texts], np.int32)
                if not parquet_pages.codes(data, 0, size, codes, out[first : first + length]):
                    return None
            return out, tuple(known)

        keys, starts, found = array_pool.empty(count, np.int64), array_pool.empty(count + 1, np.int64), 0
        for (data, size), first, length in zip(chunks("key"), firsts, rows, strict=False):
            found = parquet_pages.stretches(data, 0, size, first, length, keys, starts, found)
            if found < 0:
                return None
        starts[found] = count
        instants = numbers("occurred_at", 0)
        recorded = numbers("recorded_at", ALWAYS)
        moments = {name: numbers(name, _SELDOM[name]) for name in seldom}
        values = numbers("value", _NAN) if "value" in columns else np.empty(0, np.int64)
        texts = {name: coded(name) for name in coded_names}
    if instants is None or recorded is None or values is None or not len(instants):
        return None
    known = {name: instants for name, instants in moments.items() if instants is not None}
    if len(known) < len(moments):
        return None
    if "value" in columns and not len(values):
        values = np.full(count, _NAN)
    coded_texts = {name: text for name, text in texts.items() if text is not None}
    if len(coded_texts) < len(texts):
        return None
    if "source" in columns:  # compressed, unlike the others
        with pq.ParquetFile(arrow_input(path), read_dictionary=["source"]) as whole:
            coded_texts["source"] = _coded(whole.read_row_groups(groups, columns=["source"]).column("source"))
    keys, starts = keys[:found].copy(), starts[: found + 1].copy()
    recorded = _later(recorded, known.get("known_again_at", _NONE))
    retracted = known.get("retracted_at", _NONE)
    return RunColumns(
        path, keys, starts, instants, recorded, retracted, values.view(np.float64), coded_texts, groups, None
    )


def _later(recorded: Instants, known_again: Instants) -> Instants:
    """When the company learned of each event, for the second time where it had been retracted."""
    if not len(known_again) or not len(recorded):
        return known_again if len(known_again) else recorded
    return np.maximum(recorded, known_again)


def _span(chunk: Any) -> tuple[int, int]:
    """Where a column chunk begins in its file, and how long it is; 0 where it is compressed."""
    begin = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
    return begin, chunk.total_compressed_size if chunk.compression == "UNCOMPRESSED" else 0


def _from_arrow(path: RunFile, footer: Any, groups: tuple[int, ...], columns: frozenset[str]) -> RunColumns:
    """The columns of any run, of whatever layout, through Arrow."""
    there = frozenset(footer.schema.names)
    texts = [name for name in TEXTS if name == "kind" or name in columns & there]
    seldom = [name for name in _SELDOM if name in there]
    names = ["key", "occurred_at", "recorded_at", *seldom, *texts, *(columns & {"value"})]
    with pq.ParquetFile(arrow_input(path), read_dictionary=texts) as file:
        table = file.read_row_groups(groups, columns=names)
    keys, starts = stretches(table.column("key").to_numpy())
    recorded = table.column("recorded_at")
    some = recorded.null_count < len(recorded)
    moments = {
        name: table.column(name).cast(pa.int64()).fill_null(_SELDOM[name]).to_numpy() for name in seldom
    }
    known = recorded.cast(pa.int64()).fill_null(ALWAYS).to_numpy() if some else _NONE
    return RunColumns(
        path,
        keys,
        starts,
        table.column("occurred_at").cast(pa.int64()).to_numpy(),
        _later(known, moments.get("known_again_at", _NONE)),
        moments.get("retracted_at", _NONE),
        table.column("value").fill_null(np.nan).to_numpy() if "value" in columns else np.empty(0),
        {name: _coded(table.column(name)) for name in texts},
        groups,
        None,
        b"kizuna.digest" in (footer.metadata or {}),
    )


def _coded(column: pa.ChunkedArray) -> Texts:
    column = column.unify_dictionaries().combine_chunks()
    chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
    if not len(chunk):
        return np.empty(0, np.int32), ()
    return chunk.indices.fill_null(MISSING).to_numpy(), tuple(chunk.dictionary.to_pylist())


def stretches(keys: Rowset) -> tuple[Rowset, Rowset]:
    """The customers of rows that are sorted by key, and where each one's begin (one more: the end)."""
    if not len(keys):
        return np.empty(0, np.int64), np.zeros(1, np.int64)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[starts], np.append(starts, len(keys)).astype(np.int64)


def _only(whole: RunColumns, wanted: Rowset) -> RunColumns:
    """The rows of some customers."""
    there = np.flatnonzero(np.isin(whole.keys, wanted, assume_unique=whole.ours))
    lengths = np.diff(whole.starts)[there]
    starts = np.append(0, np.cumsum(lengths)).astype(np.int64)
    rows = np.repeat(whole.starts[there] - starts[:-1], lengths) + np.arange(starts[-1])

    def those(column: NDArray[Any]) -> NDArray[Any]:
        return column[rows] if len(column) else column

    return RunColumns(
        whole.path,
        whole.keys[there],
        starts,
        those(whole.instants),
        those(whole.recorded),
        those(whole.retracted),
        those(whole.values),
        {name: (those(codes), names) for name, (codes, names) in whole.texts.items()},
        whole.groups,
        rows,
        whole.ours,
    )

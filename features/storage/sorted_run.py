"""Sorted runs: events of one bucket as arrays in the store's order, and the Parquet files that hold them.

The order is customer key, instant, event id (`row_order`). A bucket is one long run and a few short ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.events.history import MISSING, Codes, no_codes, no_instants
from features.events.schema import ATTRIBUTE, RARE
from features.storage.backends.object_file import RunFile, arrow_input
from features.storage.backends.object_file import footer as read_footer
from features.storage.damage import reading
from features.storage.hashing import Words, digest, of_events, of_texts, with_moments, with_texts
from features.storage.row_order import Rowset
from features.storage.string_dictionary import StringDictionary, large
from features.timeline import ALWAYS, NEVER, Instants, in_history, still_counts

ROW_GROUP = 1 << 17
TEXTS = ("kind", "channel", "place", "detail", "contract_id", "currency", "source")
_COLD = ("event_id", "source")
"""Columns that only ingests and explanations read."""
_STAMP = pa.timestamp("us", "UTC")
_CODED = pa.dictionary(pa.int32(), pa.string())
RUN_SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("occurred_at", _STAMP),
        ("kind", _CODED),
        ("value", pa.float64()),
        ("channel", _CODED),
        ("place", _CODED),
        ("detail", _CODED),
        ("recorded_at", _STAMP),
        ("contract_id", _CODED),
        ("currency", _CODED),
        ("retracted_at", _STAMP),
        ("known_again_at", _STAMP),
        ("event_id", pa.large_string()),
        ("source", _CODED),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class RunRows:
    """Events as arrays; the text columns are codes of one vocabulary, -1 where absent."""

    keys: Rowset
    occurred: Instants
    recorded: Instants
    values: NDArray[np.float64]
    kinds: Codes
    channels: Codes
    places: Codes
    details: Codes
    sources: Codes
    ids: pa.Array
    """`large_string`."""
    contracts: Codes = field(default_factory=no_codes)
    currencies: Codes = field(default_factory=no_codes)
    """Empty where no row has one."""
    retracted: Instants = field(default_factory=no_instants)
    """When an ingest found the row gone from its source, `NEVER` where it is not; empty where none is."""
    known_again: Instants = field(default_factory=no_instants)
    """When a row came back whose event had been retracted, `ALWAYS` for others; empty where none did.

    Neither is content: no fingerprint and no event id depends on them.
    """

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, where: Rowset | NDArray[np.bool_]) -> RunRows:
        """The rows at these positions, or where a mask says so."""
        at = np.flatnonzero(where) if where.dtype == np.bool_ else where
        arrays = {name: getattr(self, name)[at] for name in NUMERIC}
        arrays |= {name: column[at] for name in _SELDOM if len(column := getattr(self, name))}
        return RunRows(**arrays, ids=self.ids.take(pa.array(at)))

    def prints(self, people: tuple[Words, Words], vocabulary: StringDictionary) -> tuple[Words, Words]:
        """The fingerprints of the events' contents; `people` are those of the customers, by key."""
        columns = (self.kinds, self.channels, self.places, self.details)
        first, second = of_events(
            self.keys, self.occurred, self.recorded, self.values, *columns, people, vocabulary.prints
        )
        for number, name in enumerate(RARE_CODES):
            if len(codes := getattr(self, name)):
                first, second = with_texts(first, second, codes, vocabulary.prints, number)
        return first, second


NUMERIC = ("keys", "occurred", "recorded", "values", "kinds", "channels", "places", "details", "sources")
RARE_CODES = ("contracts", "currencies")
"""The code columns of `RARE`."""
MOMENTS = {"retracted": NEVER, "known_again": ALWAYS}
"""The instants that few rows have, with what stands for none."""
_SELDOM: dict[str, tuple[type[np.generic], int]] = {
    **dict.fromkeys(RARE_CODES, (np.int32, MISSING)),
    **{name: (np.int64, missing) for name, missing in MOMENTS.items()},
}
"""Type and value for none of the columns that are empty where no row has one."""


def joined(parts: Sequence[RunRows]) -> RunRows:
    """Several sets of rows as one."""
    if len(parts) == 1:
        return parts[0]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in NUMERIC}
    for name, (kind, missing) in _SELDOM.items():
        if any(len(getattr(part, name)) for part in parts):
            columns = [(getattr(part, name), len(part)) for part in parts]
            arrays[name] = np.concatenate(
                [column if len(column) else np.full(rows, missing, kind) for column, rows in columns]
            )
    return RunRows(**arrays, ids=pa.concat_arrays([part.ids for part in parts]))


def filled(codes: Codes, rows: int) -> Codes:
    """The codes of a column for each row, -1 for all where no row has one."""
    return codes if len(codes) else np.full(rows, MISSING, np.int32)


def write(path: Path, rows: RunRows, vocabulary: StringDictionary, people: tuple[Words, Words]) -> None:
    """Writes sorted rows as a run whose metadata has its digest and its first and last engagement."""
    texts = vocabulary.texts
    engagement = ~_starts_with(texts, ATTRIBUTE)[rows.kinds]
    retracted = rows.retracted != NEVER
    if len(retracted):
        engagement &= ~retracted
    when = rows.occurred[engagement]
    ids, _ = of_texts(rows.ids)
    prints, _ = rows.prints(people, vocabulary)
    for number, (name, missing) in enumerate(MOMENTS.items()):
        if len(moments := getattr(rows, name)):
            prints = with_moments(prints, moments, missing, number)
    facts = {
        "kizuna.digest": str(int(digest(prints, ids))),
        "kizuna.oldest": str(when.min()) if len(when) else "",
        "kizuna.newest": str(when.max()) if len(when) else "",
        "kizuna.retracted": str(retracted.sum()) if retracted.any() else "",
    }

    def coded(codes: Codes) -> pa.DictionaryArray:
        used = np.zeros(len(texts) + 1, dtype=bool)
        used[codes] = True
        used[-1] = False
        renumbered = (np.cumsum(used) - 1).astype(np.int32)
        names = texts.take(pa.array(np.flatnonzero(used))).cast(pa.string())
        indices = pa.array(renumbered[codes], mask=codes < 0 if (codes < 0).any() else None)
        return pa.DictionaryArray.from_arrays(indices, names)

    columns = {
        "key": pa.array(rows.keys),
        "occurred_at": pa.array(rows.occurred).cast(_STAMP),
        "kind": coded(rows.kinds),
        "value": pa.array(rows.values, mask=np.isnan(rows.values)),
        "channel": coded(rows.channels),
        "place": coded(rows.places),
        "detail": coded(rows.details),
        "recorded_at": pa.array(rows.recorded, mask=rows.recorded == ALWAYS).cast(_STAMP),
        **{
            name: coded(codes)
            for name, codes in zip(RARE, (rows.contracts, rows.currencies), strict=True)
            if (codes >= 0).any()
        },
        **{
            f"{name}_at": pa.array(moments, mask=moments == missing).cast(_STAMP)
            for name, missing in MOMENTS.items()
            if ((moments := getattr(rows, name)) != missing).any()
        },
        "event_id": rows.ids,
        "source": coded(rows.sources),
    }
    schema = pa.schema([RUN_SCHEMA.field(name) for name in columns], metadata=facts)
    table = pa.Table.from_arrays(list(columns.values()), schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP,
        # Hot columns lie as the page reader (parquet_pages.py) takes them: plain, one page per group.
        compression={name: "zstd" if name in _COLD else "none" for name in columns},
        compression_level=dict.fromkeys(_COLD, 1),
        use_dictionary=["key", *(name for name in TEXTS if name in columns)],
        dictionary_pagesize_limit=1 << 24,
        write_statistics=["key", "occurred_at"],
        data_page_size=1 << 26,
        max_rows_per_page=ROW_GROUP,
    )


def read(path: RunFile, vocabulary: StringDictionary, *, with_ids: bool = True) -> RunRows:
    """All rows of a run; without their ids, which take most of the time, these are null."""
    with reading(path):
        names = [name for name in read_footer(path).schema.names if with_ids or name != "event_id"]
        table = pq.read_table(
            arrow_input(path), columns=names, read_dictionary=list(TEXTS), partitioning=None
        )
    rare = {codes: name for codes, name in zip(RARE_CODES, RARE, strict=True) if name in table.column_names}
    moments = {name: missing for name, missing in MOMENTS.items() if f"{name}_at" in table.column_names}
    columns: dict[str, Any] = {
        **{name + "s": _codes(table.column(name), vocabulary) for name in TEXTS if name not in RARE},
        **{codes: _codes(table.column(name), vocabulary) for codes, name in rare.items()},
        **{
            name: table.column(f"{name}_at").cast(pa.int64()).fill_null(missing).to_numpy()
            for name, missing in moments.items()
        },
    }
    return RunRows(
        table.column("key").to_numpy(),
        table.column("occurred_at").cast(pa.int64()).to_numpy(),
        table.column("recorded_at").cast(pa.int64()).fill_null(ALWAYS).to_numpy(),
        table.column("value").fill_null(np.nan).to_numpy(),
        **columns,
        ids=large(table.column("event_id")) if with_ids else pa.nulls(table.num_rows, pa.large_string()),
    )


def _codes(column: pa.ChunkedArray, vocabulary: StringDictionary) -> Codes:
    """A text column of a run as codes of the vocabulary, -1 where absent."""
    parts = [
        vocabulary.codes(chunk.dictionary, grow=True).astype(np.int32)[
            chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
        ]
        if len(chunk.dictionary)
        else np.full(len(chunk), -1, np.int32)
        for chunk in column.chunks
    ]
    codes = np.concatenate([np.empty(0, np.int32), *parts])
    if column.null_count:
        codes[column.is_null().to_numpy()] = -1
    return codes


@dataclass(frozen=True, slots=True, eq=False)
class RunIds:
    """The event ids of the rows of a run, by which an ingest finds them."""

    ids: pa.Array
    """`large_string`."""
    sources: Codes
    retracted: NDArray[np.bool_]
    """Which rows are retracted; empty where none is."""

    def counted(self, source: int | None = None) -> NDArray[np.bool_]:
        """Which rows are not retracted, and of the source with this code where one is given."""
        theirs = np.ones(len(self.sources), dtype=bool) if source is None else self.sources == source
        return theirs & ~self.retracted if len(self.retracted) else theirs


def id_prints(path: Path) -> Words:
    """The fingerprints of every event id of a run, those of retracted events too."""
    with reading(path), pq.ParquetFile(path) as file:
        return of_texts(large(file.read(columns=["event_id"]).column("event_id")))[0]


def read_ids(path: Path, vocabulary: StringDictionary) -> RunIds:
    """The event ids of a run, the source of each, and which are retracted."""
    with reading(path), pq.ParquetFile(path, read_dictionary=["source"]) as file:
        there = "retracted_at" in file.schema_arrow.names
        table = file.read(columns=["event_id", "source", *(["retracted_at"] if there else [])])
    flags = table.column("retracted_at").is_valid().to_numpy() if there else np.empty(0, np.bool_)
    return RunIds(large(table.column("event_id")), _codes(table.column("source"), vocabulary), flags)


def read_table(path: RunFile, columns: list[str], coded: list[str], until: int | None) -> pa.Table:
    """Some columns of a run's events as known at `until` (None: today), those `coded` as dictionaries."""
    with pq.ParquetFile(arrow_input(path), read_dictionary=coded) as file:
        moments = [name for name in ("retracted_at", "known_again_at") if name in file.schema_arrow.names]
        table = file.read(columns=[*columns, *moments])
    known = np.ones(table.num_rows, dtype=bool)
    if "retracted_at" in moments:
        retracted = table.column("retracted_at").cast(pa.int64()).fill_null(NEVER).to_numpy()
        known &= still_counts(retracted, until)
    if "known_again_at" in moments and until is not None:
        again = table.column("known_again_at").cast(pa.int64()).fill_null(ALWAYS).to_numpy()
        known &= in_history(again, None, until)
    return table.select(columns) if known.all() else table.select(columns).filter(pa.array(known))


def engagement_edges(path: RunFile, until: int | None) -> list[int]:
    """The instants of the first and the last engagement event of a run as known at `until`, where one is."""
    table = read_table(path, ["occurred_at", "kind"], [], until)
    table = table.filter(pc.invert(pc.starts_with(table.column("kind").cast(pa.string()), ATTRIBUTE)))
    edges = pc.min_max(table.column("occurred_at").cast(pa.int64())).as_py()
    return [edges["min"], edges["max"]] if table.num_rows else []


def read_sources(path: Path, vocabulary: StringDictionary) -> Codes:
    """The source of each row of a run."""
    with reading(path):
        table = pq.read_table(path, columns=["source"], read_dictionary=["source"], partitioning=None)
    return _codes(table.column("source"), vocabulary)


def read_instants(path: Path) -> Instants:
    """The instant of each event of a run."""
    with reading(path):
        table = pq.read_table(path, columns=["occurred_at"], partitioning=None)
    instants: Instants = table.column("occurred_at").cast(pa.int64()).to_numpy()
    return instants


def span(path: Path) -> tuple[int, int]:
    """The instants of the first and the last event of a run."""
    with reading(path):
        footer = pq.read_metadata(path)
    column = footer.schema.names.index("occurred_at")
    seen = [footer.row_group(group).column(column).statistics for group in range(footer.num_row_groups)]
    return min(one.min_raw for one in seen), max(one.max_raw for one in seen)


def _starts_with(texts: pa.Array, prefix: str) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = pc.starts_with(texts, prefix).fill_null(False).to_numpy(zero_copy_only=False)
    return flags

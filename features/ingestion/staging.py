"""The staging area of one ingest: its checked rows on disk, by bucket, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.history import Codes
from features.events.schema import RARE
from features.ingestion.identity.scopes import EventIdScopes
from features.ingestion.staged_batch import StagedBatch, read_staged, staged_batch, with_ids
from features.storage.customer_ids import Customers
from features.storage.hashing import Words, of_texts
from features.storage.id_filters import FEW
from features.storage.row_order import Rowset
from features.storage.sorted_run import NUMERIC, RARE_CODES, RunRows, filled
from features.storage.string_dictionary import StringDictionary, large
from features.timeline import ALWAYS

_COLUMNS = pa.schema(
    [
        ("keys", pa.int64()),
        ("occurred", pa.int64()),
        ("recorded", pa.int64()),
        ("values", pa.float64()),
        ("kinds", pa.int32()),
        ("channels", pa.int32()),
        ("places", pa.int32()),
        ("details", pa.int32()),
        ("sources", pa.int32()),
        ("ids", pa.large_string()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("arrival", pa.int64()),
    ]
)
_AT_ONCE = 4_000_000
"""Ids that are compared with their neighbours at once."""
_MORE = pa.schema([*_COLUMNS, *((name, pa.int32()) for name in RARE_CODES)])
"""The columns of sources whose events name a contract or a currency; their rows lie in files of their own."""


class StagingArea:
    """Rows of one ingest, spread over one file per bucket, so that memory holds a bucket at a time."""

    def __init__(
        self,
        folder: Path,
        buckets: int,
        customers: Customers,
        vocabulary: StringDictionary,
        scopes: EventIdScopes | None = None,
    ) -> None:
        self.folder, self.buckets = folder, buckets
        self.customers, self.vocabulary = customers, vocabulary
        self.scopes = scopes or EventIdScopes(vocabulary)
        self.by_source = True
        """Whether equal rows without an id are counted source by source; a store of an earlier version has
        counted them over all sources."""
        self.count = 0
        self._given: list[tuple[str, int, int]] = []
        """Of each batch with event ids its source, and where their fingerprints lie in a file: of 100 million
        they are 0.8 GB."""
        self._given_ids: list[Words] = []
        self._late: dict[int, list[pa.RecordBatch]] = {}
        self._left_out: list[str] = []
        self._closed = False
        self._marks: list[tuple[int, NDArray[np.float64]]] = []
        self._writers: dict[tuple[int, bool], pa.ipc.RecordBatchStreamWriter] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def take_in_all(
        self, batches: Iterable[tuple[pa.Table, NDArray[np.float64] | None]], source: str
    ) -> None:
        """Add batches of checked events and marks; the next one is made while one is taken in."""
        with ThreadPoolExecutor(1) as pool:
            taken: Future[None] | None = None
            for events, marks in batches:
                if taken is not None:
                    taken.result()
                taken = pool.submit(self.take_in, events, source, marks)
            if taken is not None:
                taken.result()

    def take_in(
        self,
        events: pa.Table,
        source: str,
        marks: NDArray[np.float64] | None = None,
        *,
        derive_ids: bool = False,
    ) -> None:
        """Add checked events of a source, with the place of each in the order of its watermark.

        Missing ids are derived when all rows are there, or at once, as of rows that came alone.
        """
        count = events.num_rows
        if count == 0:
            return
        rows = as_rows(events, source, self.customers, self.vocabulary)
        first, second = rows.prints(self.customers.vocabulary.prints, self.vocabulary)
        if derive_ids:
            rows, _ = with_ids(rows, first, second)
        buckets = (rows.keys % self.buckets).astype(np.uint16)
        self._note_given(rows.ids, source, buckets)
        if marks is not None:
            self._marks.append((self.count, marks))
        places = np.argsort(buckets, kind="stable")
        more = any(len(getattr(rows, name)) for name in RARE_CODES)
        columns = [pa.array(getattr(rows, name)[places]) for name in NUMERIC]
        rare = [pa.array(filled(getattr(rows, name), count)[places]) for name in RARE_CODES if more]
        batch = pa.RecordBatch.from_arrays(
            [
                *columns,
                rows.ids.take(pa.array(places)),
                pa.array(first[places]),
                pa.array(second[places]),
                pa.array(self.count + places),
                *rare,
            ],
            schema=_MORE if more else _COLUMNS,
        )
        edges = np.searchsorted(buckets[places], np.arange(self.buckets + 1))
        for bucket in np.flatnonzero(np.diff(edges)).tolist():
            part = batch.slice(edges[bucket], edges[bucket + 1] - edges[bucket])
            if self._closed:
                self._late.setdefault(bucket, []).append(part)
                continue
            if (bucket, more) not in self._writers:
                path = str(self._path(bucket, more))
                self._writers[bucket, more] = pa.ipc.new_stream(path, batch.schema)
            self._writers[bucket, more].write_batch(part)
        self.count += count

    def close(self) -> None:
        """No more rows of sources will come; a few others may, which stay in memory."""
        self._closed = True
        for writer in self._writers.values():
            writer.close()

    def leave_out(self, source: str) -> None:
        """Forget the rows of a source."""
        self._left_out.append(source)
        self._given = [given for given in self._given if given[0] != source]

    @property
    def people(self) -> tuple[Words, Words]:
        """The fingerprints of customer ids, by key."""
        return self.customers.vocabulary.prints

    @property
    def left_out(self) -> tuple[str, ...]:
        """The sources whose rows are forgotten."""
        return tuple(self._left_out)

    def bucket(self, bucket: int) -> StagedBatch | None:
        """The rows that arrived for a bucket, or None."""
        tables = [read_staged(path) for path in self._files(bucket)]
        tables += [pa.Table.from_batches([batch]) for batch in self._late.get(bucket, ())]
        if not tables:
            return None
        return staged_batch(tables, self.vocabulary, self.left_out, by_source=self.by_source)

    def files(self, bucket: int) -> list[Path]:
        """The files of a bucket's rows, those among them that came late; none where no row came."""
        files, late = self._files(bucket), self._late.get(bucket)
        if late:
            path = self.folder / f"{bucket}-late.arrows"
            parts = [pa.Table.from_batches([batch]) for batch in late]
            table = pa.concat_tables(parts, promote_options="default")
            with pa.ipc.new_stream(str(path), table.schema) as stream:
                stream.write_table(table)
            files.append(path)
        return files

    def marked(self, bucket: int) -> tuple[Rowset, NDArray[np.float64]]:
        """When the rows of a bucket arrived, ascending, and their marks; none where no row has a mark."""
        files = self.files(bucket) if self._marks else []
        arrived = [pa.ipc.open_stream(pa.memory_map(str(path))).read_all()["arrival"] for path in files]
        arrival = np.sort(np.concatenate([np.empty(0, np.int64), *(part.to_numpy() for part in arrived)]))
        return arrival, self.marks(arrival)

    def across(self) -> Words:
        """The sorted fingerprints of given event ids, the lowest bits of each replaced by its bucket."""
        whole = np.empty(sum(count for _, _, count in self._given), np.uint64)
        filled = 0
        for _, begin, count in self._given:
            part = np.fromfile(self._given_file, np.uint64, count, offset=begin * whole.itemsize)
            whole[filled : filled + count] = part
            filled += count
        whole.sort()
        return whole

    def given_ids(self) -> Words | None:
        """The fingerprints of given event ids without their sources, where they are few."""
        return np.concatenate(self._given_ids) if len(self._given_ids) == len(self._given) else None

    def has(self, source: str) -> bool:
        """Whether rows of a source came with event ids of their own."""
        return any(name == source for name, _, _ in self._given)

    def came(self, source: str, ids: pa.Array) -> NDArray[np.bool_]:
        """Whether rows of a source with these given event ids (`large_string`) arrived."""
        low = np.uint64((1 << self.bits) - 1)
        across = self.across() & ~low
        if not len(across):
            return np.zeros(len(ids), dtype=bool)
        wanted = (of_texts(ids)[0] ^ np.uint64(self.scopes.word(source))) & ~low
        found: NDArray[np.bool_] = (
            across[np.minimum(np.searchsorted(across, wanted), len(across) - 1)] == wanted
        )
        return found

    @property
    def bits(self) -> int:
        """How many low bits of `across` name the bucket."""
        return (self.buckets - 1).bit_length()

    def marks(self, arrival: Rowset) -> NDArray[np.float64]:
        """The place of each row in the order of its watermark, by when it arrived; NaN where it has none."""
        found = np.full(len(arrival), np.nan)
        for first, marks in self._marks:
            here = (arrival >= first) & (arrival < first + len(marks))
            found[here] = marks[arrival[here] - first]
        return found

    def _note_given(self, ids: pa.Array, source: str, buckets: NDArray[np.uint16]) -> None:
        if ids.null_count == len(ids):
            return
        given = ids.is_valid().to_numpy(zero_copy_only=False)
        prints = of_texts(ids)[0][given]
        if len(given) <= FEW:
            self._given_ids.append(prints)
        marked = tagged(prints ^ np.uint64(self.scopes.word(source)), buckets[given], self.bits)
        with self._given_file.open("ab") as file:
            begin = file.tell() // marked.itemsize
            marked.tofile(file)
        self._given.append((source, begin, len(marked)))

    def _files(self, bucket: int) -> list[Path]:
        return [self._path(bucket, more) for more in (False, True) if (bucket, more) in self._writers]

    @property
    def _given_file(self) -> Path:
        return self.folder / "given-ids"

    def _path(self, bucket: int, more: bool) -> Path:
        return self.folder / f"{bucket}{'-more' if more else ''}.arrows"


def as_rows(events: pa.Table, source: str, customers: Customers, vocabulary: StringDictionary) -> RunRows:
    """Checked events of a source as arrays; new customers and texts are added to what is known."""

    def coded(name: str) -> Codes:
        # Arrow finds the few distinct texts of a column faster than each could be fingerprinted.
        column = events.column(name).combine_chunks().dictionary_encode()
        codes = vocabulary.codes(column.dictionary, grow=True)
        absent = len(codes)
        numbers: Codes = np.append(codes, -1).astype(np.int32)[column.indices.fill_null(absent).to_numpy()]
        return numbers

    codes: dict[str, Any] = {name + "s": coded(name) for name in ("kind", "channel", "place", "detail")}
    rare: dict[str, Any] = {
        codes: coded(name)
        for name, codes in zip(RARE, RARE_CODES, strict=True)
        if events.column(name).null_count < events.num_rows
    }
    named = vocabulary.codes(pa.array([source]), grow=True).astype(np.int32)
    return RunRows(
        keys=customers.assign(events.column("customer_id")),
        occurred=events.column("occurred_at").cast(pa.int64()).to_numpy(),
        recorded=events.column("recorded_at").cast(pa.int64()).fill_null(ALWAYS).to_numpy(),
        values=events.column("value").fill_null(np.nan).to_numpy(),
        **codes,
        sources=np.repeat(named, events.num_rows),
        ids=large(events.column("event_id")),
        **rare,
    )


def tagged(prints: Words, buckets: NDArray[np.uint16] | int, bits: int) -> Words:
    """Fingerprints whose lowest bits are replaced by a bucket."""
    low = np.uint64((1 << bits) - 1)
    marked: Words = (prints & ~low) | np.asarray(buckets).astype(np.uint64)
    return marked


def in_several_buckets(across: Words, low: np.uint64) -> Words:
    """The fingerprints that stand there with several buckets; `low` has the bits that name the bucket.

    A part at a time: temporary arrays as long as all ids would be most of an ingest's memory.
    """
    found = [across[:0]]
    for begin in range(0, len(across) - 1, _AT_ONCE):
        part = across[begin : begin + _AT_ONCE + 1]
        differs = part[1:] ^ part[:-1]
        found.append(part[1:][(differs > 0) & (differs <= low)] & ~low)
    return np.concatenate(found)

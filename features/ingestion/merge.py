"""Merges the staged rows of one ingest into the event table, bucket by bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.schema import EVENT_SCHEMA, RARE, REFUSED_SCHEMA
from features.events.validation import NO_CUSTOMER, as_json
from features.events.validation_counts import ValidationCounts
from features.ingestion.customer_moves import MovedFiles
from features.ingestion.deduplication import (
    ALREADY_THERE,
    CORRECTED,
    NEW,
    REFUSED,
    DeduplicationResult,
    EventIdClaims,
    deduplicate,
)
from features.ingestion.receipt import Receipt
from features.ingestion.staging import StagedBatch, StagingArea, tagged
from features.storage import sorted_run
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, of_texts
from features.storage.sorted_run import RunRows, joined
from features.timeline import ALWAYS

Flags = NDArray[np.bool_]


@dataclass
class TableChange:
    """The files an ingest adds to and removes from the event table, and the fates of its rows."""

    added: list[File] = field(default_factory=list)
    removed: list[File] = field(default_factory=list)
    fates: dict[tuple[str, int], int] = field(default_factory=dict)
    """How many rows of a source had a fate."""
    refused: list[pa.Table] = field(default_factory=list)

    def after(self, moved: MovedFiles, lake: Lake) -> TableChange:
        """Both changes as one, where this one was planned on the files that the other leaves."""
        written = {file.path for file in moved.added}
        passing = {file.path for file in self.removed if file.path in written}
        for path in passing:
            (lake.folder / path).unlink()
        self.added += [file for file in moved.added if file.path not in passing]
        self.removed = moved.removed + [file for file in self.removed if file.path not in passing]
        return self

    def receipt(self, tally: ValidationCounts) -> Receipt:
        """What became of the rows of a source."""
        new, there, corrected, refused = (
            self.fates.get((tally.source, fate), 0) for fate in (NEW, ALREADY_THERE, CORRECTED, REFUSED)
        )
        refused += sum(tally.reasons.values())
        read, anonymous = tally.rows + tally.erased, tally.reasons.get(NO_CUSTOMER, 0)
        return Receipt(
            tally.source, read, new, there, corrected, refused, anonymous, tally.erased, tally.notes
        )


class Ingestion:
    """Merges staged rows into the event table; `plan` writes files, the caller commits them."""

    def __init__(self, lake: Lake, arrivals: StagingArea, run: str, files: dict[int, list[File]]) -> None:
        self.lake, self.arrivals, self.run = lake, arrivals, run
        self.vocabulary = arrivals.vocabulary
        self.people = arrivals.customers.vocabulary.prints
        self.files = files
        self.change = TableChange()
        self._lost: dict[str, NDArray[np.int64]] = {}
        self._stays: dict[int, Flags] = {}
        self._contested = np.empty(0, np.uint64)
        self._unknown: set[str] = set()
        """Files that hold none of the event ids given in this ingest."""
        self._lock = Lock()

    def plan(self, progress: Callable[[float], None]) -> TableChange:
        """Write the new files of every bucket that changes."""
        self._contested = self._find_contested()
        if len(self._contested):
            self._settle_contested()
        done = 0
        with ThreadPoolExecutor(min(2, cpu_count() or 1)) as pool:
            for _ in pool.map(self._settle, range(self.arrivals.buckets)):
                done += 1
                progress(done / self.arrivals.buckets)
        return self.change

    # An event id may move to another customer, and so to another bucket. Those few ids are found and
    # settled first, all together; every other id concerns one bucket only.

    def _find_contested(self) -> Words:
        across, bits = self.arrivals.across(), self.arrivals.bits
        if not len(across):
            return across
        low = np.uint64((1 << bits) - 1)
        plain = across & ~low
        found = [plain[1:][(plain[1:] == plain[:-1]) & (across[1:] != across[:-1])]]

        def elsewhere(bucket: int) -> Words:
            parts = [np.empty(0, np.uint64)]
            for file in self.files.get(bucket, ()):
                prints, _ = of_texts(sorted_run.read_ids(self.lake.path(file)))
                here = np.sort(tagged(prints, 0, bits))
                at = np.minimum(np.searchsorted(plain, here), len(plain) - 1)
                known = plain[at] == here
                if not known.any():
                    self._unknown.add(file.path)
                parts.append(here[known & (across[at] != tagged(here, bucket, bits))])
            return np.concatenate(parts)

        with ThreadPoolExecutor(min(2, cpu_count() or 1)) as pool:
            found.extend(pool.map(elsewhere, self.files))
        return np.unique(np.concatenate(found))

    def _settle_contested(self) -> None:
        stored, places, arrived, order, origins = [], [], [], [], []
        for bucket in range(self.arrivals.buckets):
            for file in self.files.get(bucket, ()):
                path = self.lake.path(file)
                at = np.flatnonzero(self._is_contested(of_texts(sorted_run.read_ids(path))[0]))
                if len(at):
                    stored.append(self._claims(sorted_run.read(path, self.vocabulary).take(at)))
                    places.append((file.path, at))
            batch = self.arrivals.bucket(bucket)
            if batch is not None:
                at = np.flatnonzero(self._is_contested(batch.ids[0]))
                arrived.append(_claims_of(batch).take(at))
                order.append(batch.arrival[at])
                origins.append((bucket, at, len(batch.rows)))
        sequence = np.argsort(np.concatenate(order), kind="stable")
        old, come = _together(stored) if stored else None, _together(arrived).take(sequence)
        judgement = deduplicate(old, come)
        self._count(old, come, judgement)
        start = 0
        for name, at in places:
            self._lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stay = np.empty(len(sequence), dtype=bool)
        stay[sequence] = judgement.arrived_stay
        start = 0
        for bucket, at, count in origins:
            stays = np.zeros(count, dtype=bool)
            stays[at] = stay[start : start + len(at)]
            self._stays[bucket] = stays
            start += len(at)

    def _settle(self, bucket: int) -> None:
        batch = self.arrivals.bucket(bucket)
        fresh = None if batch is None else batch.rows.take(self._newcomers(bucket, batch))
        self._write(bucket, fresh)

    def _newcomers(self, bucket: int, batch: StagedBatch) -> Flags:
        """Which rows that arrived go into the table."""
        stays = self._stays.get(bucket, np.zeros(len(batch.rows), dtype=bool))
        mine = np.flatnonzero(~self._is_contested(batch.ids[0]))
        arrived = _claims_of(batch).take(mine) if len(mine) < len(stays) else _claims_of(batch)
        known = np.sort(arrived.ids[0])
        stored, places = [], []
        for file in self.files.get(bucket, ()):
            path = self.lake.path(file)
            if not self._may_know(file, batch):
                continue
            prints, _ = of_texts(sorted_run.read_ids(path))
            at = np.flatnonzero(_within(prints, known)) if len(known) else np.empty(0, np.int64)
            if len(at):
                stored.append(self._claims(sorted_run.read(path, self.vocabulary).take(at)))
                places.append((file.path, at))
        old = _together(stored) if stored else None
        judgement = deduplicate(old, arrived)
        self._count(old, arrived, judgement)
        start = 0
        for name, at in places:
            self._lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stays[mine] = judgement.arrived_stay
        return stays

    def _may_know(self, file: File, batch: StagedBatch) -> bool:
        """Whether a file may hold an id of the batch; a derived id includes when the event occurred."""
        if file.path not in self._unknown and not batch.nameless.all():
            return True
        occurred = batch.rows.occurred[batch.nameless]
        if not len(occurred):
            return False
        first, last = sorted_run.span(self.lake.path(file))
        return bool(first <= occurred.max() and occurred.min() <= last)

    def _write(self, bucket: int, fresh: RunRows | None) -> None:
        files = self.files.get(bucket, [])
        parts = [fresh] if fresh is not None and len(fresh) else []
        merged = [file for file in files if file.path in self._lost]
        total = sum(len(part) for part in parts) + sum(file.rows for file in merged)
        if total == 0:
            return
        # Runs join the new one while they are not much longer than it, so that their number stays
        # logarithmic; the factor differs so that the long runs of all buckets are not due on one day.
        factor = 1.5 + bucket / self.arrivals.buckets
        for file in sorted(files, key=lambda file: file.rows):
            if file not in merged and file.rows <= factor * total:
                merged.append(file)
                total += file.rows
        for file in merged:
            rows = sorted_run.read(self.lake.path(file), self.vocabulary)
            lost = self._lost.get(file.path)
            parts.append(rows if lost is None else rows.take(_all_but(lost, len(rows))))
        rows = joined(parts)
        self.change.removed.extend(merged)
        if len(rows):
            name = self.lake.new_path(self.run, bucket)
            place = sorted_run.order(rows.keys, rows.occurred, rows.ids)
            sorted_run.write(self.lake.folder / name, rows.take(place), self.vocabulary, self.people)
            self.change.added.append(self.lake.written(name, len(rows), bucket))

    def _claims(self, rows: RunRows) -> EventIdClaims:
        return EventIdClaims(rows, of_texts(rows.ids), rows.prints(self.people, self.vocabulary))

    def _is_contested(self, prints: Words) -> Flags:
        if not len(self._contested):
            return np.zeros(len(prints), dtype=bool)
        return _within(tagged(prints, 0, self.arrivals.bits), self._contested)

    def _lose(self, path: str, at: NDArray[np.int64]) -> None:
        if len(at):
            self._lost[path] = np.concatenate([self._lost.get(path, np.empty(0, np.int64)), at])

    def _count(self, old: EventIdClaims | None, come: EventIdClaims, judgement: DeduplicationResult) -> None:
        with self._lock:
            self._tally(old, come, judgement)

    def _tally(self, old: EventIdClaims | None, come: EventIdClaims, judgement: DeduplicationResult) -> None:
        tally = np.bincount(come.rows.sources.astype(np.int64) * 4 + judgement.fates)
        for number in np.flatnonzero(tally).tolist():
            source = self.vocabulary.texts[number // 4].as_py(), number % 4
            self.change.fates[source] = self.change.fates.get(source, 0) + int(tally[number])
        at = np.flatnonzero(judgement.fates == REFUSED)
        if len(at):
            both = joined([claims.rows for claims in (old, come) if claims is not None])
            self.change.refused.append(self._refused(come.rows.take(at), both.take(judgement.rivals[at])))

    def _refused(self, rows: RunRows, rivals: RunRows) -> pa.Table:
        texts = self.vocabulary.texts
        mine, others = texts.take(pa.array(rows.sources)), texts.take(pa.array(rivals.sources))
        reasons = [
            f"source '{other}' uses this event_id for another kind of event than source '{name}': "
            f"prefix the id in the query, as in `'{name}-' || id as event_id`"
            for name, other in zip(mine.to_pylist(), others.to_pylist(), strict=True)
        ]
        names = self.arrivals.customers.names(rows.keys)
        return pa.Table.from_arrays(
            [mine.cast(pa.string()), as_json(as_table(rows, names, texts)), pa.array(reasons, pa.string())],
            schema=REFUSED_SCHEMA,
        )


def as_table(rows: RunRows, names: pa.Array, texts: pa.Array) -> pa.Table:
    """Rows as a table of events, as they came; without the columns of `RARE` that no row has."""

    def text(codes: NDArray[np.int32]) -> pa.Array:
        codes = sorted_run.filled(codes, len(rows))
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


def _claims_of(batch: StagedBatch) -> EventIdClaims:
    return EventIdClaims(batch.rows, batch.ids, (batch.first, batch.second))


def _together(parts: Sequence[EventIdClaims]) -> EventIdClaims:
    return EventIdClaims(
        joined([part.rows for part in parts]),
        (np.concatenate([part.ids[0] for part in parts]), np.concatenate([part.ids[1] for part in parts])),
        (np.concatenate([part.says[0] for part in parts]), np.concatenate([part.says[1] for part in parts])),
    )


def _within(values: Words, known: Words) -> Flags:
    """Which values are in a sorted, non-empty array."""
    found: Flags = known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values
    return found


def _all_but(lost: NDArray[np.int64], count: int) -> Flags:
    stay = np.ones(count, dtype=bool)
    stay[lost] = False
    return stay

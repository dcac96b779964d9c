"""Merges the staged rows of one ingest into the event table, bucket by bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import cpu_count
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from features.events.history import Codes
from features.ingestion.deduplication import REFUSED, DeduplicationResult, EventIdClaims, deduplicate
from features.ingestion.identity.conflicts import refused_ids
from features.ingestion.identity.presence import LeavingRows
from features.ingestion.identity.readings import superseded_readings
from features.ingestion.identity.retraction import RetractedIds, known_again, retract
from features.ingestion.identity.scopes import SENT
from features.ingestion.staging import StagedBatch, StagingArea, in_several_buckets, tagged
from features.ingestion.table_change import TableChange
from features.storage import row_order, sorted_run
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, of_texts
from features.storage.id_filters import FEW, IdFilters
from features.storage.sorted_run import RunRows, joined
from features.timeline import ALWAYS, Instants

Flags = NDArray[np.bool_]


class Ingestion:
    """Merges staged rows into the event table; `plan` writes files, the caller commits them.

    Rows that contradict each other are refused, or count `in_turn`: the later corrects the earlier. What
    `leaving` names is retracted at `now`, or deleted. Ids that are `fresh` are compared with none stored;
    few others are looked for only in the files that may hold them by `id_filters`.
    """

    def __init__(
        self,
        lake: Lake,
        arrivals: StagingArea,
        run: str,
        files: dict[int, list[File]],
        *,
        now: int,
        in_turn: bool = False,
        leaving: LeavingRows | None = None,
        fresh: bool = False,
        id_filters: IdFilters | None = None,
    ) -> None:
        self.id_filters = id_filters or IdFilters()
        self.lake, self.arrivals, self.run, self.in_turn, self.fresh = lake, arrivals, run, in_turn, fresh
        self.leaving, self.now = leaving or LeavingRows(), now
        self.vocabulary, self.scopes = arrivals.vocabulary, arrivals.scopes
        self.people = arrivals.customers.vocabulary.prints
        self.files = files
        self.change = TableChange()
        self._lost: dict[str, NDArray[np.int64]] = {}
        self._out: dict[str, Flags] = {}
        self._retracted: dict[str, NDArray[np.int64]] = {}
        self._retracted_before = RetractedIds(self.scopes, now)
        self._stays: dict[int, tuple[Flags, Instants]] = {}
        self._contested = np.empty(0, np.uint64)
        self._unknown: set[str] = set()
        """Files that hold none of the event ids given in this ingest."""
        self._lock = Lock()

    def plan(self, progress: Callable[[float], None]) -> TableChange:
        """Write the new files of every bucket that changes."""
        if self.leaving:
            self._take_out()
        self._contested = self._find_contested()
        if len(self._contested):
            self._settle_contested()
        done = 0
        with ThreadPoolExecutor(min(2, cpu_count() or 1)) as pool:
            for _ in pool.map(self._settle, range(self.arrivals.buckets)):
                done += 1
                progress(done / self.arrivals.buckets)
        return self.change

    def _take_out(self) -> None:
        for file in (file for files in self.files.values() for file in files):
            run = sorted_run.read_ids(self.lake.path(file), self.vocabulary)
            counted = run.counted()
            deleted = self.leaving.deleted(run.sources, self.scopes)
            retracted = counted & self.leaving.retracted(of_texts(run.ids)[0], run.sources, self.scopes)
            out = deleted | retracted
            if not out.any():
                continue
            self._out[file.path] = out
            self._lose(file.path, np.flatnonzero(deleted))
            if retracted.any():
                self._retracted[file.path] = np.flatnonzero(retracted)
            sources = run.sources[out & counted]
            for (name, _), rows in self._by_source(sources, np.zeros(len(sources), np.int8)).items():
                self.change.taken_out[name] = self.change.taken_out.get(name, 0) + rows

    def _stored(self, file: File) -> tuple[NDArray[np.int64], Words, Codes]:
        """The rows of a file that count and do not leave, the fingerprints of their ids and their sources."""
        run = sorted_run.read_ids(self.lake.path(file), self.vocabulary)
        prints, out = of_texts(run.ids)[0], self._out.get(file.path)
        if out is None and not len(run.retracted):
            return np.arange(len(prints)), prints, run.sources
        stays = np.ones(len(prints), dtype=bool) if out is None else ~out
        before = np.flatnonzero(stays & ~run.counted())
        scoped = prints[before] ^ self.scopes.words(run.sources[before])
        self._retracted_before.note(file.path, scoped)
        at = np.flatnonzero(stays & run.counted())
        return at, prints[at], run.sources[at]

    # An event id may move to another customer, and so to another bucket. Those few ids are found and
    # settled first, all together; every other id concerns one bucket only.
    def _find_contested(self) -> Words:
        across, bits = self.arrivals.across(), self.arrivals.bits
        if self.fresh or not len(across):
            return across[:0]
        low = np.uint64((1 << bits) - 1)
        found = [in_several_buckets(across, low)]

        given = self.arrivals.given_ids() if len(across) <= FEW else None
        self.id_filters.keep([file.path for files in self.files.values() for file in files])

        def elsewhere(bucket: int) -> Words:
            parts = [np.empty(0, np.uint64)]
            for file in self.files.get(bucket, ()):
                if given is not None and not self.id_filters.may_hold(
                    file.path, given, partial(sorted_run.id_prints, self.lake.path(file))
                ):
                    self._unknown.add(file.path)
                    continue
                _, prints, sources = self._stored(file)
                here = np.sort(tagged(prints ^ self.scopes.words(sources), 0, bits))
                at = np.minimum(np.searchsorted(across, here), len(across) - 1)
                known = across[at] & ~low == here
                # What is sent live may be an event of any source.
                sent_live = self.arrivals.has(SENT) or (sources == self.scopes.code(SENT)).any()
                if not known.any() and not sent_live:
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
                live, prints, sources = self._stored(file)
                at = live[self._is_contested(prints, sources)]
                if len(at):
                    stored.append(self._claims(sorted_run.read(path, self.vocabulary).take(at)))
                    places.append((file.path, at))
            batch = self.arrivals.bucket(bucket)
            if batch is not None:
                at = np.flatnonzero(self._is_contested(batch.ids[0], batch.rows.sources))
                arrived.append(self._claims_of(batch).take(at))
                order.append(batch.arrival[at])
                origins.append((bucket, at, len(batch.rows)))
        sequence = np.argsort(np.concatenate(order), kind="stable")
        old, come = _together(stored) if stored else None, _together(arrived).take(sequence)
        judgement = self._judge(old, come)
        start = 0
        for name, at in places:
            self._lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stay, again = np.empty(len(sequence), dtype=bool), np.empty(len(sequence), np.int64)
        stay[sequence] = judgement.arrived_stay
        again[sequence] = self._retracted_before.came_back(old, come, judgement)
        start = 0
        for bucket, at, count in origins:
            stays, moments = np.zeros(count, dtype=bool), np.full(count, ALWAYS)
            stays[at] = stay[start : start + len(at)]
            moments[at] = again[start : start + len(at)]
            self._stays[bucket] = stays, moments
            start += len(at)

    def _settle(self, bucket: int) -> None:
        batch = self.arrivals.bucket(bucket)
        self._write(bucket, None if batch is None else self._newcomers(bucket, batch))

    def _newcomers(self, bucket: int, batch: StagedBatch) -> RunRows:
        """The rows that arrived and go into the table."""
        if self.fresh:
            return batch.rows
        count = len(batch.rows)
        stays, again = self._stays.get(bucket, (np.zeros(count, dtype=bool), np.full(count, ALWAYS)))
        arrived, mine = self._claims_of(batch), np.arange(len(stays))
        if len(self._contested):
            mine = np.flatnonzero(~self._is_contested(batch.ids[0], batch.rows.sources))
            arrived = arrived.take(mine)
        known = np.sort(arrived.ids[0])
        stored, places = [], []
        for file in self.files.get(bucket, ()) if len(known) else ():
            path = self.lake.path(file)
            if not self._may_know(file, batch):
                continue
            live, prints, sources = self._stored(file)
            at = live[_within(prints, known) & ~self._is_contested(prints, sources)]
            if len(at):
                stored.append(self._claims(sorted_run.read(path, self.vocabulary).take(at)))
                places.append((file.path, at))
        old = _together(stored) if stored else None
        judgement = self._judge(old, arrived)
        start = 0
        for name, at in places:
            self._lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stays[mine] = judgement.arrived_stay
        again[mine] = self._retracted_before.came_back(old, arrived, judgement)
        again[self._newer_readings(bucket, batch)] = self.now
        return known_again(batch.rows.take(stays), again[stays])

    def _newer_readings(self, bucket: int, batch: StagedBatch) -> NDArray[np.int64]:
        """The rows of attributes that say something new of their moment; what they supersede is retracted."""
        paths = {file.path: self.lake.path(file) for file in self.files.get(bucket, ())}
        superseded, at = superseded_readings(paths, batch.rows, batch.nameless, self.vocabulary, self._out)
        for name, gone in superseded.items():
            self._retracted[name] = np.union1d(self._retracted.get(name, _NOWHERE), gone)
        return at

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
        merged = [file for file in files if file.path in self._lost or file.path in self._retracted]
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
            if (gone := self._retracted.get(file.path)) is not None:
                rows = retract(rows, gone, self.now)
            lost = self._lost.get(file.path)
            parts.append(rows if lost is None else rows.take(_all_but(lost, len(rows))))
        rows = joined(parts)
        self.change.removed.extend(merged)
        if len(rows):
            name = self.lake.new_path(self.run, bucket)
            place = row_order.order(rows.keys, rows.occurred, rows.ids)
            sorted_run.write(self.lake.folder / name, rows.take(place), self.vocabulary, self.people)
            self.change.added.append(self.lake.written(name, len(rows), bucket))

    def _claims(self, rows: RunRows) -> EventIdClaims:
        says = rows.prints(self.people, self.vocabulary)
        return EventIdClaims(rows, of_texts(rows.ids), says, self.scopes.codes(rows.sources), _NOWHERE)

    def _claims_of(self, batch: StagedBatch) -> EventIdClaims:
        scopes = self.scopes.codes(batch.rows.sources)
        return EventIdClaims(batch.rows, batch.ids, (batch.first, batch.second), scopes, batch.arrival)

    def _is_contested(self, prints: Words, sources: Codes) -> Flags:
        if not len(self._contested):
            return np.zeros(len(prints), dtype=bool)
        scoped = tagged(prints ^ self.scopes.words(sources), 0, self.arrivals.bits)
        return _within(scoped, self._contested)

    def _lose(self, path: str, at: NDArray[np.int64]) -> None:
        if len(at):
            self._lost[path] = np.concatenate([self._lost.get(path, np.empty(0, np.int64)), at])

    def _judge(self, old: EventIdClaims | None, come: EventIdClaims) -> DeduplicationResult:
        judgement = deduplicate(old, come, marks=self.arrivals.marks, in_turn=self.in_turn)
        with self._lock:
            self._tally(old, come, judgement)
        return judgement

    def _tally(self, old: EventIdClaims | None, come: EventIdClaims, judgement: DeduplicationResult) -> None:
        for (name, fate), rows in self._by_source(come.rows.sources, judgement.fates).items():
            self.change.fates[name, fate] = self.change.fates.get((name, fate), 0) + rows
        several = come.rows.sources[judgement.several]
        for (name, _), ids in self._by_source(several, np.zeros(len(several), np.int8)).items():
            self.change.several[name] = self.change.several.get(name, 0) + ids
        at = np.flatnonzero(judgement.fates == REFUSED)
        if len(at):
            both = joined([claims.rows for claims in (old, come) if claims is not None])
            rivals = both.take(judgement.rivals[at])
            names = self.arrivals.customers.names
            self.change.refused.append(refused_ids(come.rows.take(at), rivals, names, self.vocabulary.texts))

    def _by_source(self, sources: Codes, fates: NDArray[np.int8]) -> dict[tuple[str, int], int]:
        """How many rows of each source had each fate."""
        tally = np.bincount(sources.astype(np.int64) * 4 + fates)
        texts = self.vocabulary.texts
        return {
            (texts[number // 4].as_py(), number % 4): int(tally[number])
            for number in np.flatnonzero(tally).tolist()
        }


def _together(parts: Sequence[EventIdClaims]) -> EventIdClaims:
    return EventIdClaims(
        joined([part.rows for part in parts]),
        (np.concatenate([part.ids[0] for part in parts]), np.concatenate([part.ids[1] for part in parts])),
        (np.concatenate([part.says[0] for part in parts]), np.concatenate([part.says[1] for part in parts])),
        np.concatenate([part.scopes for part in parts]),
        np.concatenate([part.arrival for part in parts]),
    )


_NOWHERE: NDArray[np.int64] = np.empty(0, np.int64)


def _within(values: Words, known: Words) -> Flags:
    """Which values are in a sorted, non-empty array."""
    found: Flags = known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values
    return found


def _all_but(lost: NDArray[np.int64], count: int) -> Flags:
    stay = np.ones(count, dtype=bool)
    stay[lost] = False
    return stay

"""Merges the staged rows of one bucket into its files: deduplicates, sorts, and writes the bucket's new file.

What was found over all buckets before (`Findings`) says which rows leave, and which event ids moved here from
another bucket. A bucket needs nothing else of any other bucket, so that another process can do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.history import Codes
from features.ingestion.deduplication import REFUSED, DeduplicationResult, EventIdClaims, deduplicate
from features.ingestion.identity.readings import superseded_readings
from features.ingestion.identity.retraction import RetractedIds, known_again, retract
from features.ingestion.identity.scopes import SENT, EventIdScopes
from features.ingestion.merging.table_change import TableChange
from features.ingestion.staged_batch import StagedBatch
from features.ingestion.staging import tagged
from features.storage import row_order, sorted_run
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, of_texts
from features.storage.row_order import Rowset
from features.storage.sorted_run import RunRows, joined
from features.storage.string_dictionary import StringDictionary
from features.timeline import ALWAYS, Instants

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


class Arrivals(Protocol):
    """The staged rows of an ingest, as far as the merge of a bucket asks for them."""

    buckets: int
    vocabulary: StringDictionary
    scopes: EventIdScopes

    @property
    def people(self) -> tuple[Words, Words]:
        """The fingerprints of customer ids, by key."""

    @property
    def bits(self) -> int:
        """How many low bits of a fingerprint name the bucket (`tagged`)."""

    def bucket(self, bucket: int) -> StagedBatch | None:
        """The rows that arrived for a bucket, or None."""

    def marks(self, arrival: Rowset) -> NDArray[np.float64]:
        """The place of each row in the order of its watermark, by when it arrived; NaN where it has none."""


@dataclass(frozen=True)
class MergeSettings:
    """What an ingest says of how rows are merged."""

    run: str
    now: int
    in_turn: bool = False
    """Of rows that contradict each other the last counts; else none does."""
    fresh: bool = False
    """Whether the event ids can be compared with none stored."""


@dataclass
class Findings:
    """What is known of rows before their bucket is merged, by file and by bucket; empty where nothing is."""

    lost: dict[str, Places] = field(default_factory=dict)
    """Rows of a file that are deleted."""
    out: dict[str, Flags] = field(default_factory=dict)
    """Which rows of a file leave: they are deleted or retracted."""
    retracted: dict[str, Places] = field(default_factory=dict)
    """Rows of a file that are retracted now."""
    stays: dict[int, tuple[Flags, Instants]] = field(default_factory=dict)
    """Of a bucket which rows with a contested event id stay, and since when they are known again."""
    contested: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    """The sorted fingerprints of event ids that concern several buckets."""
    unknown: set[str] = field(default_factory=set)
    """Files that hold none of the event ids given in this ingest."""


@dataclass(frozen=True, eq=False)
class GivenIds:
    """The event ids that rows of an ingest came with."""

    across: Words
    """Sorted fingerprints, mixed with their scopes, the lowest `bits` of each replaced by its bucket."""
    bits: int
    sent: bool
    """Whether some were sent live."""

    def near(self, scoped: Words) -> tuple[Flags, Words]:
        """Of fingerprints without lowest bits: which came, and what stands at their place of `across`."""
        there = self.across[np.minimum(np.searchsorted(self.across, scoped), len(self.across) - 1)]
        return tagged(there, 0, self.bits) == scoped, there


@dataclass(frozen=True, eq=False)
class RefusedClaims:
    """Rows refused for their event id, the rows that they contradict, and the texts of their codes."""

    rows: RunRows
    rivals: RunRows
    texts: pa.Array


class BucketMerge:
    """Merges buckets of staged rows into an event table; writes files, and commits nothing."""

    def __init__(
        self,
        lake: Lake,
        arrivals: Arrivals,
        files: Mapping[int, Sequence[File]],
        settings: MergeSettings,
        findings: Findings | None = None,
    ) -> None:
        self.lake, self.arrivals, self.files, self.settings = lake, arrivals, files, settings
        self.vocabulary, self.scopes, self.people = arrivals.vocabulary, arrivals.scopes, arrivals.people
        self.findings = findings or Findings()
        self.retracted_before = RetractedIds(self.scopes, settings.now)
        self.change = TableChange()
        self.refused: list[RefusedClaims] = []
        self._lock = Lock()

    def foreign_ids(self, bucket: int, given: GivenIds, may_hold: Callable[[File], bool]) -> Words:
        """The fingerprints of stored event ids of a bucket that came for another one, without lowest bits.

        Notes the files that hold none of those that came; `may_hold` says of a file whether to read it.
        """
        parts = [np.empty(0, np.uint64)]
        for file in self.files.get(bucket, ()):
            if not may_hold(file):
                self.findings.unknown.add(file.path)
                continue
            _, prints, sources = self.stored(file)
            here = np.sort(tagged(prints ^ self.scopes.words(sources), 0, given.bits))
            known, there = given.near(here)
            # What is sent live may be an event of any source.
            sent_live = given.sent or (sources == self.scopes.code(SENT)).any()
            if not known.any() and not sent_live:
                self.findings.unknown.add(file.path)
            parts.append(here[known & (there != tagged(here, bucket, given.bits))])
        return np.concatenate(parts)

    def merge(self, bucket: int) -> None:
        """Write the new file of a bucket, where it changes."""
        batch = self.arrivals.bucket(bucket)
        self._write(bucket, None if batch is None else self._newcomers(bucket, batch))

    def stored(self, file: File) -> tuple[NDArray[np.int64], Words, Codes]:
        """The rows of a file that count and do not leave, the fingerprints of their ids and their sources."""
        run = sorted_run.read_ids(self.lake.path(file), self.vocabulary)
        prints, out = of_texts(run.ids)[0], self.findings.out.get(file.path)
        if out is None and not len(run.retracted):
            return np.arange(len(prints)), prints, run.sources
        stays = np.ones(len(prints), dtype=bool) if out is None else ~out
        before = np.flatnonzero(stays & ~run.counted())
        scoped = prints[before] ^ self.scopes.words(run.sources[before])
        self.retracted_before.note(file.path, scoped)
        at = np.flatnonzero(stays & run.counted())
        return at, prints[at], run.sources[at]

    def _newcomers(self, bucket: int, batch: StagedBatch) -> RunRows:
        """The rows that arrived and go into the table."""
        if self.settings.fresh:
            return batch.rows
        count = len(batch.rows)
        stays, again = self.findings.stays.get(bucket, (np.zeros(count, dtype=bool), np.full(count, ALWAYS)))
        arrived, mine = self.claims_of(batch), np.arange(len(stays))
        if len(self.findings.contested):
            mine = np.flatnonzero(~self.is_contested(batch.ids[0], batch.rows.sources))
            arrived = arrived.take(mine)
        known = np.sort(arrived.ids[0])
        stored, places = [], []
        for file in self.files.get(bucket, ()) if len(known) else ():
            path = self.lake.path(file)
            if not self._may_know(file, batch):
                continue
            live, prints, sources = self.stored(file)
            at = live[_within(prints, known) & ~self.is_contested(prints, sources)]
            if len(at):
                stored.append(self.claims(sorted_run.read(path, self.vocabulary).take(at)))
                places.append((file.path, at))
        old = together(stored) if stored else None
        judgement = self.judge(old, arrived)
        start = 0
        for name, at in places:
            self.lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stays[mine] = judgement.arrived_stay
        again[mine] = self.retracted_before.came_back(old, arrived, judgement)
        again[self._newer_readings(bucket, batch)] = self.settings.now
        return known_again(batch.rows.take(stays), again[stays])

    def _newer_readings(self, bucket: int, batch: StagedBatch) -> NDArray[np.int64]:
        """The rows of attributes that say something new of their moment; what they supersede is retracted."""
        paths = {file.path: self.lake.path(file) for file in self.files.get(bucket, ())}
        superseded, at = superseded_readings(
            paths, batch.rows, batch.nameless, self.vocabulary, self.findings.out
        )
        for name, gone in superseded.items():
            self.findings.retracted[name] = np.union1d(self.findings.retracted.get(name, _NOWHERE), gone)
        return at

    def _may_know(self, file: File, batch: StagedBatch) -> bool:
        """Whether a file may hold an id of the batch; a derived id includes when the event occurred."""
        if file.path not in self.findings.unknown and not batch.nameless.all():
            return True
        occurred = batch.rows.occurred[batch.nameless]
        if not len(occurred):
            return False
        first, last = sorted_run.span(self.lake.path(file))
        return bool(first <= occurred.max() and occurred.min() <= last)

    def _write(self, bucket: int, fresh: RunRows | None) -> None:
        files = self.files.get(bucket, ())
        parts = [fresh] if fresh is not None and len(fresh) else []
        merged = [
            file for file in files if file.path in self.findings.lost or file.path in self.findings.retracted
        ]
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
            if (gone := self.findings.retracted.get(file.path)) is not None:
                rows = retract(rows, gone, self.settings.now)
            lost = self.findings.lost.get(file.path)
            parts.append(rows if lost is None else rows.take(_all_but(lost, len(rows))))
        rows = joined(parts)
        self.change.removed.extend(merged)
        if len(rows):
            name = self.lake.new_path(self.settings.run, bucket)
            place = row_order.order(rows.keys, rows.occurred, rows.ids)
            sorted_run.write(self.lake.folder / name, rows.take(place), self.vocabulary, self.people)
            self.change.added.append(self.lake.written(name, len(rows), bucket))

    def claims(self, rows: RunRows) -> EventIdClaims:
        says = rows.prints(self.people, self.vocabulary)
        return EventIdClaims(rows, of_texts(rows.ids), says, self.scopes.codes(rows.sources), _NOWHERE)

    def claims_of(self, batch: StagedBatch) -> EventIdClaims:
        scopes = self.scopes.codes(batch.rows.sources)
        return EventIdClaims(batch.rows, batch.ids, (batch.first, batch.second), scopes, batch.arrival)

    def is_contested(self, prints: Words, sources: Codes) -> Flags:
        if not len(self.findings.contested):
            return np.zeros(len(prints), dtype=bool)
        scoped = tagged(prints ^ self.scopes.words(sources), 0, self.arrivals.bits)
        return _within(scoped, self.findings.contested)

    def lose(self, path: str, at: NDArray[np.int64]) -> None:
        if len(at):
            self.findings.lost[path] = np.concatenate(
                [self.findings.lost.get(path, np.empty(0, np.int64)), at]
            )

    def judge(self, old: EventIdClaims | None, come: EventIdClaims) -> DeduplicationResult:
        judgement = deduplicate(old, come, marks=self.arrivals.marks, in_turn=self.settings.in_turn)
        with self._lock:
            self._tally(old, come, judgement)
        return judgement

    def _tally(self, old: EventIdClaims | None, come: EventIdClaims, judgement: DeduplicationResult) -> None:
        for (name, fate), rows in self.by_source(come.rows.sources, judgement.fates).items():
            self.change.fates[name, fate] = self.change.fates.get((name, fate), 0) + rows
        several = come.rows.sources[judgement.several]
        for (name, _), ids in self.by_source(several, np.zeros(len(several), np.int8)).items():
            self.change.several[name] = self.change.several.get(name, 0) + ids
        at = np.flatnonzero(judgement.fates == REFUSED)
        if len(at):
            both = joined([claims.rows for claims in (old, come) if claims is not None])
            rivals = both.take(judgement.rivals[at])
            self.refused.append(RefusedClaims(come.rows.take(at), rivals, self.vocabulary.texts))

    def by_source(self, sources: Codes, fates: NDArray[np.int8]) -> dict[tuple[str, int], int]:
        """How many rows of each source had each fate."""
        tally = np.bincount(sources.astype(np.int64) * 4 + fates)
        texts = self.vocabulary.texts
        return {
            (texts[number // 4].as_py(), number % 4): int(tally[number])
            for number in np.flatnonzero(tally).tolist()
        }


def together(parts: Sequence[EventIdClaims]) -> EventIdClaims:
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

"""Merging buckets of an ingest in other processes: the tasks, and what travels to them.

A task is one bucket. `ForeignIds` reads which event ids the bucket's files hold; `MergeTask` compares the
rows that arrived with these files, deduplicates, sorts and writes the bucket's new file. Both can be done
again, and twice at a time: a file has a name of its own, which counts only by the commit of the run. Sources
are read and staged where the command runs, which also decides what concerns several buckets, and commits.

Staged rows and findings travel through the storage of the state, below `arriving-RUN/`, which is deleted at
the end, or by the next run. What comes back are names of files, counts and the rows that were refused.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from features.errors import ConfigurationError, KizunaError
from features.ingestion.identity.scopes import EventIdScopes
from features.ingestion.merging.bucket_merge import (
    BucketMerge,
    Findings,
    GivenIds,
    MergeSettings,
    RefusedClaims,
)
from features.ingestion.merging.sent_bucket import BucketFacts, SentRows
from features.ingestion.merging.table_change import TableChange
from features.ingestion.staged_batch import read_staged, staged_batch
from features.ingestion.staging import StagingArea, tagged
from features.storage.backends.local_folder import LocalFolder
from features.storage.backends.storage import Storage
from features.storage.damage import newest_files
from features.storage.delta_table import File
from features.storage.hashing import Words
from features.storage.sorted_run import RUN_SCHEMA
from features.storage.store_place import StorePlace
from features.storage.string_dictionary import StringDictionary
from features.storage.writer_turn import turn_lost, writing_run

Result = TypeVar("Result")
GIVEN, VOCABULARY, SHARED = "given.npy", "vocabulary.arrows", "shared.npz"
"""Files that every task reads."""


class BucketRunner(Protocol):
    """Runs a task for each of some buckets elsewhere, and again where a process ends."""

    def run_buckets(
        self,
        task: Callable[[int], Result],
        buckets: Sequence[int],
        prepare: Callable[[int], None] | None = None,
    ) -> Iterator[Result]:
        """The results in the order of the buckets; `prepare` is called before a bucket is sent."""


def working_name(run: str, name: str = "") -> str:
    """The name in the state's storage of a working file of a run, or of them all as a prefix."""
    return f"arriving-{run}/{name}"


def delete_working_files(storage: Storage, run: str) -> None:
    """Delete what a run put into the storage for its tasks."""
    storage.delete([file.name for file in storage.files(working_name(run))])


@dataclass(frozen=True)
class _BucketTask:
    """What the tasks of an ingest know: the store by its address, and the files of its buckets."""

    address: str
    buckets: int
    files: Mapping[int, Sequence[File]]
    settings: MergeSettings
    shared: frozenset[str]
    """Sources that share their event ids."""

    @contextmanager
    def _place(self, bucket: int) -> Iterator[StorePlace]:
        """The store, as long as the run has the turn to write to it."""
        place, run = StorePlace(self.address), self.settings.run
        folder = place.storage.folder / working_name(run)
        if isinstance(place.storage, LocalFolder) and not folder.is_dir():
            raise ConfigurationError(
                f"cannot read bucket {bucket} on {platform.node()}: there is no folder {folder} there. Mount "
                "the state folder at the same path on every worker, or keep the state in an object store."
            )
        if writing_run(place.storage) != run:
            raise turn_lost(place.storage.location)
        try:
            yield place
        except PermissionError as error:
            raise ConfigurationError(
                f"cannot write bucket {bucket} on {platform.node()}: {error.strerror} in "
                f"{place.storage.location}. Let every worker write to the state."
            ) from None

    def _merge(self, place: StorePlace, arrivals: SentRows, findings: Findings | None = None) -> BucketMerge:
        lake = place.table("events", RUN_SCHEMA, buckets=self.buckets)
        return BucketMerge(lake, arrivals, self.files, self.settings, findings)


@dataclass(frozen=True)
class ForeignIds(_BucketTask):
    """Finds the stored event ids of a bucket that came for another one."""

    bits: int
    sent: bool

    def __call__(self, bucket: int) -> _FoundIds:
        with self._place(bucket) as place:
            path = place.storage.local_copy(working_name(self.settings.run, GIVEN))
            given = GivenIds(np.load(path, mmap_mode="r", allow_pickle=False), self.bits, self.sent)
            vocabulary = StringDictionary()
            scopes = EventIdScopes(vocabulary, self.shared)
            facts = BucketFacts.read(
                place.storage.local_copy(working_name(self.settings.run, f"{bucket}.npz"))
            )
            findings = facts.findings(bucket, self.files[bucket], given.across[:0])
            merge = self._merge(place, SentRows(self.buckets, vocabulary, scopes), findings)
            with newest_files(merge.lake):
                foreign = merge.foreign_ids(bucket, given, lambda _: True)
            retracted = merge.retracted_before.scoped()
            came, _ = given.near(tagged(retracted, 0, self.bits))
            return _FoundIds(foreign, sorted(merge.findings.unknown), retracted[came])


@dataclass(frozen=True)
class MergeTask(_BucketTask):
    """Merges the rows that arrived for a bucket into its files."""

    left_out: tuple[str, ...]
    by_source: bool

    def __call__(self, bucket: int) -> _MergedBucket:
        with self._place(bucket) as place:
            storage, run = place.storage, self.settings.run

            def fetched(name: str) -> Path:
                return storage.local_copy(working_name(run, name))

            vocabulary = StringDictionary(read_staged(fetched(VOCABULARY))["text"])
            scopes = EventIdScopes(vocabulary, self.shared)
            facts = BucketFacts.read(fetched(f"{bucket}.npz"))
            with np.load(fetched(SHARED), allow_pickle=False) as shared:
                contested, retracted = shared["contested"], shared["retracted"]
            staged = [read_staged(fetched(name)) for name in facts.staged]
            batch = (
                staged_batch(staged, vocabulary, self.left_out, by_source=self.by_source) if staged else None
            )
            arrivals = SentRows(self.buckets, vocabulary, scopes, facts, bucket, batch)
            findings = facts.findings(bucket, self.files.get(bucket, ()), contested)
            merge = self._merge(place, arrivals, findings)
            merge.retracted_before.note("", retracted)
            with newest_files(merge.lake):
                merge.merge(bucket)
            if writing_run(storage) != run:
                merge.lake.storage.delete([file.path for file in merge.change.added])
                raise turn_lost(storage.location)
            return _MergedBucket(merge.change, merge.refused)


@dataclass(frozen=True, eq=False)
class _FoundIds:
    """What a bucket's files hold of the event ids that came."""

    foreign: Words
    unknown: list[str]
    """Files that hold none of them."""
    retracted: Words
    """Of those that came the ones that an earlier ingest retracted."""


@dataclass(frozen=True, eq=False)
class _MergedBucket:
    """The files that a bucket gains and loses, and the rows that were refused."""

    change: TableChange
    refused: list[RefusedClaims]


class BucketSender:
    """Has the buckets of a run merged elsewhere, and gathers what was found and written."""

    def __init__(self, runner: BucketRunner, place: StorePlace, run: str, shared: Sequence[str] = ()) -> None:
        self.runner, self.place, self.run, self.shared = runner, place, run, frozenset(shared)

    def foreign_ids(self, merge: BucketMerge, given: GivenIds) -> list[Words]:
        """`BucketMerge.foreign_ids` of every bucket with files."""
        buckets = sorted(bucket for bucket, files in merge.files.items() if files)
        task = ForeignIds(*self._about(merge), given.bits, given.sent)
        with self._working_files() as folder:
            np.save(folder / GIVEN, given.across)
            self._send(GIVEN)

            def prepare(bucket: int) -> None:
                BucketFacts.of(bucket, merge).write(folder / f"{bucket}.npz")
                self._send(f"{bucket}.npz")

            found = list(self.runner.run_buckets(task, buckets, prepare))
        for bucket, ids in zip(buckets, found, strict=True):
            merge.findings.unknown |= set(ids.unknown)
            merge.retracted_before.note(f"bucket {bucket}", ids.retracted)
        return [ids.foreign for ids in found]

    def merge(self, merge: BucketMerge, arrivals: StagingArea, progress: Callable[[float], None]) -> None:
        """Merge every bucket that rows arrived for, or that rows leave."""
        leaving = merge.findings.lost.keys() | merge.findings.retracted.keys()
        buckets = [
            bucket
            for bucket in range(arrivals.buckets)
            if arrivals.files(bucket) or any(file.path in leaving for file in merge.files.get(bucket, ()))
        ]
        task = MergeTask(*self._about(merge), arrivals.left_out, arrivals.by_source)
        with self._working_files() as folder:
            texts = pa.table({"text": merge.vocabulary.texts})
            with pa.ipc.new_stream(str(folder / VOCABULARY), texts.schema) as stream:
                stream.write_table(texts)
            retracted = merge.retracted_before.scoped()
            np.savez(folder / SHARED, contested=merge.findings.contested, retracted=retracted)
            for name in (VOCABULARY, SHARED):
                self._send(name)

            def prepare(bucket: int) -> None:
                facts = BucketFacts.of(bucket, merge, arrivals)
                facts.write(folder / f"{bucket}.npz")
                for name in (*facts.staged, f"{bucket}.npz"):
                    self._send(name)

            for done, one in enumerate(self.runner.run_buckets(task, buckets, prepare), start=1):
                merge.change.add(one.change)
                merge.refused += one.refused
                progress(done / len(buckets))

    def _about(
        self, merge: BucketMerge
    ) -> tuple[str, int, Mapping[int, Sequence[File]], MergeSettings, frozenset[str]]:
        return self.place.name, merge.arrivals.buckets, merge.files, merge.settings, self.shared

    def _send(self, name: str) -> None:
        self.place.storage.add_file(working_name(self.run, name))

    @contextmanager
    def _working_files(self) -> Iterator[Path]:
        """The folder whose files `_send` takes; what was sent is deleted afterwards."""
        folder = self.place.storage.folder / working_name(self.run)
        try:
            yield folder
        except BaseException:
            with suppress(KizunaError):  # else the next run deletes them
                self._delete()
            raise
        self._delete()

    def _delete(self) -> None:
        if not isinstance(self.place.storage, LocalFolder):  # there they are the staging area itself
            delete_working_files(self.place.storage, self.run)

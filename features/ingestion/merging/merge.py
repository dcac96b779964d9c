"""Merges the staged rows of one ingest into the event table: what concerns several buckets, then each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import cpu_count

import numpy as np

from features.ingestion.identity.conflicts import refused_ids
from features.ingestion.identity.presence import LeavingRows
from features.ingestion.identity.scopes import SENT
from features.ingestion.merging.bucket_merge import BucketMerge, GivenIds, MergeSettings, together
from features.ingestion.merging.bucket_tasks import BucketSender
from features.ingestion.merging.table_change import TableChange
from features.ingestion.staging import StagingArea, in_several_buckets
from features.storage import sorted_run
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, of_texts
from features.storage.id_filters import FEW, IdFilters
from features.timeline import ALWAYS


class Ingestion:
    """Merges staged rows into the event table; `plan` writes files, the caller commits them.

    What `leaving` names is retracted at `now`, or deleted. Few event ids are looked for only in the files
    that may hold them by `id_filters`. With a `sender` other processes read and write the buckets' files.
    """

    def __init__(
        self,
        lake: Lake,
        arrivals: StagingArea,
        files: dict[int, list[File]],
        settings: MergeSettings,
        *,
        leaving: LeavingRows | None = None,
        id_filters: IdFilters | None = None,
        sender: BucketSender | None = None,
    ) -> None:
        self.arrivals, self.leaving, self.sender = arrivals, leaving or LeavingRows(), sender
        self.id_filters = id_filters or IdFilters()
        self.merge = BucketMerge(lake, arrivals, files, settings)

    def plan(self, progress: Callable[[float], None]) -> TableChange:
        """Write the new files of every bucket that changes."""
        if self.leaving:
            self._take_out(self.leaving)
        self.merge.findings.contested = self._find_contested()
        if len(self.merge.findings.contested):
            self._settle_contested()
        if self.sender is not None:
            self.sender.merge(self.merge, self.arrivals, progress)
        else:
            with ThreadPoolExecutor(_threads()) as pool:
                for done, _ in enumerate(pool.map(self.merge.merge, range(self.arrivals.buckets)), start=1):
                    progress(done / self.arrivals.buckets)
        names = self.arrivals.customers.names
        self.merge.change.refused += [
            refused_ids(refused.rows, refused.rivals, names, refused.texts) for refused in self.merge.refused
        ]
        return self.merge.change

    def _take_out(self, leaving: LeavingRows) -> None:
        """Find the rows that leave, in every file."""
        findings, change = self.merge.findings, self.merge.change
        for file in (file for files in self.merge.files.values() for file in files):
            run = sorted_run.read_ids(self.merge.lake.path(file), self.merge.vocabulary)
            counted = run.counted()
            deleted = leaving.deleted(run.sources, self.merge.scopes)
            retracted = counted & leaving.retracted(of_texts(run.ids)[0], run.sources, self.merge.scopes)
            out = deleted | retracted
            if not out.any():
                continue
            findings.out[file.path] = out
            self.merge.lose(file.path, np.flatnonzero(deleted))
            if retracted.any():
                findings.retracted[file.path] = np.flatnonzero(retracted)
            sources = run.sources[out & counted]
            for (name, _), rows in self.merge.by_source(sources, np.zeros(len(sources), np.int8)).items():
                change.taken_out[name] = change.taken_out.get(name, 0) + rows

    # An event id may move to another customer, and so to another bucket. Those few ids are found and
    # settled first, all together; every other id concerns one bucket only.
    def _find_contested(self) -> Words:
        given = GivenIds(self.arrivals.across(), self.arrivals.bits, self.arrivals.has(SENT))
        across, files = given.across, self.merge.files
        if self.merge.settings.fresh or not len(across):
            return across[:0]
        found = [in_several_buckets(across, np.uint64((1 << given.bits) - 1))]
        if self.sender is not None:
            found += self.sender.foreign_ids(self.merge, given)
            return np.unique(np.concatenate(found))
        few = self.arrivals.given_ids() if len(across) <= FEW else None
        self.id_filters.keep([file.path for of_bucket in files.values() for file in of_bucket])

        def may_hold(file: File) -> bool:
            prints = partial(sorted_run.id_prints, self.merge.lake.path(file))
            return few is None or self.id_filters.may_hold(file.path, few, prints)

        with ThreadPoolExecutor(_threads()) as pool:
            found += pool.map(lambda bucket: self.merge.foreign_ids(bucket, given, may_hold), files)
        return np.unique(np.concatenate(found))

    def _settle_contested(self) -> None:
        """Judge the rows of contested event ids, of all buckets together."""
        merge = self.merge
        stored, places, arrived, order, origins = [], [], [], [], []
        for bucket in range(self.arrivals.buckets):
            for file in merge.files.get(bucket, ()):
                if file.path in merge.findings.unknown:
                    continue
                path = merge.lake.path(file)
                live, prints, sources = merge.stored(file)
                at = live[merge.is_contested(prints, sources)]
                if len(at):
                    stored.append(merge.claims(sorted_run.read(path, merge.vocabulary).take(at)))
                    places.append((file.path, at))
            batch = self.arrivals.bucket(bucket)
            if batch is not None:
                at = np.flatnonzero(merge.is_contested(batch.ids[0], batch.rows.sources))
                arrived.append(merge.claims_of(batch).take(at))
                order.append(batch.arrival[at])
                origins.append((bucket, at, len(batch.rows)))
        sequence = np.argsort(np.concatenate(order), kind="stable")
        old, come = together(stored) if stored else None, together(arrived).take(sequence)
        judgement = merge.judge(old, come)
        start = 0
        for name, at in places:
            merge.lose(name, at[~judgement.stored_stay[start : start + len(at)]])
            start += len(at)
        stay, again = np.empty(len(sequence), dtype=bool), np.empty(len(sequence), np.int64)
        stay[sequence] = judgement.arrived_stay
        again[sequence] = merge.retracted_before.came_back(old, come, judgement)
        start = 0
        for bucket, at, count in origins:
            stays, moments = np.zeros(count, dtype=bool), np.full(count, ALWAYS)
            stays[at] = stay[start : start + len(at)]
            moments[at] = again[start : start + len(at)]
            merge.findings.stays[bucket] = stays, moments
            start += len(at)


def _threads() -> int:
    return min(2, cpu_count() or 1)

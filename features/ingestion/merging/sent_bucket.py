"""What travels of one bucket to the process that merges it: arrays in a file, and its staged rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.ingestion.identity.scopes import EventIdScopes
from features.ingestion.merging.bucket_merge import BucketMerge, Findings
from features.ingestion.staged_batch import StagedBatch
from features.ingestion.staging import StagingArea
from features.storage.delta_table import File
from features.storage.hashing import Words
from features.storage.row_order import Rowset
from features.storage.string_dictionary import StringDictionary


@dataclass(frozen=True, eq=False)
class BucketFacts:
    """What travels of one bucket beside its staged rows: arrays, in a file."""

    staged: tuple[str, ...]
    """The names of the files of its rows."""
    customers: int
    arrays: Mapping[str, NDArray[Any]]

    @staticmethod
    def of(bucket: int, merge: BucketMerge, arrivals: StagingArea | None = None) -> BucketFacts:
        """What was found of a bucket, and where `arrivals` are given what belongs to its rows."""
        arrays: dict[str, NDArray[Any]] = {}
        names: tuple[str, ...] = ()
        customers = 0
        if arrivals is not None:
            customers = len(arrivals.people[0])
            names = tuple(path.name for path in arrivals.files(bucket))
            first, second = (prints[bucket :: arrivals.buckets] for prints in arrivals.people)
            arrival, marks = arrivals.marked(bucket)
            arrays |= {"first": first, "second": second, "arrival": arrival, "marks": marks}
        findings = merge.findings
        if bucket in findings.stays:
            arrays["stays"], arrays["again"] = findings.stays[bucket]
        for number, file in enumerate(merge.files.get(bucket, ())):
            for name in ("lost", "out", "retracted"):
                if (found := getattr(findings, name).get(file.path)) is not None:
                    arrays[f"{name}-{number}"] = found
            if file.path in findings.unknown:
                arrays[f"unknown-{number}"] = np.empty(0)
        return BucketFacts(names, customers, arrays)

    def write(self, path: Path) -> None:
        """Write everything as one file of arrays."""
        about: dict[str, Any] = {"staged-names": np.array(self.staged, dtype=np.str_)}
        np.savez(path, **about | {"customers": np.array(self.customers)} | dict(self.arrays))

    @staticmethod
    def read(path: Path) -> BucketFacts:
        """What `write` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        staged = tuple(arrays.pop("staged-names").tolist())
        return BucketFacts(staged, int(arrays.pop("customers")), arrays)

    def findings(self, bucket: int, files: Sequence[File], contested: Words) -> Findings:
        """The findings of the bucket, whose `files` are in the order in which they were sent."""
        found = Findings(contested=contested)
        if "stays" in self.arrays:
            found.stays[bucket] = self.arrays["stays"], self.arrays["again"]
        for number, file in enumerate(files):
            for name in ("lost", "out", "retracted"):
                if (array := self.arrays.get(f"{name}-{number}")) is not None:
                    getattr(found, name)[file.path] = array
            if f"unknown-{number}" in self.arrays:
                found.unknown.add(file.path)
        return found


class SentRows:
    """The rows that arrived for one bucket, in the process that merges them (`Arrivals`)."""

    def __init__(
        self,
        buckets: int,
        vocabulary: StringDictionary,
        scopes: EventIdScopes,
        facts: BucketFacts | None = None,
        bucket: int = 0,
        batch: StagedBatch | None = None,
    ) -> None:
        self.buckets, self.vocabulary, self.scopes = buckets, vocabulary, scopes
        self._facts, self._bucket, self._batch = facts, bucket, batch

    @property
    def people(self) -> tuple[Words, Words]:
        """The fingerprints of customer ids, by key; 0 for customers of other buckets."""
        if self._facts is None:
            return np.empty(0, np.uint64), np.empty(0, np.uint64)
        first, second = (np.zeros(self._facts.customers, np.uint64) for _ in range(2))
        first[self._bucket :: self.buckets] = self._facts.arrays["first"]
        second[self._bucket :: self.buckets] = self._facts.arrays["second"]
        return first, second

    @property
    def bits(self) -> int:
        """How many low bits of a fingerprint name the bucket."""
        return (self.buckets - 1).bit_length()

    def bucket(self, bucket: int) -> StagedBatch | None:
        """The rows of the one bucket that there is."""
        return self._batch if bucket == self._bucket else None

    def marks(self, arrival: Rowset) -> NDArray[np.float64]:
        """The marks of rows by when they arrived; NaN where there is none."""
        known = {} if self._facts is None else self._facts.arrays
        if not len(known.get("arrival", ())):
            return np.full(len(arrival), np.nan)
        marks: NDArray[np.float64] = known["marks"][np.searchsorted(known["arrival"], arrival)]
        return marks

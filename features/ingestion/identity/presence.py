"""Which events of a source a reading brings again, which are new, and which of the stored ones it lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.events.history import Codes
from features.ingestion.identity.scopes import EventIdScopes
from features.ingestion.staging import StagingArea
from features.storage import sorted_run
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, of_texts

FEW = 2
"""So many rows are no matter."""
ENOUGH = 200
"""Stored events that tell whether a source was read again."""
_NONE: Words = np.empty(0, np.uint64)


@dataclass(frozen=True)
class Presence:
    """The events of a source in a reading and in the store, by the fingerprints of their ids."""

    arrived: int
    stored: int
    fresh: Words = field(repr=False)
    """Of those that arrived, the ones that are not stored."""
    gone: Words = field(repr=False)
    """Of those stored, the ones that did not arrive."""

    @property
    def looks_doubled(self) -> bool:
        """Whether more than a few rows come under new ids while more than a few stored ones do not come."""
        few = max(FEW, self.arrived // 100)
        return len(self.fresh) > few and len(self.gone) > few


@dataclass(frozen=True)
class LeavingRows:
    """Stored rows that an ingest takes out: all of some sources, and single ones by their id."""

    sources: Collection[str] = ()
    ids: Mapping[str, Words] = field(default_factory=dict)
    """Of a source the sorted fingerprints of the ids, as `scoped`."""

    def __bool__(self) -> bool:
        return bool(self.sources) or any(len(ids) for ids in self.ids.values())

    def of(self, prints: Words, sources: Codes, scopes: EventIdScopes) -> NDArray[np.bool_]:
        """Which rows leave."""
        out = np.zeros(len(prints), dtype=bool)
        for name in (*self.sources, *self.ids):
            theirs = sources == scopes.code(name)
            if name not in self.sources:
                theirs &= np.isin(prints ^ np.uint64(scopes.word(name)), self.ids[name])
            out |= theirs
        return out


def presence(
    lake: Lake, files: Mapping[int, Sequence[File]], arrivals: StagingArea, names: Collection[str]
) -> dict[str, Presence]:
    """Compare what arrived of each source with what is stored of it, bucket by bucket."""
    scopes = arrivals.scopes
    fresh: dict[str, list[Words]] = {name: [_NONE] for name in names}
    gone: dict[str, list[Words]] = {name: [_NONE] for name in names}
    arrived, stored = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for bucket in range(arrivals.buckets) if names else ():
        batch = arrivals.bucket(bucket)
        came = (_NONE, np.empty(0, np.int32)) if batch is None else (batch.ids[0], batch.rows.sources)
        kept = [
            (of_texts(ids)[0], sources)
            for file in files.get(bucket, ())
            for ids, sources in [sorted_run.read_ids(lake.path(file), arrivals.vocabulary)]
        ]
        prints = np.concatenate([_NONE, *(prints for prints, _ in kept)])
        sources = np.concatenate([np.empty(0, np.int32), *(sources for _, sources in kept)])
        there = np.unique(prints ^ scopes.words(sources))
        here = np.unique(came[0] ^ scopes.words(came[1]))
        for name in names:
            theirs = np.unique(came[0][came[1] == scopes.code(name)] ^ np.uint64(scopes.word(name)))
            held = np.unique(prints[sources == scopes.code(name)] ^ np.uint64(scopes.word(name)))
            arrived[name], stored[name] = arrived[name] + len(theirs), stored[name] + len(held)
            fresh[name].append(np.setdiff1d(theirs, there, assume_unique=True))
            gone[name].append(np.setdiff1d(held, here, assume_unique=True))
    found = {}
    for name in names:
        # An event that moved to another customer may have left one bucket for another.
        new, lost = np.unique(np.concatenate(fresh[name])), np.unique(np.concatenate(gone[name]))
        moved = np.intersect1d(new, lost, assume_unique=True)
        found[name] = Presence(
            arrived[name], stored[name], np.setdiff1d(new, moved), np.setdiff1d(lost, moved)
        )
    return found


def stored_sources(lake: Lake, files: Mapping[int, Sequence[File]], scopes: EventIdScopes) -> set[str]:
    """The names of the sources that have stored rows."""
    codes: set[int] = set()
    for file in (file for of_bucket in files.values() for file in of_bucket):
        codes |= set(np.unique(sorted_run.read_sources(lake.path(file), scopes.vocabulary)).tolist())
    return {scopes.vocabulary.texts[code].as_py() for code in codes}


def namesake(
    lake: Lake,
    files: Mapping[int, Sequence[File]],
    arrivals: StagingArea,
    name: str,
    others: Collection[str],
) -> tuple[str, int] | None:
    """Of `others` the source that brought most of the event ids that `name` brings now, and how many.

    None where none of them brought half of them and more than a few.
    """
    scopes, arrived, again = arrivals.scopes, 0, dict.fromkeys(others, 0)
    for bucket in range(arrivals.buckets):
        batch = arrivals.bucket(bucket)
        if batch is None:
            continue
        came = batch.ids[0][batch.rows.sources == scopes.code(name)]
        arrived += len(came)
        for file in files.get(bucket, ()):
            ids, sources = sorted_run.read_ids(lake.path(file), arrivals.vocabulary)
            known = np.isin(of_texts(ids)[0], came)
            for other in others:
                again[other] += int((known & (sources == scopes.code(other))).sum())
    best = max(again, key=lambda other: (again[other], other))
    return (best, again[best]) if again[best] > FEW and 2 * again[best] >= arrived else None


def was_read_again(lake: Lake, files: Mapping[int, Sequence[File]], arrivals: StagingArea, name: str) -> bool:
    """Whether a reading covers what was read of a source before, rather than following on it.

    That is so where at least half of the events came again, judged by the first buckets that hold enough.
    """
    scopes = arrivals.scopes
    arrived = stored = again = 0
    for bucket, here in sorted(files.items()):
        batch = arrivals.bucket(bucket)
        came = _NONE if batch is None else batch.ids[0][batch.rows.sources == scopes.code(name)]
        arrived += len(came)
        for file in here:
            ids, sources = sorted_run.read_ids(lake.path(file), arrivals.vocabulary)
            held = of_texts(ids)[0][sources == scopes.code(name)]
            stored, again = stored + len(held), again + int(np.isin(held, came).sum())
        if stored >= ENOUGH:
            break
    return again > 0 and 2 * again >= min(arrived, stored)

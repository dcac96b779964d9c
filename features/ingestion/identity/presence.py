"""Which events of a source a reading brings again, which are new, and which of the stored ones it lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path

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
_Dated = tuple[Words, NDArray[np.int64]]
"""Fingerprints of event ids, and when these events occurred."""
_NO_ROWS: _Dated = (_NONE, np.empty(0, np.int64))


@dataclass(frozen=True)
class Presence:
    """The events of a source in a reading and in the store, by the fingerprints of their ids."""

    arrived: int
    stored: int
    fresh: Words = field(repr=False)
    """Of those that arrived, the ones that are not stored."""
    gone: Words = field(repr=False)
    """Of those stored, the ones that did not arrive."""

    fresh_inside: int
    """Of the fresh ones, those of a time from which events are stored already."""
    gone_inside: int
    """Of the gone ones, those of a time that the reading covers."""

    @property
    def looks_doubled(self) -> bool:
        """Whether more than a few rows come under new ids while more than a few stored ones do not come.

        Both of a time that was read before and is read now: a reading that goes on later doubles nothing.
        """
        few = _few(self.arrived)
        return self.fresh_inside > few and self.gone_inside > few


def _few(arrived: int) -> int:
    """How many events are no matter among those that arrived."""
    return max(FEW, arrived // 100)


@dataclass(frozen=True)
class LeavingRows:
    """Stored rows that stop counting: all of some sources are deleted, single events are retracted."""

    sources: Collection[str] = ()
    ids: Mapping[str, Words] = field(default_factory=dict)
    """Of a source the sorted fingerprints of the ids that are retracted, as `scoped`."""

    def __bool__(self) -> bool:
        return bool(self.sources) or any(len(ids) for ids in self.ids.values())

    def deleted(self, sources: Codes, scopes: EventIdScopes) -> NDArray[np.bool_]:
        """Which rows are deleted, retracted ones among them."""
        return np.isin(sources, [scopes.code(name) for name in self.sources])

    def retracted(self, prints: Words, sources: Codes, scopes: EventIdScopes) -> NDArray[np.bool_]:
        """Which rows are of events that are retracted."""
        out = np.zeros(len(prints), dtype=bool)
        for name in (name for name in self.ids if name not in self.sources):
            at = np.flatnonzero(sources == scopes.code(name))
            out[at] = np.isin(prints[at] ^ np.uint64(scopes.word(name)), self.ids[name])
        return out


def presence(
    lake: Lake,
    files: Mapping[int, Sequence[File]],
    arrivals: StagingArea,
    names: Collection[str],
    complete: Collection[str],
) -> dict[str, Presence]:
    """Compare what arrived of each source with what is stored of it, in whatever buckets.

    Left out are sources that cannot look doubled, as hardly a stored event is of the time that the reading
    covers, apart from those that are `complete`: times are read far faster than ids.
    """
    parts: dict[str, list[_Dated]] = {name: [_NO_ROWS] for name in names}
    for bucket in range(arrivals.buckets) if names else ():
        batch = arrivals.bucket(bucket)
        if batch is not None:
            for name in names:
                theirs = batch.rows.sources == arrivals.scopes.code(name)
                parts[name].append((batch.ids[0][theirs], batch.rows.occurred[theirs]))
    came = {name: _joined(of_buckets) for name, of_buckets in parts.items()}
    arrived = {name: _distinct(prints) for name, (prints, _) in came.items()}
    every = [lake.path(file) for of_bucket in files.values() for file in of_bucket]
    compared = [
        name
        for name in names
        if name in complete
        or _may_look_doubled(name, came[name][1], _few(len(arrived[name])), every, arrivals)
    ]
    stored = _stored(every, compared, arrivals)
    word = arrivals.scopes.word
    return {name: _compared(came[name], arrived[name], stored[name], word(name)) for name in compared}


def _may_look_doubled(
    name: str, came: NDArray[np.int64], few: int, paths: Sequence[Path], arrivals: StagingArea
) -> bool:
    """Whether more than a few stored events of a source are of the time that a reading covers."""
    if not len(came):
        return False
    first, last, count = came.min(), came.max(), 0
    for path in paths:
        oldest, newest = sorted_run.span(path)
        if first <= newest and oldest <= last:
            occurred = sorted_run.read_instants(path)
            inside = (occurred >= first) & (occurred <= last)
            if inside.any():
                sources = sorted_run.read_sources(path, arrivals.vocabulary)
                count += int((inside & (sources == arrivals.scopes.code(name))).sum())
            if count > few:
                return True
    return False


def _stored(paths: Sequence[Path], names: Sequence[str], arrivals: StagingArea) -> dict[str, _Dated]:
    """The events of each source that are stored and count."""

    def of_file(path: Path) -> list[_Dated]:
        run = sorted_run.read_ids(path, arrivals.vocabulary)
        prints, occurred = of_texts(run.ids)[0], sorted_run.read_instants(path)
        counted = [run.counted(arrivals.scopes.code(name)) for name in names]
        return [(prints, occurred) if one.all() else (prints[one], occurred[one]) for one in counted]

    parts: dict[str, list[_Dated]] = {name: [_NO_ROWS] for name in names}
    with ThreadPoolExecutor(min(2, cpu_count() or 1)) as pool:
        for found in pool.map(of_file, paths if names else ()):
            for name, dated in zip(names, found, strict=True):
                parts[name].append(dated)
    return {name: _joined(of_files) for name, of_files in parts.items()}


def _compared(came: _Dated, arrived: Words, stored: _Dated, word: int) -> Presence:
    # A reading is mostly far shorter than what is stored: only its ids, and those met again, are sorted.
    again = _within(stored[0], arrived)
    gone, fresh = ~again, ~_within(came[0], np.sort(stored[0][again]))

    def inside(which: NDArray[np.bool_], rows: _Dated, others: _Dated) -> Words:
        if not len(others[0]):
            return _NONE
        prints: Words = rows[0][which & (rows[1] >= others[1].min()) & (rows[1] <= others[1].max())]
        return prints

    return Presence(
        len(arrived),
        len(stored[0]),
        _distinct(came[0][fresh]) ^ np.uint64(word),
        np.sort(stored[0][gone] ^ np.uint64(word)),
        len(_distinct(inside(fresh, came, stored))),
        len(inside(gone, stored, came)),  # an id is stored once
    )


def _within(values: Words, known: Words) -> NDArray[np.bool_]:
    """Which values are in a sorted array."""
    if not len(known):
        return np.zeros(len(values), dtype=bool)
    order = np.argsort(values)  # neighbours are looked up near each other: a fourth of the time
    ascending, found = values[order], np.empty(len(values), dtype=bool)
    found[order] = known[np.minimum(np.searchsorted(known, ascending), len(known) - 1)] == ascending
    return found


def _distinct(values: Words) -> Words:
    """The sorted distinct values; NumPy's own `unique` takes over ten times as long for millions."""
    ascending = np.sort(values)
    distinct: Words = ascending[np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)]]
    return distinct


def _joined(parts: Sequence[_Dated]) -> _Dated:
    return np.concatenate([prints for prints, _ in parts]), np.concatenate([when for _, when in parts])


def stored_sources(lake: Lake, files: Mapping[int, Sequence[File]], scopes: EventIdScopes) -> set[str]:
    """The names of the sources that have stored rows."""
    codes: set[int] = set()
    for file in (file for of_bucket in files.values() for file in of_bucket):
        codes |= set(np.unique(sorted_run.read_sources(lake.path(file), scopes.vocabulary)).tolist())
    return {scopes.vocabulary.texts[code].as_py() for code in codes}


def namesakes(
    lake: Lake,
    files: Mapping[int, Sequence[File]],
    arrivals: StagingArea,
    names: Collection[str],
    others: Collection[str],
) -> dict[str, tuple[str, int]]:
    """For each of `names` the one of `others` that brought most of its event ids, and how many of them.

    Left out are names of whose ids none of them brought half and more than a few.
    """
    scopes, arrived = arrivals.scopes, dict.fromkeys(names, 0)
    again = {name: dict.fromkeys(others, 0) for name in names}
    for bucket in range(arrivals.buckets):
        batch = arrivals.bucket(bucket)
        if batch is None:
            continue
        came = {name: np.sort(batch.ids[0][batch.rows.sources == scopes.code(name)]) for name in names}
        for name, prints in came.items():
            arrived[name] += len(prints)
        for file in files.get(bucket, ()):
            run = sorted_run.read_ids(lake.path(file), arrivals.vocabulary)
            prints = of_texts(run.ids)[0]
            held = {other: prints[run.counted(scopes.code(other))] for other in others}
            for name, other in ((name, other) for name in names if len(came[name]) for other in others):
                again[name][other] += int(_within(held[other], came[name]).sum())
    found = {}
    for name, counts in again.items():
        best = max(counts, key=lambda other: (counts[other], other))
        if counts[best] > FEW and 2 * counts[best] >= arrived[name]:
            found[name] = best, counts[best]
    return found


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
            run = sorted_run.read_ids(lake.path(file), arrivals.vocabulary)
            held = of_texts(run.ids)[0][run.counted(scopes.code(name))]
            stored, again = stored + len(held), again + int(np.isin(held, came).sum())
        if stored >= ENOUGH:
            break
    return again > 0 and 2 * again >= min(arrived, stored)

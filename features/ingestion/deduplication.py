"""Deduplication and correction: which of several rows with one event id counts, and the fate of each.

Rows of one ingest are compared with each other first: of those with one id, one that says less than
another never counts, and those that contradict each other are refused. What remains is compared with
the store, where other content is a correction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from features.ingestion.identity.scopes import ANY
from features.ingestion.identity.versions import CHOSEN, OUTDATED, REFUSED_VERSION, choose_versions
from features.storage.hashing import Words
from features.storage.sorted_run import RunRows
from features.timeline import ALWAYS

NEW, ALREADY_THERE, CORRECTED, REFUSED = range(4)
"""The fates of a row that arrived."""

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class EventIdClaims:
    """Rows that claim event ids, with the fingerprints of the ids and of the rows' contents."""

    rows: RunRows
    ids: tuple[Words, Words]
    says: tuple[Words, Words]
    scopes: NDArray[np.int32]
    """Equal ids name one event only within one scope (`features/ingestion/identity/scopes.py`)."""
    arrival: Places
    """The place of each row in the order of arrival; empty for rows of the store."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, where: Places | Flags) -> EventIdClaims:
        return EventIdClaims(
            self.rows.take(where),
            (self.ids[0][where], self.ids[1][where]),
            (self.says[0][where], self.says[1][where]),
            self.scopes[where],
            self.arrival[where] if len(self.arrival) else self.arrival,
        )


@dataclass(frozen=True, slots=True, eq=False)
class DeduplicationResult:
    """Which rows stay, the fate of each row that arrived, and for a refused one the row it contradicts."""

    stored_stay: Flags
    arrived_stay: Flags
    fates: NDArray[np.int8]
    rivals: Places
    """Counts into the stored rows followed by those that arrived."""
    several: Places
    """Of each id that came in several rows, the first of these (counts into those that arrived)."""
    replaces: Places
    """Of each row that arrived the stored one that it takes the place of, -1 for none."""


def deduplicate(
    stored: EventIdClaims | None,
    arrived: EventIdClaims,
    *,
    marks: Callable[[Places], NDArray[np.float64]] | None = None,
    in_turn: bool = False,
) -> DeduplicationResult:
    """Decide over rows in the store and rows in their order of arrival.

    Of several rows with one id that arrived, one that says less than another, or was recorded earlier,
    or has the smaller `marks` (by arrival), does not count; where neither holds they are all refused, or,
    when they came `in_turn`, the last counts. Then the same content as in the store is there already, and
    other content is a correction, unless both say when they were recorded and the one that arrived is
    the older. One id of two sources for two kinds of event is no correction: the later row is refused.
    """
    both = [claims for claims in (stored, arrived) if claims is not None]
    before = 0 if stored is None else len(stored)

    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(claims.rows, name) for claims in both])

    def words(pairs: Sequence[tuple[Words, Words]]) -> tuple[Words, Words]:
        return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])

    says, scopes = (
        words([claims.says for claims in both]),
        np.concatenate([claims.scopes for claims in both]),
    )
    recorded, kinds, sources = column("recorded"), column("kinds"), column("sources")
    owners, chosen, several, mixed = _group(
        words([claims.ids for claims in both]), says, scopes, column("keys"), before
    )
    count = len(owners)
    fates, rivals = np.full(count, ALREADY_THERE, np.int8), np.full(count, -1, np.int64)
    replaces = np.full(count, -1, np.int64)
    outdated = np.empty(0, np.int64)
    if mixed.any():
        places = before + np.flatnonzero(mixed[owners[before:]])
        versions = choose_versions(
            arrived.rows.take(places - before),
            owners[places],
            marks(arrived.arrival[places - before]) if marks is not None else None,
            in_turn=in_turn,
        )
        chosen[owners[places]] = -1
        wins = versions.fates == CHOSEN
        chosen[owners[places[wins]]] = places[wins]
        outdated = places[versions.fates == OUTDATED]
        refused = versions.fates == REFUSED_VERSION
        fates[places[refused]] = REFUSED
        rivals[places[refused]] = places[versions.rivals[refused]]
    stay = _settle(chosen, says, recorded, kinds, sources, scopes, before, fates, rivals, replaces)
    superseded = outdated[fates[chosen[owners[outdated]]] == NEW]
    fates[superseded] = CORRECTED
    return DeduplicationResult(
        stay[:before],
        stay[before:],
        fates[before:],
        rivals[before:],
        np.flatnonzero(several[before:]),
        replaces[before:],
    )


@numba.njit(cache=True, nogil=True)
def _group(ids, says, scopes, keys, before):  # type: ignore[no-untyped-def]
    """Of each row the first with its id; of such a first row the first that arrived, or -1; of what arrived
    first whether more followed; of a first row whether those that arrived differ in content."""
    count = len(scopes)
    size = 16
    while size < 2 * count:
        size *= 2
    mask = np.uint64(size - 1)
    table = np.full(size, -1, np.int64)
    owners, chosen = np.empty(count, np.int64), np.full(count, -1, np.int64)
    several, mixed = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for i in range(count):
        slot = ids[0][i] & mask
        j = table[slot]
        while j >= 0 and (
            i < before
            or ids[0][j] != ids[0][i]
            or ids[1][j] != ids[1][i]
            or (scopes[j] != scopes[i] and ((scopes[j] != ANY and scopes[i] != ANY) or keys[j] != keys[i]))
        ):
            slot = (slot + np.uint64(1)) & mask
            j = table[slot]
        if j < 0:
            table[slot], owners[i] = i, i
            if i >= before:
                chosen[i] = i
            continue
        owners[i], first = j, chosen[j]
        if first < 0:
            chosen[j] = i
        else:
            several[first] = True
            mixed[j] |= says[0][i] != says[0][first] or says[1][i] != says[1][first]
    return owners, chosen, several, mixed


@numba.njit(cache=True, nogil=True)
def _settle(chosen, says, recorded, kinds, sources, scopes, before, fates, rivals, replaces):  # type: ignore[no-untyped-def]
    """Which rows stay; `fates`, `rivals` and `replaces` of the chosen rows are filled in."""
    stay = np.zeros(len(chosen), np.bool_)
    stay[:before] = True
    for j in range(len(chosen)):
        i = chosen[j]
        if i < 0:
            continue
        if j >= before:
            stay[i], fates[i] = True, NEW
        elif says[0][i] == says[0][j] and says[1][i] == says[1][j]:
            # What was sent live belongs to the source that brings it as well.
            if scopes[j] == ANY and scopes[i] != ANY:
                stay[j], stay[i], replaces[i] = False, True, j
        elif kinds[i] != kinds[j] and sources[i] != sources[j]:
            fates[i], rivals[i] = REFUSED, j
        elif recorded[i] == ALWAYS or recorded[j] == ALWAYS or recorded[i] >= recorded[j]:
            stay[j], stay[i], fates[i], replaces[i] = False, True, CORRECTED, j
    return stay

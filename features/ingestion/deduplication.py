"""Deduplication and correction: which of several rows with one event id counts, and the fate of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from features.storage.hashing import Words
from features.storage.sorted_run import RunRows
from features.timeline import ALWAYS

NEW, ALREADY_THERE, CORRECTED, REFUSED = range(4)
"""The fates of a row that arrived."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class EventIdClaims:
    """Rows that claim event ids, with the fingerprints of the ids and of the rows' contents."""

    rows: RunRows
    ids: tuple[Words, Words]
    says: tuple[Words, Words]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, where: NDArray[np.int64] | Flags) -> EventIdClaims:
        return EventIdClaims(
            self.rows.take(where),
            (self.ids[0][where], self.ids[1][where]),
            (self.says[0][where], self.says[1][where]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class DeduplicationResult:
    """Which rows stay, the fate of each row that arrived, and for a refused one the row that was first."""

    stored_stay: Flags
    arrived_stay: Flags
    fates: NDArray[np.int8]
    rivals: NDArray[np.int64]
    """Counts into the stored rows followed by those that arrived."""


def deduplicate(stored: EventIdClaims | None, arrived: EventIdClaims) -> DeduplicationResult:
    """Decide over rows in the store and rows in their order of arrival.

    The same content is there already. Other content is a correction, unless both rows say when they
    were recorded and the one that arrived is the older. One id used by two sources for two kinds of
    event is no correction: the later row is refused.
    """
    both = [claims for claims in (stored, arrived) if claims is not None]
    before = 0 if stored is None else len(stored)

    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(claims.rows, name) for claims in both])

    def words(pairs: Sequence[tuple[Words, Words]]) -> tuple[Words, Words]:
        return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])

    stay, fates, rivals = _judge(
        words([claims.ids for claims in both]),
        words([claims.says for claims in both]),
        column("recorded"),
        column("kinds"),
        column("sources"),
    )
    return DeduplicationResult(stay[:before], stay[before:], fates[before:], rivals[before:])


@numba.njit(cache=True, nogil=True)
def _judge(ids, says, recorded, kinds, sources):  # type: ignore[no-untyped-def]
    count = len(recorded)
    size = 16
    while size < 2 * count:
        size *= 2
    mask = np.uint64(size - 1)
    table = np.full(size, -1, np.int64)
    stay, fates, rivals = np.zeros(count, np.bool_), np.zeros(count, np.int8), np.full(count, -1, np.int64)
    for i in range(count):
        slot = ids[0][i] & mask
        while table[slot] >= 0 and (ids[0][table[slot]] != ids[0][i] or ids[1][table[slot]] != ids[1][i]):
            slot = (slot + np.uint64(1)) & mask
        j = table[slot]
        if j < 0:
            table[slot], stay[i], fates[i] = i, True, NEW
        elif says[0][i] == says[0][j] and says[1][i] == says[1][j]:
            fates[i] = ALREADY_THERE
        elif kinds[i] != kinds[j] and sources[i] != sources[j]:
            fates[i], rivals[i] = REFUSED, j
        elif recorded[i] != ALWAYS and recorded[j] != ALWAYS and recorded[i] < recorded[j]:
            fates[i] = ALREADY_THERE
        else:
            table[slot], stay[j], stay[i], fates[i] = i, False, True, CORRECTED
    return stay, fates, rivals

"""Retractions: rows whose source no longer has them stay stored, known until then; and rows that come back.

A retracted row takes no part in comparing ids: it is neither there already nor corrected. Where its event id
comes again, the row that comes is a new one, which is known again from that ingest on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.ingestion.deduplication import DeduplicationResult, EventIdClaims
from features.ingestion.identity.scopes import EventIdScopes
from features.storage.hashing import Words
from features.storage.sorted_run import RunRows
from features.timeline import ALWAYS, NEVER, Instants


def retract(rows: RunRows, at: NDArray[np.int64], now: int) -> RunRows:
    """The rows, those at these places retracted at an instant."""
    moments = rows.retracted.copy() if len(rows.retracted) else np.full(len(rows), NEVER)
    moments[at] = now
    return replace(rows, retracted=moments)


def known_again(rows: RunRows, moments: Instants) -> RunRows:
    """The rows, with when each of them came back; as they are where none did."""
    return replace(rows, known_again=moments) if (moments != ALWAYS).any() else rows


class RetractedIds:
    """The event ids of the rows that earlier ingests retracted, as far as their files were read."""

    def __init__(self, scopes: EventIdScopes, now: int) -> None:
        self.scopes, self.now = scopes, now
        self._of_file: dict[str, Words] = {}

    def note(self, path: str, scoped: Words) -> None:
        """Add those of a file: fingerprints of ids, as mixed with the words of their scopes."""
        if len(scoped):
            self._of_file[path] = scoped

    def scoped(self) -> Words:
        """The fingerprints that were noted, as `note` takes them."""
        return np.concatenate([np.empty(0, np.uint64), *self._of_file.values()])

    def came_back(
        self, stored: EventIdClaims | None, arrived: EventIdClaims, judgement: DeduplicationResult
    ) -> Instants:
        """int64[n]: since when the event of each row that arrived is known again, `ALWAYS` for others.

        What takes the place of a stored row is known since the same instant as that one.
        """
        moments = np.full(len(arrived), ALWAYS)
        if self._of_file:
            scoped = arrived.ids[0] ^ self.scopes.words(arrived.rows.sources)
            moments[np.isin(scoped, np.concatenate(list(self._of_file.values())))] = self.now
        at = np.flatnonzero(judgement.replaces >= 0)
        if stored is not None and len(at):
            before = stored.rows.known_again
            moments[at] = before[judgement.replaces[at]] if len(before) else ALWAYS
        return moments

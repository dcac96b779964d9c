"""Bloom filters over the event ids of run files: whether a file can hold an id, without reading it again.

An id that was given may be an event of any customer, so a new one is looked for in every file. Each file is
read once for its filter (`BITS` bits an id, in memory); files never change, so a filter holds as long as its
file does. A filter never misses an id that is there; of those that are not it takes about one in 700 for one.

Bloom, B. H. (1970), Space/time trade-offs in hash coding with allowable errors, CACM 13(7).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.storage.hashing import Words

BITS = 16
"""Bits of a filter for each id."""
PROBES = 5
STORES = 4
"""Stores whose filters a process keeps."""
FEW = 1_000
"""Ids for which filters are asked; more read the files, which takes no longer."""


@dataclass(frozen=True, eq=False)
class _BloomFilter:
    """The filter of one file."""

    bits: NDArray[np.uint8]

    @staticmethod
    def of(prints: Words) -> _BloomFilter:
        """Over the fingerprints of these ids."""
        size = -(-max(BITS * len(prints), BITS) // 8)
        there = np.zeros(8 * size, np.bool_)
        for places in _places(prints, 8 * size):
            there[places] = True
        return _BloomFilter(np.packbits(there, bitorder="little"))

    def may_hold(self, prints: Words) -> bool:
        """Whether one of these may be among them."""
        possible = np.ones(len(prints), np.bool_)
        for places in _places(prints, 8 * len(self.bits)):
            possible &= (
                self.bits[places >> np.uint64(3)] >> (places & np.uint64(7)).astype(np.uint8)
            ) & 1 == 1
        return bool(possible.any())


class IdFilters:
    """The filters of a store's files, made when they are first asked for."""

    def __init__(self) -> None:
        self._by_file: dict[str, _BloomFilter] = {}

    def may_hold(self, file: str, prints: Words, read: Callable[[], Words]) -> bool:
        """Whether a file may hold an id with one of these fingerprints; `read` gives those of its rows."""
        known = self._by_file.get(file)
        if known is None:
            known = self._by_file[file] = _BloomFilter.of(read())
        return known.may_hold(prints)

    def keep(self, files: Collection[str]) -> None:
        """Forget the filters of other files than these."""
        for gone in self._by_file.keys() - set(files):
            del self._by_file[gone]


@lru_cache(maxsize=STORES)
def id_filters(store: str) -> IdFilters:  # noqa: ARG001 # what the cache tells stores apart by
    """The filters of the store of this name, one for a process: stores are opened for each request.

    Whoever holds the lock of the store uses them.
    """
    return IdFilters()


def _places(prints: Words, size: int) -> list[Words]:
    """The bits of each fingerprint: two halves of it, combined (Kirsch and Mitzenmacher, 2006)."""
    low, high = prints & np.uint64(0xFFFFFFFF), (prints >> np.uint64(32)) | np.uint64(1)
    return [(low + np.uint64(probe) * high) % np.uint64(size) for probe in range(PROBES)]

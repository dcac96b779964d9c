"""Dictionary encoding of texts: codes 0, 1, 2, … in order of first appearance."""

from __future__ import annotations

from threading import RLock

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.storage.hashing import Words, of_texts

UNKNOWN = -1


class StringDictionary:
    """A growing list of distinct texts that finds the code of a text in constant time."""

    def __init__(self, texts: pa.Array | None = None) -> None:
        self._parts: list[pa.Array] = []
        self._prints: tuple[Words, Words] = (np.empty(0, np.uint64), np.empty(0, np.uint64))
        self._table = np.full(16, UNKNOWN, dtype=np.int64)
        self._count = 0
        self._indexed = True
        self._lock = RLock()
        if texts is not None:  # indexed when a text is first looked up: reading names needs no index
            self._parts.append(large(texts))
            self._count = len(texts)
            self._indexed = False

    def __len__(self) -> int:
        return self._count

    @property
    def prints(self) -> tuple[Words, Words]:
        """The fingerprints of the texts, by code."""
        self._ensure_index()
        return self._prints[0][: self._count], self._prints[1][: self._count]

    @property
    def texts(self) -> pa.Array:
        """The texts by code, `large_string`; null where forgotten."""
        with self._lock:
            if len(self._parts) != 1:
                parts = [pa.array([], pa.large_string()), *self._parts]
                self._parts = [pa.concat_arrays(parts)]
            return self._parts[0]

    def codes(self, texts: pa.Array | pa.ChunkedArray, *, grow: bool = False) -> NDArray[np.int64]:
        """int64[n]: the code of each text, -1 for null; with `grow`, an unknown text gets the next one."""
        texts = large(texts)
        absent = texts.is_null().to_numpy(zero_copy_only=False) if texts.null_count else np.empty(0, np.bool_)
        first, second = of_texts(texts)
        with self._lock:
            self._ensure_index()
            if not grow:
                return np.asarray(_find(first, second, absent, self._table, *self._prints))
            self._reserve(len(texts))
            codes, fresh = _assign(first, second, absent, self._table, *self._prints, self._count)
            if len(fresh):
                self._parts.append(texts.take(pa.array(fresh)))
                self._count += len(fresh)
            return np.asarray(codes)

    def _ensure_index(self) -> None:
        with self._lock:
            if not self._indexed:
                self._indexed = True
                self._prints = of_texts(self.texts)
                self._index()

    def _reserve(self, more: int) -> None:
        needed = self._count + more
        if needed > len(self._prints[0]):
            room = max(needed, 2 * len(self._prints[0]))
            self._prints = (
                np.concatenate([self.prints[0], np.zeros(room - self._count, np.uint64)]),
                np.concatenate([self.prints[1], np.zeros(room - self._count, np.uint64)]),
            )
        if 2 * needed > len(self._table):
            self._index(needed)

    def _index(self, room: int = 0) -> None:
        size = 1 << max(4, (2 * max(room, self._count)).bit_length())
        self._table = np.full(size, UNKNOWN, dtype=np.int64)
        nulls = self.texts.is_null().to_numpy(zero_copy_only=False) if self.texts.null_count else None
        _fill(self._table, self._prints[0], np.zeros(self._count, np.bool_) if nulls is None else nulls)


def large(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One `large_string` array."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if isinstance(texts, pa.ChunkedArray):
        texts = pa.concat_arrays(texts.cast(pa.large_string()).chunks)
    return texts if pa.types.is_large_string(texts.type) else texts.cast(pa.large_string())


@numba.njit(cache=True, nogil=True)
def _fill(table, known, nulls):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    for code in range(len(nulls)):
        if nulls[code]:
            continue
        slot = known[code] & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = code


@numba.njit(cache=True, nogil=True)
def _find(first, second, absent, table, known_first, known_second):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    codes = np.full(len(first), -1, np.int64)
    for i in range(len(first)):
        if len(absent) and absent[i]:
            continue
        slot = first[i] & mask
        while table[slot] >= 0:
            code = table[slot]
            if known_first[code] == first[i] and known_second[code] == second[i]:
                codes[i] = code
                break
            slot = (slot + np.uint64(1)) & mask
    return codes


@numba.njit(cache=True, nogil=True)
def _assign(first, second, absent, table, known_first, known_second, count):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(table) - 1)
    codes, fresh, found = np.full(len(first), -1, np.int64), np.empty(len(first), np.int64), 0
    for i in range(len(first)):
        if len(absent) and absent[i]:
            continue
        slot = first[i] & mask
        while True:
            code = table[slot]
            if code < 0:
                code = count + found
                table[slot] = code
                known_first[code], known_second[code] = first[i], second[i]
                fresh[found] = i
                found += 1
                break
            if known_first[code] == first[i] and known_second[code] == second[i]:
                break
            slot = (slot + np.uint64(1)) & mask
        codes[i] = code
    return codes, fresh[:found].copy()

"""Fingerprints of texts and events: 128 bits that are the same on every machine and in every run.

Two independent chains of 64 bits, each word mixed in by the finalizer of SplitMix64. Equal
fingerprints are taken for equal content: among 10^10 events the chance of one mistake is below 10^-18.

Inputs: texts as offsets and bytes, or the columns of events. Outputs: two words, uint64[n], for each row.
Invariant: they depend on a row's content alone; stored event ids are made of them, so they must never change.
No plain version; that a repeated ingest adds nothing is tested in `tests/features/test_event_store.py`.
Read on only to change the speed.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SEEDS = (np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344))
_NOTHING = np.uint64(0xA4093822299F31D0)
ID_LENGTH = 24


def of_texts(texts: pa.Array) -> tuple[Words, Words]:
    """The fingerprints of a `large_string` array; those of nulls mean nothing."""
    offsets, data = buffers(texts)
    return _of_texts(offsets, data)  # type: ignore[no-any-return]


def buffers(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where each text of a `large_string` array begins, and the bytes."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return starts, np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, np.uint8)


def as_ids(high: Words, low: Words) -> pa.Array:
    """Event ids (`large_string`): 96 bits of a fingerprint as 24 hexadecimal digits."""
    text = _hexadecimal(high, low)
    offsets = np.arange(0, ID_LENGTH * len(high) + 1, ID_LENGTH, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(high), pa.py_buffer(offsets), pa.py_buffer(text))


@numba.njit(cache=True, inline="always")
def stir(state, word):  # type: ignore[no-untyped-def]
    """One word stirred into a chain."""
    mixed = (state ^ word) + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _of_texts(offsets, data):  # type: ignore[no-untyped-def]
    count = len(offsets) - 1
    first, second = np.empty(count, np.uint64), np.empty(count, np.uint64)
    for i in range(count):
        at, stop = offsets[i], offsets[i + 1]
        length = np.uint64(stop - at)
        a, b = stir(_SEEDS[0], length), stir(_SEEDS[1], length)
        while at < stop:
            word = np.uint64(0)
            for byte in range(min(8, stop - at)):
                word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
            a, b = stir(a, word), stir(b, word)
            at += 8
        first[i], second[i] = a, b
    return first, second


@numba.njit(cache=True, nogil=True)
def of_events(  # type: ignore[no-untyped-def]
    people, occurred, recorded, values, kinds, channels, places, details, people_prints, text_prints
):
    """The fingerprints of the contents of events: everything but their id and their source.

    `people` counts into `people_prints`, the four code columns into `text_prints` (each a pair of
    word arrays); a code of -1 is an absent text, NaN an absent value, and -0.0 is 0.0.
    """
    count = len(occurred)
    bits = values.view(np.uint64)
    first, second = np.empty(count, np.uint64), np.empty(count, np.uint64)
    for i in range(count):
        number = bits[i]
        if values[i] != values[i]:
            number = _NOTHING
        elif values[i] == 0.0:
            number = np.uint64(0)
        for chain in range(2):
            texts = text_prints[chain]
            state = stir(_SEEDS[chain], people_prints[chain][people[i]])
            state = stir(state, np.uint64(occurred[i]))
            state = stir(state, np.uint64(recorded[i]))
            state = stir(state, number)
            state = stir(state, texts[kinds[i]] if kinds[i] >= 0 else _NOTHING)
            state = stir(state, texts[channels[i]] if channels[i] >= 0 else _NOTHING)
            state = stir(state, texts[places[i]] if places[i] >= 0 else _NOTHING)
            state = stir(state, texts[details[i]] if details[i] >= 0 else _NOTHING)
            if chain == 0:
                first[i] = state
            else:
                second[i] = state
    return first, second


@numba.njit(cache=True, nogil=True)
def with_texts(first, second, codes, text_prints, column):  # type: ignore[no-untyped-def]
    """Fingerprints of events with the texts of one more column stirred in; an absent text changes nothing.

    `column` tells the columns apart, so that a text in one is not the same text in another. Events from
    before there was such a column keep their fingerprints, and so their ids.
    """
    count = len(first)
    high, low = first.copy(), second.copy()
    for i in range(count):
        if codes[i] >= 0:
            high[i] = stir(stir(high[i], np.uint64(column + 1)), text_prints[0][codes[i]])
            low[i] = stir(stir(low[i], np.uint64(column + 1)), text_prints[1][codes[i]])
    return high, low


@numba.njit(cache=True, nogil=True)
def with_moments(first, moments, missing, column):  # type: ignore[no-untyped-def]
    """Fingerprints with an instant of each row stirred in; `missing` stands for none and changes nothing."""
    mixed = first.copy()
    for i in range(len(first)):
        if moments[i] != missing:
            mixed[i] = stir(stir(first[i], ~np.uint64(column)), np.uint64(moments[i]))
    return mixed


@numba.njit(cache=True, nogil=True)
def numbered(first, second):  # type: ignore[no-untyped-def]
    """Fingerprints with each row's ordinal among its equals stirred in, so that true repeats differ."""
    count = len(first)
    size = 16
    while size < 2 * count:
        size *= 2
    mask = np.uint64(size - 1)
    table, seen = np.full(size, -1, np.int64), np.zeros(size, np.uint64)
    high, low = np.empty(count, np.uint64), np.empty(count, np.uint64)
    for i in range(count):
        slot = first[i] & mask
        while table[slot] >= 0 and (first[table[slot]] != first[i] or second[table[slot]] != second[i]):
            slot = (slot + np.uint64(1)) & mask
        table[slot] = i
        high[i], low[i] = stir(first[i], seen[slot]), stir(second[i], seen[slot])
        seen[slot] += np.uint64(1)
    return high, low


@numba.njit(cache=True, nogil=True)
def digest(first, ids):  # type: ignore[no-untyped-def]
    """A sum over rows (modulo 2^64) that depends on which rows there are, not on their order."""
    total = np.uint64(0)
    for i in range(len(first)):
        total += stir(first[i], ids[i])
    return total


@numba.njit(cache=True, nogil=True)
def _hexadecimal(high, low):  # type: ignore[no-untyped-def]
    text = np.empty(24 * len(high), np.uint8)
    for i in range(len(high)):
        for digit in range(24):
            word = high[i] if digit < 16 else low[i]
            nibble = (word >> np.uint64(60 - 4 * (digit % 16))) & np.uint64(15)
            text[24 * i + digit] = nibble + 48 if nibble < 10 else nibble + 87
    return text

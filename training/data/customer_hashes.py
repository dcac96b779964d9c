"""Hashes of customer ids, for folds and samples that do not depend on the keys a store gave."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore

Hashes = NDArray[np.uint64]


def customer_hashes(store: EventStore, keys: NDArray[np.int64]) -> Hashes:
    """uint64[n]: a well-mixed hash of each customer id."""
    names = store.customers.names(keys).to_pylist()
    return shuffled_by_customer(
        np.array([zlib.crc32((name or "").encode()) for name in names], dtype=np.uint64)
    )


def shuffled_by_customer(x: Hashes) -> Hashes:
    """SplitMix64: every bit of the input reaches every bit of the output."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def row_hashes(hashes: Hashes, as_of: NDArray[np.int64]) -> Hashes:
    """uint64[n]: a hash of each row, of its customer's hash and its as-of date."""
    return shuffled_by_customer(hashes ^ shuffled_by_customer(as_of.astype(np.uint64)))


def first_by_hash(hashes: Hashes, as_of: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """int64[<=count]: a sample of rows, those with the smallest `row_hashes`, in the order of these."""
    return np.argsort(row_hashes(hashes, as_of), kind="stable")[:count]


def in_first_share(hashes: Hashes, share: float) -> NDArray[np.bool_]:
    """bool[n]: which of well-mixed hashes lie in the first share, below 1, of all that there can be."""
    inside: NDArray[np.bool_] = hashes < np.uint64(int(share * 2**64))
    return inside

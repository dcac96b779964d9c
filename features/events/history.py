"""A history: what happened to each customer, as sorted arrays that the kernel walks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.timeline import Instants

Codes = NDArray[np.int32]

MISSING = -1
"""The code of an absent channel, place or detail."""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Events of some customers, sorted by customer key, instant, event id and kind.

    The events of the customer `keys[c]` are the rows `offsets[c]` to `offsets[c + 1]`. Codes count
    into the tuple of names beside them, in no particular order, and mean something in this history
    only. A column that nobody asked for is empty (length 0).
    """

    keys: NDArray[np.int64]
    """int64[c], ascending customer keys."""
    offsets: NDArray[np.int64]
    """int64[c + 1]."""
    instants: Instants
    """int64[n], microseconds UTC, ascending within a customer."""
    recorded: Instants
    """int64[n], when the company learned of it, `ALWAYS` where known at once; empty when all were."""
    kinds: Codes
    values: NDArray[np.float64]
    """float64[n], NaN where absent."""
    channels: Codes
    places: Codes
    details: Codes
    kind_names: tuple[str, ...]
    channel_names: tuple[str, ...] = ()
    place_names: tuple[str, ...] = ()
    detail_names: tuple[str, ...] = ()
    event_ids: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    """Text ids, only where asked for (explanations name the events behind a change)."""

    @property
    def customers(self) -> int:
        return len(self.keys)

    @property
    def events(self) -> int:
        return len(self.instants)

"""A token bucket for each key: how many requests it may send, and how many at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

BURST = 2.0
"""Seconds' worth of requests that may come at once."""


class RateLimiter:
    """A token bucket for each key, refilled steadily; counts for one worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def wait(self, key: Hashable, rate: float) -> float:
        """0 when this key may send a request now, else the seconds until it may."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (rate * BURST, now))
        tokens = min(rate * BURST, tokens + (now - since) * rate)
        if tokens < 1.0:
            self._buckets[key] = tokens, now
            return (1.0 - tokens) / rate
        self._buckets[key] = tokens - 1.0, now
        return 0.0

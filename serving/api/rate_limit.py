"""How fast a key may ask, and how much at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

BURST = 2.0
"""Seconds' worth of requests that may come at once."""


class ServiceSettings(BaseModel):
    """`[service]`: what the prediction service takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_second: float = Field(
        default=200.0, gt=0, description="what a key may ask of one worker; more is answered 429"
    )
    body_mb: int = Field(default=32, ge=1, le=1024, description="the largest body of a request, in MB")


class RateLimiter:
    """A bucket of allowances for each key, refilled steadily; counts for one worker."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[int, tuple[float, float]] = {}

    def wait(self, key: int, rate: float) -> float:
        """0 when this key may ask now, else the seconds until it may."""
        now = self._clock()
        left, since = self._left.get(key, (rate * BURST, now))
        left = min(rate * BURST, left + (now - since) * rate)
        if left < 1.0:
            self._left[key] = left, now
            return (1.0 - left) / rate
        self._left[key] = left - 1.0, now
        return 0.0

"""The lifetime values of customers, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LifetimeEvidence = Literal["normal", "low"]


@dataclass(frozen=True)
class LifetimeHorizons:
    """Over how many months lifetime value is told, and how sure its level is."""

    months: tuple[int, ...]
    evidence: tuple[LifetimeEvidence, ...]
    """`low` where no cohort has matured over the horizon."""
    spreads: tuple[float, ...]
    """How far totals may lie off, in natural logarithms (one standard deviation)."""


@dataclass(frozen=True, eq=False)
class LifetimeValues:
    """What n customers will spend over h horizons; NaN for who never bought, and intervals for the cohort
    alone: of most others an interval of 80 % says that they will spend nothing."""

    horizons: LifetimeHorizons
    value: Floats
    """[n, h], growing from horizon to horizon."""
    low: Floats
    high: Floats
    joined_month: Ints
    """[n], the local month of joining, counted from January 1970: of the first purchase, or of the first row
    of a contract where that is earlier; -1 for who has neither."""

    def take(self, rows: Ints) -> LifetimeValues:
        """The values of these rows."""
        return LifetimeValues(
            self.horizons, self.value[rows], self.low[rows], self.high[rows], self.joined_month[rows]
        )

    @staticmethod
    def joined(parts: Sequence[LifetimeValues]) -> LifetimeValues:
        """The values of all parts, one after the other."""
        value, low, high = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("value", "low", "high")
        )
        months = np.concatenate([one.joined_month for one in parts])
        return LifetimeValues(parts[0].horizons, value, low, high, months)

"""The interval of the expected number of leavers: how far the level of the probabilities may lie off.

Each probability is a chance of its own, but the level is shared: in a hard season more leave of everybody. So
the interval does not narrow with the number of customers. It is Student's t of the misses of past levels, in
log-odds, and the binomial spread of the outcomes on top.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COVERAGE = 0.8
"""How often the number of leavers is meant to lie in the interval."""


@dataclass(frozen=True)
class ExpectedLeavers:
    """How many of a cohort are expected to leave, with an 80 % interval."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class LevelUncertainty:
    """How far past levels missed, in log-odds."""

    spread: float
    """Root mean square of the misses, held at what is usual where they are few."""
    freedom: float
    """Degrees of freedom: the more misses are known, the nearer Student's t comes to the normal curve."""
    misses: int
    """Horizons of this history from which a miss is known."""

    def expected_leavers(self, probability: Floats) -> ExpectedLeavers:
        """How many of customers with these probabilities, float64[n], are expected to leave."""
        p = np.clip(probability, 1e-12, 1.0 - 1e-12)
        expected = float(p.sum())
        if not len(p):
            return ExpectedLeavers(0.0, 0.0, 0.0)
        odds = np.log(p) - np.log1p(-p)
        reach = quantile_of_t(0.5 + COVERAGE / 2, self.freedom)
        chance = quantile_of_t(0.5 + COVERAGE / 2, 1e6) * math.sqrt(float((p * (1.0 - p)).sum()))
        low, high = (
            float((1.0 / (1.0 + np.exp(-(odds + sign * reach * self.spread)))).sum()) for sign in (-1, 1)
        )
        below, above = math.hypot(expected - low, chance), math.hypot(high - expected, chance)
        return ExpectedLeavers(expected, max(0.0, expected - below), min(float(len(p)), expected + above))

    def share_interval(self, share: float) -> tuple[float, float]:
        """The 80 % interval of the share that leaves where this share is expected, of so many that chance
        plays no part. Raises `ValueError` for a share of 0 or 1."""
        odds = math.log(share) - math.log1p(-share)
        reach = quantile_of_t(0.5 + COVERAGE / 2, self.freedom) * self.spread
        low, high = (1.0 / (1.0 + math.exp(-(odds + sign * reach))) for sign in (-1, 1))
        return low, high

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> LevelUncertainty:
        return LevelUncertainty(**d)


def level_range(amount: float, spread: float) -> tuple[float, float]:
    """The 80 % interval of an amount whose level may lie off by so much, in natural logarithms."""
    reach = _REACH * spread
    return amount * math.exp(-reach), amount * math.exp(reach)


def quantile_of_t(q: float, freedom: float) -> float:
    """The quantile of Student's t, without the libraries that a service does not load.

    Cornish and Fisher's expansion; its error is below .01 from three degrees of freedom at q up to .95.
    """
    from statistics import NormalDist

    z = NormalDist().inv_cdf(q)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


_REACH = quantile_of_t(0.5 + COVERAGE / 2, 1e6)

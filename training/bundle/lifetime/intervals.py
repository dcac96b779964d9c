"""80 % intervals of what a customer will spend: how earlier customers' spend lay around what was expected.

The spread is that of customers of whom about as many purchases were expected. Who spends nothing is the
lower end wherever more than a tenth of such customers spent nothing; the upper end then holds four fifths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COVERAGE = 0.8
"""The share of customers whose spend is meant to lie in their interval."""
OUTSIDE = (1.0 - COVERAGE) / 2


@dataclass(frozen=True)
class SpendIntervals:
    """The ends of intervals, as multiples of the value, by expected purchases; `expected` ascends."""

    expected: tuple[float, ...]
    """Natural logarithms of expected days with a purchase."""
    low: tuple[float, ...]
    high: tuple[float, ...]

    def to_json(self) -> dict[str, list[float]]:
        return {"expected": [*self.expected], "low": [*self.low], "high": [*self.high]}

    @staticmethod
    def from_json(d: Mapping[str, Sequence[float]]) -> SpendIntervals:
        return SpendIntervals(tuple(d["expected"]), tuple(d["low"]), tuple(d["high"]))

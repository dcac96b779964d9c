"""Conditions on a number as people write them: ">= 0.2", "0.1 to 0.3", "top 10%"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_COMPARED = re.compile(rf"^(>=|>|<=|<)\s*{_NUMBER}$")
_BETWEEN = re.compile(rf"^{_NUMBER}\s+to\s+{_NUMBER}$")
_RANKED = re.compile(rf"^(top|bottom)\s+{_NUMBER}\s*%$")
SHARE = "a share from 0 to 1"
"""Annotates the field of a condition on a probability, where `90` is meant as 90 %."""


@dataclass(frozen=True)
class NumberCondition:
    """`[low, high)` of a number, or of its rank among the customers who can still leave (0 = highest)."""

    low: float = -math.inf
    high: float = math.inf
    rank_low: float = -math.inf
    rank_high: float = math.inf

    @property
    def by_rank(self) -> bool:
        """Whether it is a condition on the rank, which only customers who can still leave have."""
        return (self.rank_low, self.rank_high) != (-math.inf, math.inf)

    @staticmethod
    def of(text: object) -> NumberCondition:
        """The condition that a text states; `>` and `<=` differ from `>=` and `<` by the smallest step."""
        condition = str(text).strip()
        if match := _COMPARED.match(condition):
            number = float(match[2])
            after = math.nextafter(number, math.inf)
            return {
                ">=": NumberCondition(low=number),
                ">": NumberCondition(low=after),
                "<": NumberCondition(high=number),
                "<=": NumberCondition(high=after),
            }[match[1]]
        if match := _BETWEEN.match(condition):
            return NumberCondition(low=float(match[1]), high=float(match[2]))
        if match := _RANKED.match(condition):
            share = float(match[2]) / 100
            return (
                NumberCondition(rank_high=share)
                if match[1] == "top"
                else NumberCondition(rank_low=round(1 - share, 12))
            )
        raise ValueError(f"'{condition}' is no condition: write it like >= 0.2, 0.1 to 0.3, or top 10%")

    def hold(self, values: NDArray[np.float64], ranks: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which customers fit; where the number, or the rank that is asked for, is not known (NaN) none."""
        fits: NDArray[np.bool_] = (values >= self.low) & (values < self.high)
        return fits & (ranks >= self.rank_low) & (ranks < self.rank_high) if self.by_rank else fits

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        def parsed(value: object) -> NumberCondition:
            return value if isinstance(value, NumberCondition) else NumberCondition.of(value)

        return core_schema.no_info_plain_validator_function(parsed)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value's rank from the highest, 0 to below 1, shared by equal values; NaN without a value."""
    known = np.flatnonzero(~np.isnan(values))
    found = np.full(len(values), np.nan)
    if len(known):
        ordered = np.sort(-values[known])
        found[known] = np.searchsorted(ordered, -values[known], side="left") / len(known)
    return found

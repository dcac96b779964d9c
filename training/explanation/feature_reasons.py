"""Why a customer's risk is what it is: features with what they add, before they are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["raises", "lowers"]

TELLING = 0.1
"""Log-odds from which on customers of a level are said to leave more often than others, or less."""


@dataclass(frozen=True)
class FeatureReason:
    """One line of why: a feature that speaks for its indicator, and which way the indicator pushes."""

    feature: str
    indicator: str
    value: float | None
    """None where the history says nothing."""
    value_text: str
    """The text of a detail; empty for a number."""
    typical: float | None
    """The cohort's median; None for a detail."""
    contribution: float
    """Log-odds that all features of the indicator add together; never percentage points."""
    direction: Direction
    actionable: bool = True
    """Whether anything that the company or the customer does can change it."""
    aspect: str = ""
    """What of the indicator it is about: rhythm, amount or variety; two of one aspect say the same twice."""
    level: float = 0.0
    """The log-odds by which more of the customers with this detail left than others."""

    @property
    def of_its_level(self) -> bool:
        """Whether customers with the detail leave as the reason says: more often, or less."""
        return abs(self.level) >= TELLING and (self.level > 0) == (self.direction == "raises")


@dataclass(frozen=True)
class FeatureChange:
    """One line of what moved the risk between two as-of dates."""

    before: FeatureReason
    after: FeatureReason
    shift: float
    """Log-odds by which all features of the indicator moved the risk."""

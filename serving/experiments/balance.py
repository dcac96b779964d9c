"""Balance of the arms: standardised differences of what was known before the campaign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.experiments.assignment import CONTROL, TREATMENT

EVEN = 0.1
"""The standardised difference below which arms count as balanced (Austin 2009)."""


@dataclass(frozen=True)
class CovariateBalance:
    """A covariate's mean in each arm, and their standardised difference; None where an arm has no value."""

    covariate: str
    treatment: float | None
    control: float | None
    standardised_difference: float | None

    @property
    def is_uneven(self) -> bool:
        """Whether the difference is above what the literature calls balanced; false where it is not known."""
        return abs(self.standardised_difference or 0.0) >= EVEN


def covariate_balance(
    arm: NDArray[np.int8], covariates: Mapping[str, NDArray[np.float64]]
) -> tuple[CovariateBalance, ...]:
    """The balance of each covariate, over the customers who have a value (not NaN)."""
    return tuple(_balance(name, arm, values) for name, values in covariates.items())


def _balance(name: str, arm: NDArray[np.int8], values: NDArray[np.float64]) -> CovariateBalance:
    """The difference of the means over the square root of the mean of both variances.

    Austin, P. C. (2009), Balance diagnostics for comparing the distribution of baseline covariates between
    treatment groups, Statistics in Medicine 28, 3083–3107.
    """
    known = ~np.isnan(values)
    treated, control = values[known & (arm == TREATMENT)], values[known & (arm == CONTROL)]
    if not len(treated) or not len(control):
        one, other = (float(part.mean()) if len(part) else None for part in (treated, control))
        return CovariateBalance(name, one, other, None)
    difference = float(treated.mean() - control.mean())
    spread = math.sqrt((float(treated.var()) + float(control.var())) / 2)
    standardised = difference / spread if spread > 0 else (0.0 if difference == 0 else None)
    return CovariateBalance(name, float(treated.mean()), float(control.mean()), standardised)

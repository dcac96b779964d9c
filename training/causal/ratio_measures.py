"""Ratio measures of an arm, such as spend ÷ orders, as an outcome of each customer by the delta method."""

from __future__ import annotations

import numpy as np

from features.errors import DataError
from training.causal.covariates import Booleans
from training.statistics import Floats


def ratio_outcome(numerators: Floats, denominators: Floats, treated: Booleans) -> Floats:
    """float64[customers] whose mean in each arm is Σ numerators ÷ Σ denominators, with its error.

    The ratio is linearised in its arm: R + (y − R x) ÷ mean of x. Deng, A., Knoblich, U. and Lu, J. (2018),
    Applying the delta method in metric analytics, KDD. Customers without either value are NaN. It is compared
    like any other outcome, with covariates too. Raises `DataError` where the denominators of an arm sum to 0.
    """
    known = np.isfinite(numerators) & np.isfinite(denominators)
    outcome = np.full(len(treated), np.nan)
    for name, arm in (("treatment", treated & known), ("control", ~treated & known)):
        total = denominators[arm].sum()
        if total == 0:
            raise DataError(
                f"cannot compare a ratio: its denominators sum to 0 in the {name} arm. Leave the ratio out."
            )
        ratio = numerators[arm].sum() / total
        outcome[arm] = ratio + (numerators[arm] - ratio * denominators[arm]) * (arm.sum() / total)
    return outcome

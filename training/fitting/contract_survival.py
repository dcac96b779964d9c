"""How long contracts run: the likeliest population of exponential durations whose rates differ as a gamma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training.bundle.lifetime.parameters import ContractSurvival

Floats = NDArray[np.float64]

FEWEST = 50
"""Contracts that a population is told from."""
WIDEST = 5.0
"""How far, in natural logarithms, the shape may go from 1."""
PULL = 1.0
"""How hard the parameters are held, in contracts: where none has ended there is no unique answer."""


def fit_contract_survival(days: Floats, ended: Floats, period: float) -> ContractSurvival | None:
    """The population that makes these durations likeliest; None of fewer than `FEWEST` contracts.

    float64[n] each: the days that a contract has run, and 1 where it has ended, 0 where it runs on.
    """
    from scipy.optimize import minimize

    if len(days) < FEWEST or not days.sum() > 0:
        return None
    mean = (days.sum() + days.mean()) / (ended.sum() + 1.0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        shape, scale = np.exp(theta[0]), np.exp(theta[1] + theta[0]) * mean
        beyond = np.log1p(days / scale)
        likelihood = ended.sum() * (theta[0] - np.log(scale)) - ((shape + ended) * beyond).sum()
        of_scale = ((shape + ended) * days / (scale + days)).sum() - ended.sum()
        of_shape = ended.sum() - shape * beyond.sum() + of_scale
        slope = np.array([of_shape, of_scale])
        return float(PULL / 2 * (theta**2).sum() - likelihood), PULL * theta - slope

    with threadpool_limits(limits=1, user_api="blas"):
        found = minimize(loss, np.zeros(2), method="L-BFGS-B", jac=True, bounds=[(-WIDEST, WIDEST)] * 2)
    shape, scale = float(np.exp(found.x[0])), float(np.exp(found.x.sum()) * mean)
    return ContractSurvival(shape, scale, period)

"""Gamma-Gamma: how the spend of a day with a purchase differs within and between customers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training.bundle.lifetime.parameters import GammaGammaParameters

Floats = NDArray[np.float64]

WIDEST = 6.0
"""How far, in natural logarithms, a parameter may go from 1."""
PULL = 1.0
"""How hard they are held there, in customers: of equal spends there is no unique answer."""


def fit_gamma_gamma(active_days: Floats, total: Floats) -> GammaGammaParameters | None:
    """The population that makes these customers' spend likeliest; None where nobody spent anything.

    float64[n] each: days with a purchase (1 or more), and what they brought together.
    """
    from scipy.optimize import minimize
    from scipy.special import digamma, gammaln

    spent = total > 0
    if not spent.any():
        return None
    days, mean = active_days[spent], total[spent] / active_days[spent]
    unit = float(mean.mean())
    mean = mean / unit
    logs = np.log(mean)

    def loss(theta: Floats) -> tuple[float, Floats]:
        p, above, scale = np.exp(theta)
        q, whole, beside = above + 1.0, p * days, np.log(scale + days * mean)
        likelihood = gammaln(whole + q) - gammaln(whole) - gammaln(q) + q * np.log(scale)
        likelihood += (whole - 1.0) * logs + whole * np.log(days) - (whole + q) * beside
        both = digamma(whole + q)
        of_p = (days * (both - digamma(whole) + logs + np.log(days) - beside)).sum()
        of_q = (both - digamma(q) + np.log(scale) - beside).sum()
        of_scale = (q / scale - (whole + q) / (scale + days * mean)).sum()
        slope = np.array([of_p, of_q, of_scale]) * np.exp(theta)
        return float(PULL / 2 * (theta**2).sum() - likelihood.sum()), PULL * theta - slope

    with threadpool_limits(limits=1, user_api="blas"):
        found = minimize(loss, np.zeros(3), method="L-BFGS-B", jac=True, bounds=[(-WIDEST, WIDEST)] * 3)
    p, above, scale = (float(value) for value in np.exp(found.x))
    return GammaGammaParameters(p, above + 1.0, scale * unit)

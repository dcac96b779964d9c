"""Means of an arm of an experiment by regression on covariates, with the influence of every customer.

Intervals, correlations between outcomes and skewness all come from the influences: the covariance of the
means is the sum of their products (HC2), the third cumulant the sum of their cubes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.causal.covariates import Booleans
from training.statistics import Floats

Places = NDArray[np.intp]

BLOCK = 1 << 13
"""Customers whose influences are held at a time."""
CUSTOMERS_PER_PARAMETER = 5
"""With fewer customers of an arm for each coefficient, there is no regression."""
LARGEST_LEVERAGE = 1 - 1e-6
"""A customer above it decides a coefficient alone, and says nothing about its variance."""


@dataclass(frozen=True, eq=False)
class ArmMeans:
    """The mean of each outcome in one arm, at the mean covariates of both arms."""

    means: Floats
    covariance: Floats
    """float64[outcomes, outcomes], HC2."""
    cumulants: Floats
    """Third cumulants of the means."""
    customers: Floats
    """How many have a value of the outcome."""
    degrees: Floats
    """Degrees of freedom of the variances."""


@dataclass(frozen=True, eq=False)
class ArmRegression:
    """The regression of outcomes that are known of the same customers, in one arm."""

    columns: Places
    """The outcomes."""
    basis: Floats
    """float64[customers, coefficients]: orthonormal columns, 0 for customers whose outcome is not known."""
    triangle: Floats
    """The basis times it is the design: 1 and the covariates."""
    coefficients: Floats
    means: Floats
    weights: Floats
    """Per customer: its weight in the mean, divided by √(1 − leverage) as HC2 wants it."""
    scale: Floats
    """Per customer: 1 ÷ √(1 − leverage); 0 where the outcome is not known."""
    customers: int


def regress_arm(
    outcomes: Floats, rows: Places, columns: Places, known: Booleans | None, covariates: Floats
) -> ArmRegression | None:
    """Least squares of some outcomes on covariates within an arm; one decomposition for all of them.

    `rows` are the customers of the arm in `outcomes` and `covariates`; `known` says of each whether the
    outcomes are known, None where all are. The covariates have the mean 0 over both arms. None where there
    are too few customers, or one alone decides a coefficient. Without covariates it is the plain mean.

    Lin, W. (2013), Agnostic notes on regression adjustments to experimental data: reexamining Freedman's
    critique, Annals of Applied Statistics 7, 295–318: a regression with all interactions is one in each arm.
    """
    design = np.column_stack([np.ones(len(rows)), covariates[rows]])
    customers = len(rows)
    if known is not None:
        design *= known[:, np.newaxis]
        customers = int(known.sum())
    coefficients = design.shape[1]
    if customers < max(1, CUSTOMERS_PER_PARAMETER * (coefficients - 1)):
        return None
    basis, triangle = np.linalg.qr(design)
    pivots = np.abs(np.diag(triangle))
    if pivots.min() < 1e-6 * pivots.max():
        return None
    leverage = np.einsum("ij,ij->i", basis, basis)
    if coefficients > 1 and leverage.max() > LARGEST_LEVERAGE:
        return None
    moments = np.zeros((coefficients, len(columns)))
    for block in blocks(len(rows)):
        moments += basis[block].T @ _values(outcomes, rows[block], columns)
    first = np.linalg.solve(triangle.T, np.eye(coefficients)[0])
    with np.errstate(divide="ignore", invalid="ignore"):  # a single customer has leverage 1 and no variance
        scale = 1 / np.sqrt(1 - leverage)
        weights = basis @ first * scale
    if known is not None:
        scale *= known
    return ArmRegression(columns, basis, triangle, moments, first @ moments, weights, scale, customers)


def arm_means(outcomes: Floats, rows: Places, regressions: Sequence[ArmRegression]) -> ArmMeans:
    """The means of all outcomes of an arm with their joint HC2 covariance, from its regressions.

    An outcome's influences are 0 for customers of whom it is not known. HC2: MacKinnon, J. G. and White, H.
    (1985), Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
    properties, Journal of Econometrics 29, 305–325; without covariates it is Neyman's s²/n.
    """
    count = outcomes.shape[1]
    means, customers, degrees, cumulants = (np.zeros(count) for _ in range(4))
    for one in regressions:
        means[one.columns], customers[one.columns] = one.means, one.customers
        degrees[one.columns] = one.customers - len(one.coefficients)
    covariance = np.zeros((count, count))
    for block in blocks(len(rows)):
        influences = np.empty((len(rows[block]), count))
        for one in regressions:
            residuals = _values(outcomes, rows[block], one.columns)
            residuals -= one.basis[block] @ one.coefficients
            with np.errstate(invalid="ignore"):  # of a single customer, as above
                residuals *= one.weights[block, np.newaxis]
            if len(one.columns) == count:
                influences = residuals
            else:
                influences[:, one.columns] = residuals
        covariance += influences.T @ influences
        cumulants += np.einsum("ij,ij->j", influences * influences, influences)
    return ArmMeans(means, covariance, cumulants, customers, degrees)


def residuals(outcomes: Floats, rows: Places, regression: ArmRegression, columns: Places) -> Floats:
    """float64[known customers, columns]: residuals ÷ √(1 − leverage) of some of a regression's outcomes."""
    fitted = regression.coefficients[:, np.isin(regression.columns, columns)]
    values = (_values(outcomes, rows, columns) - regression.basis @ fitted) * regression.scale[:, np.newaxis]
    return np.asarray(values[regression.scale > 0])


def known_covariates(regression: ArmRegression) -> Floats:
    """float64[known customers, covariates]: the covariates that a regression was fitted on."""
    design = regression.basis @ regression.triangle
    return np.asarray(design[regression.scale > 0, 1:])


def _values(outcomes: Floats, rows: Places, columns: Places) -> Floats:
    """The values of some customers and outcomes, 0 where not known."""
    values = np.take(outcomes, rows, axis=0)
    if len(columns) < outcomes.shape[1]:
        values = values[:, columns]
    missing = np.isnan(values)
    if missing.any():
        values[missing] = 0.0
    return values


def blocks(customers: int) -> Iterator[slice]:
    """Slices of a few thousand customers, which the processor's cache holds."""
    for start in range(0, customers, BLOCK):
        yield slice(start, start + BLOCK)

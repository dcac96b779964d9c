"""Covariates of the day of assignment, made ready for regression adjustment: filled, scaled, independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from training.statistics import Floats

Booleans = NDArray[np.bool_]

INDEPENDENT = 1e-6
"""The least share of the variance, within each arm, that a covariate has for itself alone."""
NEAR = 4.0
SHARE_OF_ONE = 0.04
"""Values of a covariate further than √(0.04 × customers of the smaller arm) deviations from the mean,
and than 4, are drawn in to there: one customer would else decide the slope. With thousands in each arm none
is. The effect stays the difference of the whole outcomes: money is not cut by it. Over draws on the spend of
wholesalers 95 % intervals held the truth in 79 % without this and the draws of `skewed_means`."""


@dataclass(frozen=True, eq=False)
class Covariates:
    """Columns for the regression, each with mean 0 and variance 1, and what was left out and why."""

    values: Floats
    """float64[customers, columns]."""
    names: tuple[str, ...]
    notes: tuple[str, ...]


def usable_covariates(values: Floats, names: Sequence[str], treated: Booleans) -> Covariates:
    """The covariates that a regression within each arm can use, with an indicator where values are missing.

    `values` is float64[customers, covariates], NaN where not known. A missing value takes the mean of all,
    and a column `NAME is missing` says so, which leaves the estimate consistent, as neither depends on the
    arm (Zhao, A. and Ding, P. 2024, To adjust or not to adjust? Estimating the average treatment effect in
    randomized experiments with missing covariates, Journal of the American Statistical Association 119,
    450–460). A column that is constant in an arm, or that those before it determine, is left out with a note.
    """
    columns: list[Floats] = []
    labels: list[str] = []
    notes: list[str] = []
    for name, column in zip(names, values.T, strict=True):
        missing = ~np.isfinite(column)
        if missing.all():
            notes.append(f"covariate '{name}' is left out: nobody has a value of it.")
            continue
        columns.append(np.where(missing, column[~missing].mean(), column) if missing.any() else column)
        labels.append(name)
        if missing.any():
            columns.append(missing.astype(np.float64))
            labels.append(f"{name} is missing")
    if not columns:
        return Covariates(np.empty((len(treated), 0)), (), tuple(notes))
    matrix = np.column_stack(columns)
    # Rounding leaves a constant column with a spread of its size times 1e-16: that is no spread.
    sizes = np.abs(matrix).max(axis=0)
    matrix -= matrix.mean(axis=0)
    deviations = matrix.std(axis=0)
    matrix /= np.where(deviations > 1e-12 * sizes, deviations, np.inf)
    furthest = max(NEAR, np.sqrt(SHARE_OF_ONE * min(treated.sum(), (~treated).sum())))
    for label, column in zip(labels, matrix.T, strict=True):
        far = np.abs(column) > furthest
        if far.any() and not np.isin(column, (column.min(), column.max())).all():
            np.clip(column, -furthest, furthest, out=column)
            column -= column.mean()
            notes.append(f"covariate '{label}' has extreme values, which count as less extreme ones.")
    kept = _independent([_covariance(matrix[treated]), _covariance(matrix[~treated])])
    notes += [
        f"covariate '{label}' is left out: within an arm it is constant, or the others determine it."
        for label in compress(labels, ~kept)
    ]
    return Covariates(matrix[:, kept], tuple(compress(labels, kept)), tuple(notes))


def _covariance(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / len(rows))


def _independent(covariances: Sequence[Floats]) -> Booleans:
    """Which columns add variance of their own to those kept before them, in every arm.

    A Cholesky decomposition of each arm's covariance matrix, by columns; one without a pivot is skipped.
    """
    kept = np.zeros(len(covariances[0]), dtype=np.bool_)
    roots = [np.zeros_like(covariance) for covariance in covariances]
    for place in range(len(kept)):
        for root, covariance in zip(roots, covariances, strict=True):
            for column in np.flatnonzero(kept):
                left = covariance[place, column] - root[place, :column] @ root[column, :column]
                root[place, column] = left / root[column, column]
        pivots = [
            covariance[place, place] - root[place, :place] @ root[place, :place]
            for root, covariance in zip(roots, covariances, strict=True)
        ]
        kept[place] = min(pivots) > INDEPENDENT
        for root, pivot in zip(roots, pivots, strict=True):
            root[place, place] = np.sqrt(pivot) if kept[place] else 0.0
            if not kept[place]:
                root[place, :] = 0.0
    return kept

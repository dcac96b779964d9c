"""Fitting the ridge logistic regression on normal scores that is blended with the churn trees.

Trees follow thresholds, the regression the whole course of a column: 30 % of it gained between .3 and 1
thousandths of AUC on every history of purchases looked at, with the indicators of missing values a little
more than without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import codes_of_levels
from training.bundle.score_regression import ScoredColumn, ScoreRegression
from training.data.contact_weights import effective_weights
from training.data.customer_hashes import first_by_hash
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.lightgbm import date_levels

Floats = NDArray[np.float64]

SHARE = 0.3
"""The regression's share of the log-odds; the trees have the rest."""
RIDGE = 100.0
"""How hard the coefficients are held at 0: 30 to 300 gave the same AUC within .0005."""
QUANTILES = 33
"""Entries of a column's table, evenly spaced in normal scores; 101 ranked no better."""
REACH = 3.0
"""The scores between which they lie."""
ROWS_AT_ONCE = 2_048
"""Rows of which the curvature is summed up at once."""
MOST_ROWS = 10_000
"""Rows that the coefficients are fitted on: more cost seconds and move nothing."""
LEAST_SHARE = 0.05
"""Of the rows, those that must have a value, and must have a missing one for an indicator."""
DIGITS = 6
"""Decimals of what is frozen: what a last bit of linear algebra could change does not reach a bundle."""


def fit_score_regression(known: LabelledRows, *, levels: bool = True) -> ScoreRegression:
    """The regression of these rows; with `levels` each begins from the level of its own as-of date.

    Its log-odds lie at the level of all rows together, as those of the trees do.
    """
    rows = _sampled(known)
    matrix = rows.by_column(np.arange(len(rows.columns)))
    tables = list(_tables(matrix, codes_of_levels(rows.columns)))
    absent = np.isnan(matrix[:, [column for column, _, _ in tables]])
    shares = absent.mean(axis=0)
    indicated = np.flatnonzero((shares >= LEAST_SHARE) & (shares <= 1.0 - LEAST_SHARE))
    design = np.ones((len(rows), len(tables) + len(indicated) + 1))
    for place, (column, values, quantiles) in enumerate(tables):
        design[:, place] = _scores(matrix[:, column], values, quantiles)
    design[:, len(tables) : -1] = absent[:, indicated]
    del matrix
    offset, level = date_levels(rows.churned, rows.as_of, rows.weight)
    if not levels:
        offset = np.full(len(rows), level)
    weight = np.ones(len(rows)) if rows.weight is None else effective_weights(rows.weight)
    fitted = _ridge_logistic(design, rows.churned.astype(np.float64), offset, weight)
    coefficients, intercept = fitted[: len(tables)], fitted[-1] + level
    missing = np.zeros(len(tables))
    missing[indicated] = fitted[len(tables) : -1]
    mean, gone = (np.average(part, axis=0, weights=weight) for part in (design[:, : len(tables)], absent))
    columns = tuple(
        ScoredColumn(
            column,
            tuple(map(float, values)),
            tuple(np.round(quantiles, DIGITS).tolist()),
            *(round(float(x), DIGITS) for x in (coefficient, out, centre, share)),
        )
        for (column, values, quantiles), coefficient, out, centre, share in zip(
            tables, coefficients, missing, mean, gone, strict=True
        )
    )
    return ScoreRegression(SHARE, round(float(intercept), DIGITS), columns)


def _sampled(rows: LabelledRows) -> LabelledRows:
    """At most `MOST_ROWS`, chosen by a hash of customer and date."""
    if len(rows) <= MOST_ROWS:
        return rows
    return rows.where(np.sort(first_by_hash(rows.hashes, rows.as_of, MOST_ROWS)))


def _tables(
    matrix: NDArray[np.float32] | Floats, codes: Sequence[int]
) -> Iterator[tuple[int, Floats, Floats]]:
    """Each column that varies and has values enough: its place, its quantiles, and their normal scores.

    Those of `codes` are left out.
    """
    from scipy.special import ndtr, ndtri

    at = np.r_[0.0, ndtr(np.linspace(-REACH, REACH, QUANTILES)), 1.0]
    places: dict[int, NDArray[np.int64]] = {}
    for column in range(matrix.shape[1]):
        if column in codes:
            continue
        every = matrix[:, column].astype(np.float64)
        present = np.sort(every[~np.isnan(every)])
        if len(present) < max(2, LEAST_SHARE * len(matrix)) or present[0] == present[-1]:
            continue
        if len(present) not in places:
            nearest = np.quantile(np.arange(len(present)), at, method="nearest")
            places[len(present)] = np.asarray(nearest, dtype=np.int64)
        quantiles = np.unique(present[places[len(present)]])
        # Equal values share the middle of their ranks.
        rank = (
            np.searchsorted(present, quantiles, "left") + np.searchsorted(present, quantiles, "right")
        ) / (2 * len(present))
        yield column, quantiles, ndtri(rank)


def _scores(column: NDArray[np.float32] | Floats, values: Floats, quantiles: Floats) -> Floats:
    """float64[n]: the normal score of each value, 0 where it is missing."""
    return np.where(np.isnan(column), 0.0, np.interp(column, values, quantiles))


def _ridge_logistic(whole: Floats, churned: Floats, offset: Floats, weight: Floats) -> Floats:
    """float64[columns]: the coefficients; the last one, of the intercept's column of ones, is not held."""
    from scipy.linalg import cho_factor, solve_triangular
    from scipy.optimize import minimize
    from scipy.special import expit

    ridge = np.full(whole.shape[1], RIDGE)
    ridge[-1] = 1e-3
    p = expit(offset)
    # The curvature at the start turns the search into one of few steps.
    curvature = np.diag(ridge)
    for begin in range(0, len(whole), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        curved = whole[part] * np.sqrt(weight * p * (1.0 - p))[part, None]
        curvature += curved.T @ curved
    root = np.triu(cho_factor(curvature)[0])

    def loss(turned: Floats) -> tuple[float, Floats]:
        theta = solve_triangular(root, turned)
        margin = whole @ theta + offset
        total = np.sum(weight * (np.logaddexp(0.0, margin) - churned * margin)) + ridge @ theta**2 / 2
        gradient = whole.T @ (weight * (expit(margin) - churned)) + ridge * theta
        return float(total), solve_triangular(root, gradient, trans="T")

    found = minimize(
        loss,
        np.zeros(whole.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 100, "ftol": 1e-11, "gtol": 1e-5},
    )
    theta: Floats = solve_triangular(root, found.x)
    return theta

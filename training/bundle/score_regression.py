"""Ridge logistic regression on normal scores: the linear part of the churn model, as plain numbers.

A normal score is the normal quantile of a value's rank among the rows learned from (van der Waerden). Each
column has a frozen table of quantiles; a value between two of them is interpolated, one beyond the ends has
the score of the end, and a missing one has score 0 and an indicator of its own.

The compiled part, `_log_odds` and `_explain`. Inputs: `matrix`, float64[n, f]; `_Arrays`. Output: float64[n]
log-odds, or additions to float64[n, f + 1] contributions. Invariant: a row gets the same bits alone, in a
batch and on any number of threads. Plain version: `numpy.interp` and a dot product; a test compares them.
Read on only to change the speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from training.bundle.row_threads import in_row_threads

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredColumn:
    """One column of the regression: its quantile table, and what it adds to the log-odds."""

    column: int
    """Its place in the catalogue."""
    values: tuple[float, ...]
    """Ascending quantiles of the rows learned from."""
    scores: tuple[float, ...]
    """The normal score of each."""
    coefficient: float
    missing: float
    """What the log-odds gain where the value is missing."""
    mean_score: float
    """The mean score of the cohort learned from: contributions are distances from it."""
    missing_share: float


@dataclass(frozen=True)
class ScoreRegression:
    """A frozen regression, and its share of the churn model's log-odds; the trees have the rest."""

    share: float
    intercept: float
    columns: tuple[ScoredColumn, ...]

    def __call__(self, matrix: Floats, threads: int = 0) -> Floats:
        """float64[n]: the log-odds of rows float64[n, f] in the catalogue's column order."""
        log_odds = np.empty(len(matrix))
        in_row_threads(
            lambda part: _log_odds(matrix[part], self._arrays, self.intercept, log_odds[part]),
            len(matrix),
            threads,
        )
        return log_odds

    def blend(self, trees: Floats, matrix: Floats, threads: int = 0) -> Floats:
        """float64[n]: the log-odds of the churn model, from those of its trees."""
        return (1.0 - self.share) * trees + self.share * self(matrix, threads)

    def blend_contributions(self, trees: Floats, matrix: Floats, threads: int = 0) -> Floats:
        """float64[n, f + 1]: the contributions of the churn model, written over those of its trees.

        A column adds its coefficient times the distance of its score from the cohort's mean; the means make
        up the base value.
        """
        in_row_threads(
            lambda part: _explain(matrix[part], self._arrays, self.share, self._base, trees[part]),
            len(matrix),
            threads,
        )
        return trees

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """int64: the columns it reads."""
        return np.array([one.column for one in self.columns], dtype=np.int64)

    @cached_property
    def _base(self) -> float:
        """The log-odds of a row with the mean of every score."""
        return self.intercept + sum(
            one.coefficient * one.mean_score + one.missing * one.missing_share for one in self.columns
        )

    @cached_property
    def _arrays(self) -> _Arrays:
        return _Arrays(
            self.places,
            np.cumsum([0, *(len(one.values) for one in self.columns)]),
            np.array([value for one in self.columns for value in one.values]),
            np.array([score for one in self.columns for score in one.scores]),
            np.array([one.coefficient for one in self.columns]),
            np.array([one.missing for one in self.columns]),
            np.array([one.coefficient * one.mean_score for one in self.columns]),
            np.array([one.missing * one.missing_share for one in self.columns]),
        )

    def to_json(self) -> dict[str, Any]:
        columns = [
            {**vars(one), "values": list(one.values), "scores": list(one.scores)} for one in self.columns
        ]
        return {"share": self.share, "intercept": self.intercept, "columns": columns}

    @staticmethod
    def from_json(d: dict[str, Any]) -> ScoreRegression:
        columns = tuple(
            ScoredColumn(**{**one, "values": tuple(one["values"]), "scores": tuple(one["scores"])})
            for one in d["columns"]
        )
        return ScoreRegression(d["share"], d["intercept"], columns)


class _Arrays(NamedTuple):
    """The columns of a regression end to end."""

    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    """int64[columns + 1]: the table of column c is `values[starts[c]:starts[c + 1]]`."""
    values: Floats
    scores: Floats
    coefficients: Floats
    missing: Floats
    mean: Floats
    """What the mean score of each column adds."""
    mean_missing: Floats


_ROWS_AT_ONCE = 64
"""Rows that go through a column together: its table stays in the processor's cache."""


@numba.njit(cache=True, nogil=True)
def _added(value, column, arrays):  # type: ignore[no-untyped-def]
    """What one column adds to the log-odds."""
    if np.isnan(value):
        return arrays.missing[column]
    values, scores = arrays.values, arrays.scores
    low, last = arrays.starts[column], arrays.starts[column + 1] - 1
    if value >= values[last]:
        return arrays.coefficients[column] * scores[last]
    if value <= values[low]:
        return arrays.coefficients[column] * scores[low]
    left = last - low
    while left > 1:  # without a branch that the processor would have to guess
        half = left // 2
        low += half * (values[low + half] <= value)
        left -= half
    part = (value - values[low]) / (values[low + 1] - values[low])
    return arrays.coefficients[column] * (scores[low] + part * (scores[low + 1] - scores[low]))


@numba.njit(cache=True, nogil=True)
def _log_odds(matrix, arrays, intercept, log_odds):  # type: ignore[no-untyped-def]
    for begin in range(0, len(matrix), _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, len(matrix))
        for row in range(begin, end):
            log_odds[row] = intercept
        for column in range(len(arrays.places)):
            for row in range(begin, end):
                log_odds[row] += _added(matrix[row, arrays.places[column]], column, arrays)


@numba.njit(cache=True, nogil=True)
def _explain(matrix, arrays, share, base, contributions):  # type: ignore[no-untyped-def]
    width = contributions.shape[1]
    for begin in range(0, len(matrix), _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, len(matrix))
        for row in range(begin, end):
            for at in range(width):
                contributions[row, at] *= 1.0 - share
            contributions[row, width - 1] += share * base
        for column in range(len(arrays.places)):
            at = arrays.places[column]
            mean = arrays.mean[column] + arrays.mean_missing[column]
            for row in range(begin, end):
                contributions[row, at] += share * (_added(matrix[row, at], column, arrays) - mean)

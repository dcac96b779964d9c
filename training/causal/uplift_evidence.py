"""Whether contact helps some customers more than others: the test that an uplift model must pass before it is
used.

The model is used for ranking only if the 95 % interval of its cross-fitted Qini coefficient lies above zero
**and** so does that of its paired difference to the plain response model, on the same folds and the same
resamples. High response is not uplift: without the second condition a model would pass that finds those who
come anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.causal.uplift_features import CodeBook, code_book
from training.causal.uplift_metrics import RESAMPLES, QiniIntervals, paired_qini
from training.causal.uplift_models import CrossFittedScores, UpliftParameters, cross_fit

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Reason = Literal[
    "used",
    "qini_not_above_zero",
    "not_better_than_response",
    "empty_arm",
    "too_few_customers",
    "too_few_outcomes",
    "no_features",
]

FEWEST_CUSTOMERS = 100
FEWEST_OUTCOMES = 10
"""Customers of each arm whose outcome is not the most common one: with fewer, resampling says too little."""


@dataclass(frozen=True, eq=False)
class UpliftAssessment:
    """The evidence on one outcome; `intervals`, `scores` and `book` are None where nothing was fitted."""

    reason: Reason
    treated: Flags
    outcome: Floats
    intervals: QiniIntervals | None = None
    scores: CrossFittedScores | None = None
    book: CodeBook | None = None

    @property
    def used(self) -> bool:
        """Whether the uplift may rank customers."""
        return self.reason == "used"


def assess_uplift(
    features: pa.Table,
    treated: Flags,
    outcome: Floats,
    probability: Floats | float,
    *,
    parameters: UpliftParameters | None = None,
    resamples: int = RESAMPLES,
) -> UpliftAssessment:
    """Cross-fit the uplift models and compare their Qini coefficient with zero and with the response model's.

    `features` has a row a customer, known on the day of assignment; `treated` is bool[n], `outcome`
    float64[n], and `probability` the known probability of treatment, one or float64[n]. Customers without
    outcome (NaN) are left out.
    """
    known = ~np.isnan(outcome)
    chances = np.broadcast_to(np.asarray(probability, dtype=np.float64), outcome.shape)[known]
    features, treated, outcome = features.filter(pa.array(known)), treated[known], outcome[known]
    book = code_book(features)
    refused = _refusal(treated, outcome, book)
    if refused is not None:
        return UpliftAssessment(refused, treated, outcome, book=book)
    scores = cross_fit(book.encode(features), treated, outcome, chances, parameters)
    intervals = paired_qini(scores.uplift, scores.response, treated, outcome, count=resamples)
    return UpliftAssessment(verdict(intervals), treated, outcome, intervals, scores, book)


def verdict(intervals: QiniIntervals) -> Reason:
    """Whether both intervals lie above zero, and if not, which does not."""
    if not intervals.low > 0:
        return "qini_not_above_zero"
    return "used" if intervals.difference_low > 0 else "not_better_than_response"


def _refusal(treated: Flags, outcome: Floats, book: CodeBook) -> Reason | None:
    """Why nothing can be fitted; None where it can."""
    if not treated.any() or treated.all():
        return "empty_arm"
    if len(outcome) < FEWEST_CUSTOMERS:
        return "too_few_customers"
    values, counts = np.unique(outcome, return_counts=True)
    other = outcome != values[np.argmax(counts)]
    if min(other[treated].sum(), other[~treated].sum()) < FEWEST_OUTCOMES:
        return "too_few_outcomes"
    return None if book.columns else "no_features"

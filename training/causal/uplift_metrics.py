"""Qini curve, Qini coefficient and uplift by decile: does a score rank customers by what contact changes?

The **Qini curve** is as in Radcliffe, N. J. (2007), Using control groups to target on predicted lift:
building and assessing uplift models, Direct Marketing Analytics Journal, 14–21. Customers are put in order of
the score, the highest first. For the first share x of all customers

    g(x) = (Y_t(x) − Y_c(x) · n_t(x) / n_c(x)) / N_t

with the outcomes Y and the customers n of treatment (t) and control (c) among them, and N_t the treated
customers of the campaign. It is the number of incremental outcomes per treated customer if only these had
been contacted; g(1) is the average effect. A score that says nothing follows the straight line x · g(1). The
**Qini coefficient** is the area between the curve and that line over 0 ≤ x ≤ 1, here × 1,000: incremental
outcomes per 1,000 treated customers above random targeting, averaged over all shares that could have been
contacted.

Customers with the same score stand at the same place: between the first and the last of them the curve is a
straight line, the average over their orders. So a constant score has a coefficient of exactly 0. Until the
first control customer (and the first treated one) has come there is no comparison, and the curve is the
straight line to there.

Intervals resample customers. The scores stay as they are: they were predicted for customers whom the models
had not seen, and several scores are measured on the same resamples, so that their difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.causal import uplift_kernels
from training.causal.effect import Effect, compare_arms
from training.statistics import percentile_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

PER = 1000
"""Figures are incremental outcomes per this many treated customers."""
RESAMPLES = 1000
DECILES = 10


@dataclass(frozen=True)
class QiniCurve:
    """Incremental outcomes per 1,000 treated customers by the share of customers contacted, best first."""

    share: Floats
    """float64[m], from 0 to 1."""
    gain: Floats
    """float64[m], from 0 to the average effect × 1,000."""

    @property
    def coefficient(self) -> float:
        """The area between the curve and the straight line of random targeting."""
        return float(np.trapezoid(self.gain, self.share) - self.gain[-1] / 2)


@dataclass(frozen=True)
class QiniIntervals:
    """Qini coefficients of two scores on the same customers, with 95 % bootstrap intervals of one and of the
    difference.
    """

    qini: float
    low: float
    high: float
    other: float
    """The coefficient of the score that is compared with."""
    difference: float
    difference_low: float
    difference_high: float


def qini_curve(score: Floats, treated: Flags, outcome: Floats) -> QiniCurve:
    """The Qini curve of a score: float64[n], bool[n] and float64[n] (1.0 and 0.0, or amounts), a row a
    customer.
    """
    order, ends = _ranked(score)
    share, gain = uplift_kernels.curve(
        order, ends, treated, outcome.astype(np.float64), np.ones(len(score), np.int64)
    )
    return QiniCurve(share, gain * PER)


def qini_coefficient(score: Floats, treated: Flags, outcome: Floats) -> float:
    """The Qini coefficient of a score, in incremental outcomes per 1,000 treated customers; NaN without two
    arms.
    """
    return qini_curve(score, treated, outcome).coefficient


def resampled_qini(
    scores: Sequence[Floats], treated: Flags, outcome: Floats, *, seed: int = 0, count: int = RESAMPLES
) -> Floats:
    """float64[count, scores]: the Qini coefficient of each score on the same bootstrap resamples of
    customers.
    """
    ranked = [_ranked(score) for score in scores]
    outcome = outcome.astype(np.float64)
    generator = np.random.default_rng(seed)
    n = len(treated)
    figures = np.empty((count, len(ranked)))
    for row in figures:
        weight = np.bincount(generator.integers(0, n, n), minlength=n)
        for at, (order, ends) in enumerate(ranked):
            row[at] = uplift_kernels.coefficient(order, ends, treated, outcome, weight) * PER
    return figures


def paired_qini(
    score: Floats,
    compared_with: Floats,
    treated: Flags,
    outcome: Floats,
    *,
    seed: int = 0,
    count: int = RESAMPLES,
) -> QiniIntervals:
    """The Qini coefficient of a score with its interval, and of its difference to another score on the same
    resamples.
    """
    drawn = resampled_qini([score, compared_with], treated, outcome, seed=seed, count=count)
    qini = qini_coefficient(score, treated, outcome)
    other = qini_coefficient(compared_with, treated, outcome)
    low, high = percentile_interval(drawn[:, 0])
    return QiniIntervals(
        qini, low, high, other, qini - other, *percentile_interval(drawn[:, 0] - drawn[:, 1])
    )


def _ranked(score: Floats) -> tuple[Places, Flags]:
    """int64[n]: the customers in descending order of the score; bool[n]: whether a place is the last of its
    tie.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    return order, np.r_[ranked[1:] != ranked[:-1], True]


@dataclass(frozen=True)
class UpliftDecile:
    """A tenth of the customers by descending score; figures of an arm without customers are None."""

    decile: int
    """1 the tenth with the highest scores."""
    customers: int
    predicted: float
    """The mean score."""
    effect: Effect | None
    """Treatment less control, with its 95 % interval: Newcombe's for rare outcomes, Welch's otherwise."""


def uplift_by_decile(score: Floats, treated: Flags, outcome: Floats) -> tuple[UpliftDecile, ...]:
    """The measured uplift of each tenth of the customers by score; customers with one score stay together."""
    _, tie, counts = np.unique(-score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    decile = (middle[tie] * DECILES // len(score)).astype(np.int64)
    return tuple(
        UpliftDecile(
            place + 1,
            len(rows),
            float(score[rows].mean()),
            compare_arms(outcome[rows, None], treated[rows]).effect(0, adjusted=False)
            if treated[rows].any() and not treated[rows].all()
            else None,
        )
        for place in range(DECILES)
        if len(rows := np.flatnonzero(decile == place))
    )

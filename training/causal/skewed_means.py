"""The distribution of the studentised difference of two means whose values are skewed, such as money.

With a control arm of some hundreds, few of whom buy, and lognormal amounts, the difference divided by its
error is far from normal: 95 % intervals by ±1.96 errors hold the truth in 91 to 93 %. What a small control
arm cannot tell is how heavy the tail is; the residuals of both arms together can. So the arms are drawn
again and again from the pooled residuals, as the assignment drew them, and the studentised difference is
taken each time.

Where the treatment adds the same to everybody this is the randomisation test, exact without covariates. It
stays right in large samples where it does not, because the difference is studentised: Wu, J. and Ding, P.
(2021), Randomization tests for weak null hypotheses in randomized experiments, Journal of the American
Statistical Association 116, 1898–1913.

With covariates each draw is adjusted anew, as the difference was: the largest amounts of a small arm pull its
regression towards themselves, so the points of residuals that are not adjusted again are 4 % too near to zero
(control arm of 500). Zhao, A. and Ding, P. (2021), Covariate-adjusted Fisher randomization tests for the
average treatment effect, Journal of Econometrics 225, 278–294.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
from threadpoolctl import threadpool_limits

from training.causal.arm_means import ArmRegression, Places, known_covariates, residuals
from training.causal.covariates import Booleans
from training.statistics import Floats

DRAWS = 10_000
LARGEST = 300
"""Residuals, the largest of both signs, whose arm is drawn one by one; the sums of the others are normal."""
FURTHEST = 2.75
"""Beyond this point of the normal distribution too few draws are left: the tail is taken as proportional."""
FEWEST_TO_DRAW = 20
"""Customers of the smaller arm, from which the difference of amounts is drawn; below, `unskewed`."""
LARGE_ARM = 5_000
"""Customers of the smaller arm from which on no single amount pulls its regression noticeably."""
SMALLEST_SHARE = 0.1
"""Of the mean square of the residuals that a regression leaves in a draw, where its slopes are rough."""
TOGETHER = 4
"""Amounts whose draws are made at a time."""


@dataclass(frozen=True, eq=False)
class StudentisedDraws:
    """Draws of the studentised difference of outcomes that are amounts; made when they are asked for."""

    outcomes: Floats
    arms: tuple[Places, Places]
    regressions: tuple[list[ArmRegression], list[ArmRegression]]
    rates: Booleans
    found: dict[int, Floats] = field(default_factory=dict)

    def of(self, outcome: int) -> Floats | None:
        """Sorted, treatment less control; None where the smaller arm is too small to draw from."""
        for treatment, control in zip(*self.regressions, strict=True):
            smaller = min(treatment.customers, control.customers)
            if outcome not in treatment.columns or smaller < FEWEST_TO_DRAW:
                continue
            if outcome not in self.found:
                amounts = treatment.columns[~self.rates[treatment.columns]]
                start = int(np.flatnonzero(amounts == outcome)[0]) // TOGETHER * TOGETHER
                self._draw(treatment, control, amounts[start : start + TOGETHER])
            return self.found[outcome]
        return None

    def _draw(self, treatment: ArmRegression, control: ArmRegression, columns: Places) -> None:
        with threadpool_limits(limits=1, user_api="blas"):
            pooled = np.concatenate(
                [
                    residuals(self.outcomes, rows, one, columns)
                    for rows, one in zip(self.arms, (treatment, control), strict=True)
                ]
            )
            smaller = min(treatment.customers, control.customers)
            if treatment.basis.shape[1] > 1 and smaller < LARGE_ARM:
                covariates = np.concatenate([known_covariates(one) for one in (treatment, control)])
                drawn = adjusted_differences(pooled, covariates, smaller)
            else:
                drawn = studentised_differences(pooled, smaller)
        if treatment.customers == control.customers:
            drawn = (drawn - drawn[:, ::-1]) / 2  # arms of one size: as likely to this side as to that
        elif treatment.customers > control.customers:
            drawn = -drawn[:, ::-1]
        self.found.update(zip(columns.tolist(), drawn, strict=True))


def studentised_differences(residuals: Floats, smaller: int) -> Floats:
    """float64[outcomes, DRAWS]: sorted studentised differences, the smaller arm less the other one.

    `residuals` is float64[customers, outcomes] of both arms together, `smaller` the size of the smaller
    arm. The draws are the same at every call, and do not depend on the order of customers.
    """
    customers = len(residuals)
    larger = customers - smaller
    share = smaller / customers
    centred = residuals - residuals.mean(axis=0)
    count = min(LARGEST, customers)
    # by size, ties by sign: the order of customers must not decide which arm a residual is drawn into
    split = np.argpartition(np.abs(centred), customers - count, axis=0)[customers - count :]
    largest = np.sort(np.take_along_axis(centred, split, axis=0), axis=0)
    square = centred * centred  # a power of an array costs ten times as much as products
    totals = [square.sum(axis=0), *(np.einsum("ij,ij->j", square, one) for one in (centred, square))]
    rest = [
        np.maximum(totals[place] - (largest**power).sum(axis=0), 0.0) for place, power in ((0, 2), (2, 4))
    ]
    crossed = totals[1] - (largest**3).sum(axis=0)
    drawn = _drawn(share)[:, :count]
    noise = _normals(2)
    spread = share * (1 - share)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(rest[0] > 0, crossed / np.sqrt(rest[0]), 0.0)
    left_over = np.sqrt(np.maximum(rest[1] - slope**2, 0.0))
    sums = drawn @ largest - share * largest.sum(axis=0)
    sums += np.sqrt(spread * rest[0]) * noise[:, :1]
    squares = drawn @ largest**2 + share * rest[0]
    squares += np.sqrt(spread) * (slope * noise[:, :1] + left_over * noise[:, 1:])
    squares = np.clip(squares, 0.0, totals[0])
    variances = [
        np.maximum(of_arm - sums**2 / size, 0.0) / max(size - 1, 1) / size
        for of_arm, size in ((squares, smaller), (totals[0] - squares, larger))
    ]
    errors = np.sqrt(variances[0] + variances[1])
    differences = sums / smaller + sums / larger
    return np.sort(np.divide(differences, errors, out=np.zeros_like(errors), where=errors > 0), axis=0).T


def adjusted_differences(residuals: Floats, covariates: Floats, smaller: int) -> Floats:
    """float64[outcomes, DRAWS]: `studentised_differences` in which every draw fits its own slopes.

    `covariates` is float64[customers, covariates]. They are whitened over both arms, and their second
    moments in an arm taken as those of everybody. In 60 simulated campaigns (control 500 of 5,000) the points
    were within 1 % (upper) and 3 % (lower) of those of 1,500 exact draws with HC2 errors, on the wide side.
    """
    centred = covariates - covariates.mean(axis=0)
    lower = np.linalg.cholesky(centred.T @ centred / len(centred))
    white = np.linalg.solve(lower, centred.T).T
    return np.stack([_adjusted(one, white, smaller) for one in residuals.T])


def _adjusted(residuals: Floats, white: Floats, smaller: int) -> Floats:
    customers, slopes = len(residuals), white.shape[1]
    share, count = smaller / customers, min(LARGEST, customers)
    centred = residuals - residuals.mean()
    spread = float(centred.std())
    centred /= spread or 1.0  # the unit of money must not decide what is drawn
    values = centred[:, np.newaxis]
    # what an arm sums: the residual, its square, the covariates, and the covariates times the residual
    summed = np.hstack([values, values * values, white, white * values])
    means = summed.mean(axis=0)
    summed -= means
    split = np.argpartition(np.abs(centred), customers - count)[customers - count :]
    # by size, ties by covariates: the order of customers must not decide who is drawn
    largest = summed[split][np.lexsort((*summed[split, 2 : 2 + slopes].T, centred[split]))]
    rest = summed.T @ summed - largest.T @ largest
    scales, directions = np.linalg.eigh((rest + rest.T) / 2)
    # the symmetric root: the sign of a direction, which is arbitrary, must not decide what is drawn
    root = (directions * np.sqrt(np.maximum(scales, 0.0))) @ directions.T
    sums = _drawn(share)[:, :count] @ largest - share * largest.sum(axis=0)
    sums += np.sqrt(share * (1 - share)) * (_normals(len(means)) @ root)
    estimates, variances = [], []
    for of_arm, size in ((sums, smaller), (-sums, customers - smaller)):
        mean = of_arm / size + means
        at = mean[:, 2 : 2 + slopes]
        slope = mean[:, 2 + slopes :] - at * mean[:, :1]
        estimates.append(mean[:, 0] - np.einsum("ij,ij->i", at, slope))
        left = mean[:, 1] - mean[:, 0] ** 2 - np.einsum("ij,ij->i", slope, slope)
        variances.append(np.maximum(left, SMALLEST_SHARE * np.abs(mean[:, 1])) / max(size - 1, 1))
    errors = np.sqrt(variances[0] + variances[1])
    difference = estimates[0] - estimates[1]
    return np.sort(np.divide(difference, errors, out=np.zeros_like(errors), where=errors > 0))


def studentised_points(differences: Floats, points: Floats) -> Floats:
    """The points of the studentised difference that correspond to points of the normal distribution."""
    normal = NormalDist()
    inner = np.clip(points, -FURTHEST, FURTHEST)
    found = np.quantile(differences, [normal.cdf(one) for one in inner])
    return np.asarray(found * np.where(inner == 0, 1.0, points / np.where(inner == 0, 1.0, inner)))


@lru_cache(maxsize=2)
def _drawn(share: float) -> Floats:
    """float64[DRAWS, LARGEST]: 1 where a residual is drawn into the smaller arm, as this share of them is."""
    uniforms = np.random.default_rng(1898).random((DRAWS, LARGEST), dtype=np.float32)
    return (uniforms < share).astype(np.float64)


@cache
def _normals(count: int) -> Floats:
    return np.random.default_rng(1913).normal(size=(DRAWS, count))

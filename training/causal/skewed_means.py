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
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
from threadpoolctl import threadpool_limits

from training.causal.arm_means import ArmRegression, Places, residuals
from training.causal.covariates import Booleans
from training.statistics import Floats

DRAWS = 10_000
LARGEST = 300
"""Residuals, the largest of both signs, whose arm is drawn one by one; the sums of the others are normal."""
FURTHEST = 2.75
"""Beyond this point of the normal distribution too few draws are left: the tail is taken as proportional."""
FEWEST_TO_DRAW = 20
"""Customers of the smaller arm, from which the difference of amounts is drawn; below, `unskewed`."""
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
            drawn = studentised_differences(pooled, min(treatment.customers, control.customers))
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
    noise = _normals()
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
def _normals() -> Floats:
    return np.random.default_rng(1913).normal(size=(DRAWS, 2))

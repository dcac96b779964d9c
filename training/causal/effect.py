"""The average effect of a treatment by intention to treat, adjusted by covariates of the day of assignment.

The adjusted difference is Lin's regression (2013) with all interactions and HC2 errors; where a covariate is
a prediction of the outcome, such as the score of that day, this is CUPAC (Tang, Y., Huang, C., Kastelman, D.
and Bauman, J. 2020, Control using predictions as covariates in switchback experiments; after CUPED, Deng, A.,
Xu, Y., Kohavi, R. and Walker, T. 2013, WSDM). Beside it stands the plain difference with Neyman's variance.
What is estimated is the mean effect on the customers who were assigned, treated or not.

Money is heavy-tailed. It is neither cut nor transformed: the difference of means is what a campaign gained.
Its interval takes the points of the studentised difference, drawn from the residuals (`skewed_means`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from features.errors import DataError
from training.causal.arm_means import (
    ArmMeans,
    ArmRegression,
    Places,
    arm_means,
    blocks,
    regress_arm,
)
from training.causal.confidence_sequence import sequence_factors
from training.causal.covariates import Booleans, usable_covariates
from training.causal.skewed_means import LARGE_ARM, StudentisedDraws, studentised_points
from training.statistics import (
    Floats,
    Z,
    newcombe,
    ratio_of_means,
    ratio_of_rates,
    simultaneous_factor,
    unskewed,
)

FEW_EVENTS = 10
"""With fewer customers of an arm who have, or have not, the outcome, a rate's interval is Newcombe's."""


@dataclass(frozen=True)
class Effect:
    """The effect on one outcome with its interval; None where an arm has one customer, so no variance."""

    treatment: float
    """Mean of the treatment arm; adjusted, where the difference is."""
    control: float
    difference: float
    low: float | None
    high: float | None
    error: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    method: str
    """`regression`, `difference` (plain), or `newcombe` (few events)."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, eq=False)
class DifferenceEstimates:
    """Treatment less control for each outcome, with all that their intervals need."""

    treatment: ArmMeans
    control: ArmMeans
    difference: Floats
    covariance: Floats
    """float64[outcomes, outcomes]."""
    error: Floats
    skewness: Floats
    """Of the difference: third cumulant ÷ error³."""
    degrees: Floats
    """Welch's and Satterthwaite's degrees of freedom."""
    regressed: Booleans
    """Whether covariates were used."""
    draws: StudentisedDraws


@dataclass(frozen=True, eq=False)
class ArmComparison:
    """Treatment against control on all outcomes: adjusted and plain."""

    adjusted: DifferenceEstimates
    plain: DifferenceEstimates
    rates: Booleans
    """Which outcomes are 0 or 1 for everybody."""
    covariates: tuple[str, ...]
    """The covariates in use."""
    notes: tuple[str, ...]
    """What was left out or could not be used, as sentences."""

    def effect(self, outcome: int, *, factor: float = Z, adjusted: bool = True) -> Effect:
        """The effect on an outcome, by its place; its interval is `factor` standard errors to each side.

        `Z` makes a 95 % interval; `simultaneous_factor` one that holds for several outcomes together.
        """
        if self.few_events(outcome):
            return self._of_counts(outcome, factor)
        draws = [] if self.rates[outcome] else [(self.adjusted if adjusted else self.plain).draws]
        arms = self.plain.treatment, self.plain.control
        if adjusted and draws and min(arm.customers[outcome] for arm in arms) < LARGE_ARM:
            draws.append(self.plain.draws)
        return _of_means(self.adjusted if adjusted else self.plain, outcome, factor, draws)

    def few_events(self, outcome: int) -> bool:
        """Whether an arm has so few events, or so few without, that the rates take Newcombe's interval."""
        if not self.rates[outcome]:
            return False
        arms = self.plain.treatment, self.plain.control
        return any(
            min(arm.means[outcome], 1 - arm.means[outcome]) * arm.customers[outcome] < FEW_EVENTS - 0.5
            for arm in arms
        )

    def correlation(self, outcomes: Sequence[int]) -> Floats:
        """The correlation of the estimated effects on some outcomes; 0 with one that has no variance."""
        places = np.asarray(outcomes)
        covariance = self.adjusted.covariance[np.ix_(places, places)]
        errors = np.sqrt(np.diag(covariance))
        scale = np.outer(errors, errors)
        correlation: Floats = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
        np.fill_diagonal(correlation, 1.0)
        return correlation

    def simultaneous_factor(self, outcomes: Sequence[int], *, dates: int | None = None) -> float:
        """The factor of intervals that hold together for one outcome at several dates.

        `outcomes` are its places at the dates reached, `dates` how many were declared in all.
        """
        return simultaneous_factor(self.correlation(outcomes), dates=dates)

    def sequence_factors(self, outcomes: Sequence[int]) -> Floats:
        """The factors of an always-valid confidence sequence of one outcome at looks in order of time."""
        return sequence_factors(self.correlation(outcomes))

    def _of_counts(self, outcome: int, factor: float) -> Effect:
        treatment, control = self.plain.treatment, self.plain.control
        rates = float(treatment.means[outcome]), float(control.means[outcome])
        customers = float(treatment.customers[outcome]), float(control.customers[outcome])
        events = round(rates[0] * customers[0]), round(rates[1] * customers[1])
        counts = events[0], customers[0], events[1], customers[1]
        low, high = newcombe(*counts, factor)
        ratio_low, ratio_high = ratio_of_rates(*counts, factor)
        error = float(self.plain.error[outcome])
        return Effect(
            *rates,
            rates[0] - rates[1],
            low,
            high,
            error if np.isfinite(error) else None,
            rates[0] / rates[1] if rates[1] else None,
            ratio_low,
            ratio_high,
            "newcombe",
        )


def compare_arms(
    outcomes: Floats,
    treated: Booleans,
    covariates: Floats | None = None,
    names: Sequence[str] = (),
) -> ArmComparison:
    """Compare treatment and control on all outcomes at once, whoever of the treated was really reached.

    `outcomes` is float64[customers, outcomes], NaN where not known; `covariates` float64[customers,
    covariates] of the day of assignment, NaN where not known, with their `names`. Where covariates cannot be
    used the adjusted figures are the plain ones, and `notes` says so. Raises `DataError` where an arm has
    nobody.
    """
    outcomes = np.asarray(outcomes, dtype=np.float64)
    treated = np.asarray(treated, dtype=np.bool_)
    with threadpool_limits(limits=1, user_api="blas"):  # matrices of a few columns: threads only wait
        return _compare(outcomes, treated, covariates, names)


def _compare(
    outcomes: Floats, treated: Booleans, covariates: Floats | None, names: Sequence[str]
) -> ArmComparison:
    if not np.isfinite(outcomes.sum()) and np.isinf(outcomes).any():
        raise DataError(
            "cannot compare treatment and control: an outcome is infinite. Correct it, or leave it empty."
        )
    arms = np.flatnonzero(treated), np.flatnonzero(~treated)
    for name, rows in zip(("treatment", "control"), arms, strict=True):
        if not len(rows):
            raise DataError(
                f"cannot compare treatment and control: nobody is in the {name} arm. "
                "An effect is the difference of two arms."
            )
    empty = np.empty((len(treated), 0))
    ready = usable_covariates(empty if covariates is None else covariates, names, treated)
    notes = list(ready.notes)
    adjusted: tuple[list[ArmRegression], list[ArmRegression]] = ([], [])
    plain: tuple[list[ArmRegression], list[ArmRegression]] = ([], [])
    regressed = np.zeros(outcomes.shape[1], dtype=np.bool_)
    for columns, known in _patterns(outcomes):
        bare = _both(outcomes, arms, columns, known, empty)
        if bare is None:
            raise DataError(
                "cannot compare treatment and control: an outcome is known of nobody in one of the arms. "
                "Leave the outcome out."
            )
        full = _both(outcomes, arms, columns, known, ready.values) if ready.names else None
        if full is not None:
            regressed[columns] = True
        elif ready.names:
            notes.append("the figures are not adjusted: an arm has too few customers for the covariates.")
        for place in (0, 1):
            plain[place].append(bare[place])
            adjusted[place].append((full or bare)[place])
    rates = _rates(outcomes)
    without = _differences(outcomes, arms, plain, np.zeros_like(regressed), rates)
    return ArmComparison(
        _differences(outcomes, arms, adjusted, regressed, rates) if regressed.any() else without,
        without,
        rates,
        ready.names if regressed.any() else (),
        tuple(dict.fromkeys(notes)),
    )


def _patterns(outcomes: Floats) -> Iterator[tuple[Places, Booleans | None]]:
    """Outcomes that are known of the same customers; None for the customers where that is all of them."""
    groups: dict[bytes, list[int]] = {}
    masks: dict[bytes, Booleans | None] = {}
    for place, incomplete in enumerate(np.isnan(outcomes.sum(axis=0))):
        known = ~np.isnan(outcomes[:, place]) if incomplete else None
        key = b"" if known is None else np.packbits(known).tobytes()
        groups.setdefault(key, []).append(place)
        masks[key] = known
    for key, places in groups.items():
        yield np.array(places), masks[key]


def _both(
    outcomes: Floats, arms: tuple[Places, Places], columns: Places, known: Booleans | None, covariates: Floats
) -> tuple[ArmRegression, ArmRegression] | None:
    """The regressions of both arms, at the mean covariates of the customers whose outcomes are known."""
    if covariates.shape[1]:
        covariates = covariates - (covariates if known is None else covariates[known]).mean(axis=0)
    of_arms = [
        regress_arm(outcomes, rows, columns, None if known is None else known[rows], covariates)
        for rows in arms
    ]
    treatment, control = of_arms
    return None if treatment is None or control is None else (treatment, control)


def _differences(
    outcomes: Floats,
    arms: tuple[Places, Places],
    regressions: tuple[list[ArmRegression], list[ArmRegression]],
    regressed: Booleans,
    rates: Booleans,
) -> DifferenceEstimates:
    treatment = arm_means(outcomes, arms[0], regressions[0])
    control = arm_means(outcomes, arms[1], regressions[1])
    covariance = treatment.covariance + control.covariance
    variance = np.diag(covariance)
    error = np.sqrt(variance)
    squares = [
        np.divide(
            np.diag(arm.covariance) ** 2, arm.degrees, out=np.zeros_like(variance), where=arm.degrees > 0
        )
        for arm in (treatment, control)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = variance**2 / (squares[0] + squares[1])
        skewness = (treatment.cumulants - control.cumulants) / error**3
    return DifferenceEstimates(
        treatment,
        control,
        treatment.means - control.means,
        covariance,
        error,
        np.where(np.isfinite(skewness), skewness, 0.0),
        np.where(np.isfinite(degrees), degrees, np.inf),
        regressed,
        StudentisedDraws(outcomes, arms, regressions, rates),
    )


def _rates(outcomes: Floats) -> Booleans:
    """Which outcomes are 0, 1 or not known for everybody."""
    places = np.arange(outcomes.shape[1])
    for block in blocks(len(outcomes)):
        values = outcomes[block, places]
        places = places[((values == 0) | (values == 1) | np.isnan(values)).all(axis=0)]
    return np.isin(np.arange(outcomes.shape[1]), places)


def _of_means(
    estimates: DifferenceEstimates, outcome: int, factor: float, draws: Sequence[StudentisedDraws]
) -> Effect:
    """An effect whose interval comes from the error of means, Student's t for small arms.

    An amount's interval takes the points of its studentised differences, the outermost of several `draws`:
    of residuals, each adjusted anew, and of the amounts themselves. In 1,000 simulated campaigns without
    effect, draws of residuals that were not adjusted anew made 74 exclude zero at a review date.
    """
    from scipy.special import ndtr, stdtrit

    treatment, control = (float(arm.means[outcome]) for arm in (estimates.treatment, estimates.control))
    difference, error = float(estimates.difference[outcome]), float(estimates.error[outcome])
    method = "regression" if estimates.regressed[outcome] else "difference"
    ratio = treatment / control if control else None
    if not np.isfinite(error):
        return Effect(treatment, control, difference, None, None, None, ratio, None, None, method)
    degrees = estimates.degrees[outcome]
    point = factor if np.isinf(degrees) else float(stdtrit(degrees, ndtr(factor)))
    ends = np.array([point, -point])
    drawn = [one for one in (source.of(outcome) for source in draws) if one is not None]
    if drawn:
        points = np.array([studentised_points(one, np.array([factor, -factor])) for one in drawn])
        ends = np.array([points[:, 0].max(), points[:, 1].min()])
    elif draws:
        ends = unskewed(ends, np.full(2, estimates.skewness[outcome]))
    low, high = difference - error * ends
    errors = [
        float(np.sqrt(arm.covariance[outcome, outcome])) for arm in (estimates.treatment, estimates.control)
    ]
    ratio_low, ratio_high = ratio_of_means(treatment, errors[0], control, errors[1], point) or (None, None)
    return Effect(
        treatment,
        control,
        difference,
        float(low),
        float(high),
        error,
        ratio,
        ratio_low,
        ratio_high,
        method,
    )

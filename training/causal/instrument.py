"""The effect on those who were reached, with the assignment as the instrument for being reached.

Who is reached is not random: customers who answer the phone differ from those who do not. The assignment
is, and it changes the outcome only through being reached. The effect by intention to treat divided by the
share that was reached because of it is the mean effect on those customers (complier average causal effect):
Angrist, J. D., Imbens, G. W. and Rubin, D. B. (1996), Identification of causal effects using instrumental
variables, Journal of the American Statistical Association 91, 444–455. It is two-stage least squares with
one instrument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.causal.effect import ArmComparison
from training.statistics import Z

WEAK = 10.0
"""A first-stage F below it is weak: Staiger, D. and Stock, J. H. (1997), Econometrica 65, 557–586."""


@dataclass(frozen=True)
class ReachedEffect:
    """The effect on customers who were reached because they were assigned to treatment."""

    reached_treatment: float
    """Share of the treatment arm that was reached."""
    reached_control: float
    difference: float | None
    """None where the arms were reached alike."""
    low: float | None
    """None where the interval has no bound: the instrument is too weak to say anything."""
    high: float | None
    first_stage: float
    """F of the assignment for being reached; infinite where assignment decided it."""
    weak: bool


def effect_on_reached(
    comparison: ArmComparison, outcome: int, exposure: int, *, factor: float = Z
) -> ReachedEffect:
    """The effect of being reached on an outcome; `exposure` is the place of the outcome that says who was.

    The interval is that of Anderson, T. W. and Rubin, H. (1949), Annals of Mathematical Statistics 20, 46–63,
    with heteroscedasticity-consistent errors. It holds for weak instruments too, and of strong ones it is the
    usual one.
    """
    found = comparison.adjusted
    change, reached = float(found.difference[outcome]), float(found.difference[exposure])
    variance, joint, of_reached = (
        float(found.covariance[place])
        for place in ((outcome, outcome), (outcome, exposure), (exposure, exposure))
    )
    square = factor * factor
    a, b, c = (
        reached**2 - square * of_reached,
        change * reached - square * joint,
        change**2 - square * variance,
    )
    low = high = None
    if a > 0 and math.isfinite(b) and math.isfinite(c):
        half = math.sqrt(max(b * b - a * c, 0.0))
        low, high = (b - half) / a, (b + half) / a
    first_stage = reached**2 / of_reached if of_reached > 0 else (math.inf if reached else 0.0)
    return ReachedEffect(
        float(comparison.plain.treatment.means[exposure]),
        float(comparison.plain.control.means[exposure]),
        change / reached if reached else None,
        low,
        high,
        first_stage,
        not first_stage >= WEAK,
    )

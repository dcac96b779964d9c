"""The smallest effects that a campaign could see at its review dates, before it is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from serving.schemas.terms import months_words
from training.labels.settings import Churn
from training.statistics import (
    customers_to_see_rise,
    simultaneous_factor,
    smallest_effect_on_mean,
    smallest_effect_on_rate,
)

LEAST_ARM = 50
"""Customers below which an arm is too small to say anything."""
WANTED = 0.05
"""The rise of the retained share that should be seen; half of the churn where that is less."""


@dataclass(frozen=True)
class VisibleEffect:
    """What could be seen at one review date, with a power of 80 %."""

    months: int
    date: int
    """The instant of the review date."""
    churned: float
    """The share expected not to be retained at that date without contact (`expected_churn`)."""
    retention: float | None
    """The smallest rise of the retained share that could be seen; None where not even one to 100 % could."""
    money: float | None
    """The smallest difference of spend a customer that could be seen; None without amounts."""
    wanted: float
    """A rise of the retained share worth seeing: `WANTED`, or half of the churn where that is less."""
    customers: int | None
    """How many customers, with the same share of control, would show it; None where no number would."""
    after_hold: bool = False
    """Whether the control group is no longer held back then: contact may have reached it too."""

    @property
    def is_hard_to_reach(self) -> bool:
        """Whether contact would have to prevent more than half of the churn before anything is seen."""
        return self.retention is None or self.retention > self.churned / 2


def visible_effects(
    sizes: tuple[int, int],
    churn_probability: NDArray[np.float64],
    past_spend: NDArray[np.float64] | None,
    churn: Churn,
    started_at: int,
    dates: Mapping[int, int],
    hold_ends: int | None = None,
) -> tuple[VisibleEffect, ...]:
    """The smallest effects that arms of these sizes (treatment, control) would show, without adjustment.

    The share that is gone at a review date is `expected_churn`. The spread of money is that of past spend, in
    proportion to the time. Intervals hold at all review dates together: their estimates are taken to
    correlate like sums over time that grow.
    """
    factor = _factor(tuple(dates))
    known = churn_probability[~np.isnan(churn_probability)]
    spread = None if past_spend is None or not len(past_spend) else float(np.nanstd(past_spend))
    found = []
    for number, date in dates.items():
        horizons = (date - started_at) / (churn.horizon.days * DAY)
        churned = expected_churn(churn, known, horizons)
        retention = smallest_effect_on_rate(1 - churned, *sizes, factor=factor)
        money = None if spread is None else smallest_effect_on_mean(spread * horizons, *sizes, factor=factor)
        wanted, needed = customers_to_see_wanted(churned, sizes[1] / sum(sizes), tuple(dates))
        after_hold = hold_ends is not None and date > hold_ends
        found.append(VisibleEffect(number, date, churned, retention, money, wanted, needed, after_hold))
    return tuple(found)


def customers_to_see_wanted(
    churned: float, control_share: float, months: Sequence[int]
) -> tuple[float, int | None]:
    """The rise of the retained share that is worth seeing, `WANTED` or half of the churn, and how many
    customers show it at review dates after so many months; None where no number does."""
    wanted = min(WANTED, churned / 2)
    return wanted, customers_to_see_rise(1 - churned, wanted, control_share, factor=_factor(tuple(months)))


def expected_churn(churn: Churn, probability: NDArray[np.float64], horizons: float) -> float:
    """The share of customers with these churn probabilities who are not retained so many horizons later.

    Retained is what the outcomes of a campaign count. A contract that ended stays ended, so its probability
    compounds at a constant rate. Inactivity is silence in one horizon before the date, and many come back: it
    is as frequent later as in the first horizon, and silence in a part of a horizon is likelier, at a
    constant rate of activity. Complete Journey from 2017-10-01 on, 300 customers by value at risk: 74 %,
    55 % and 29 % expected after 7, 14 and 30 days or more; 75 % and 60 % seen after 7 and 14 days, 39 %, 33 %
    and 35 % after 1, 2 and 3 months. A compounded probability says 8 %, 15 % and, after 3 months, 63 %.
    """
    if not len(probability):
        return 0.0
    if churn.type == "contract":
        return float(1 - np.mean((1 - probability) ** horizons))
    return float(np.mean(probability ** min(horizons, 1.0)))


def reach_text(effect: VisibleEffect) -> str:
    """What the smallest visible effect asks of contact at a review date, and how many customers ask less."""
    review = f"At the {effect.months}-month review"
    fall = (
        f"{review} not even a fall of churn from {effect.churned:.1%} to 0% is seen"
        if effect.retention is None
        else f"{review} churn must have fallen from {effect.churned:.1%} to "
        f"{effect.churned - effect.retention:.1%} to be seen"
    )
    if effect.customers is None:
        return f"{fall}."
    wanted = f"{effect.wanted * 100:.1f} points"
    return f"{fall}; with {effect.customers:,} customers a difference of {wanted} is seen."


@cache
def _factor(months: tuple[int, ...]) -> float:
    """How many standard errors make intervals that hold at these review dates together."""
    numbers = np.array(months, np.float64)
    correlation = np.sqrt(np.minimum.outer(numbers, numbers) / np.maximum.outer(numbers, numbers))
    return simultaneous_factor(correlation)


def too_few(sizes: tuple[int, int], effects: tuple[VisibleEffect, ...]) -> tuple[str, ...]:
    """Why a campaign of these arms can say little; empty where it can."""
    reasons = []
    for arm, size in zip(("treatment", "control group"), sizes, strict=True):
        if size < LEAST_ARM:
            reasons.append(f"its {arm} would have {size} customers, fewer than {LEAST_ARM}")
    last = effects[-1] if effects else None
    if last is not None and last.retention is None:
        reasons.append(
            f"after {months_words(last.months, 'en')} it could not even see that nobody leaves any more, "
            f"where {last.churned:.1%} would leave"
        )
    return tuple(reasons)

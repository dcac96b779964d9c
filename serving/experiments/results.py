"""Effects of a campaign at its review dates, from the outcomes of everybody who was assigned.

Intention to treat: the arms are compared as they were drawn. Differences are adjusted by what was known on
the day of assignment (`training.causal.effect`). The intervals of an outcome hold together at all review
dates that were declared. Those of the looks between are a confidence sequence, which holds at all looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from serving.experiments.assignment import TREATMENT
from serving.experiments.campaign_file import Assignment
from serving.experiments.outcomes import CampaignOutcomes
from serving.experiments.visible_effects import customers_to_see_wanted
from serving.schemas.campaign_responses import (
    AmountWithInterval,
    CampaignGain,
    EffectUnit,
    NeededCustomers,
    OutcomeEffect,
    PlainDifference,
    ReachedCustomersEffect,
)
from training.causal.effect import ArmComparison, Effect, compare_arms
from training.causal.instrument import effect_on_reached
from training.statistics import Z

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

UNITS: dict[str, EffectUnit] = {
    "retained": "share",
    "churned_value": "amount",
    "spend": "amount",
    "active_days": "days",
    "tier": "tier",
    "nps": "score",
    "response": "share",
}
"""The outcomes in the order in which they are told, and what each counts."""
LOOKED_AT = ("retained", "spend")
"""Outcomes that are looked at between review dates."""
ON_REACHED = ("retained", "churned_value", "spend")
"""Outcomes of which the effect on those reached is told."""
COVARIATES = ("churn_probability", "expected_value", "past_spend", "tenure_days", "tier")
"""Columns of the campaign file by which differences are adjusted."""
EXPOSURE = "reached"


@dataclass(frozen=True)
class OutcomeColumn:
    """One column of the comparison: an outcome, or exposure, at one date."""

    outcome: str
    date: int


@dataclass(frozen=True, eq=False)
class CampaignComparison:
    """All outcomes at all dates of a campaign, compared at once."""

    columns: tuple[OutcomeColumn, ...]
    known: NDArray[np.int64]
    """int64[columns]: customers of whom each is known."""
    comparison: ArmComparison
    declared_dates: int
    """How many review dates were declared."""
    review_dates: tuple[int, ...]
    """Those that the data reach."""
    looks: tuple[int, ...]
    """The dates of the confidence sequence, in order."""

    @cached_property
    def _places(self) -> dict[OutcomeColumn, int]:
        return {column: place for place, column in enumerate(self.columns)}

    def place(self, outcome: str, date: int) -> int | None:
        """Where an outcome at a date stands; None where it cannot be told."""
        return self._places.get(OutcomeColumn(outcome, date))

    def factor(self, outcome: str) -> float:
        """The factor of an outcome's intervals that hold at all declared review dates together."""
        places = [place for date in self.review_dates if (place := self.place(outcome, date)) is not None]
        return self.comparison.simultaneous_factor(places, dates=self.declared_dates) if places else Z

    def effects(self, date: int) -> list[OutcomeEffect]:
        """The effects on every outcome that can be told at a review date."""
        return [
            self._effect(outcome, place, self.factor(outcome))
            for outcome in UNITS
            if (place := self.place(outcome, date)) is not None
        ]

    def sequence(self) -> dict[int, list[OutcomeEffect]]:
        """The effects at every look, by its date, with the intervals of a confidence sequence."""
        effects: dict[int, list[OutcomeEffect]] = {date: [] for date in self.looks}
        for outcome in LOOKED_AT:
            at = {date: place for date in self.looks if (place := self.place(outcome, date)) is not None}
            factors = self.comparison.sequence_factors(list(at.values())) if at else ()
            for (date, place), factor in zip(at.items(), factors, strict=True):
                effects[date].append(self._effect(outcome, place, float(factor), plain_interval=False))
        return effects

    def reached(self, date: int) -> list[ReachedCustomersEffect]:
        """The effects on those who were reached at a review date; empty where contacts are not known."""
        exposure = self.place(EXPOSURE, date)
        if exposure is None:
            return []
        found = []
        for outcome in ON_REACHED:
            place = self.place(outcome, date)
            if place is None:
                continue
            one = effect_on_reached(self.comparison, place, exposure, factor=self.factor(outcome))
            found.append(
                ReachedCustomersEffect(
                    outcome,
                    UNITS[outcome],
                    one.reached_treatment,
                    one.reached_control,
                    one.difference,
                    one.low,
                    one.high,
                    one.weak,
                )
            )
        return found

    def _effect(
        self, outcome: str, place: int, factor: float, *, plain_interval: bool = True
    ) -> OutcomeEffect:
        known = int(self.known[place])
        return outcome_effect(self.comparison, outcome, place, known, factor, plain_interval=plain_interval)


def outcome_effect(
    comparison: ArmComparison,
    outcome: str,
    place: int,
    customers: int,
    factor: float = Z,
    *,
    plain_interval: bool = True,
) -> OutcomeEffect:
    """The effect on one outcome, adjusted and plain, with intervals of `factor` standard errors.

    The interval of the plain difference of an amount is drawn and takes as long as that of the adjusted one,
    so it is left out where nobody reads it.
    """
    adjusted = comparison.effect(place, factor=factor)
    return OutcomeEffect(
        outcome,
        UNITS[outcome],
        customers,
        adjusted.treatment,
        adjusted.control,
        adjusted.difference,
        adjusted.low,
        adjusted.high,
        adjusted.ratio,
        adjusted.ratio_low,
        adjusted.ratio_high,
        adjusted.method,
        _plain(comparison, place, factor if plain_interval else None),
    )


def _plain(comparison: ArmComparison, place: int, factor: float | None) -> PlainDifference:
    """The plain difference; without a factor, without an interval."""
    if factor is not None:
        plain: Effect = comparison.effect(place, factor=factor, adjusted=False)
        return PlainDifference(plain.treatment, plain.control, plain.difference, plain.low, plain.high)
    means = [float(arm.means[place]) for arm in (comparison.plain.treatment, comparison.plain.control)]
    return PlainDifference(means[0], means[1], means[0] - means[1], None, None)


def compare_campaign(
    assignment: Assignment,
    outcomes: CampaignOutcomes,
    *,
    review_dates: Sequence[int],
    looks: Sequence[int],
    declared_dates: int,
) -> CampaignComparison | None:
    """Compare the arms on all outcomes; None where an arm has nobody left.

    `review_dates` and `looks` are among the dates of the outcomes.
    """
    treated = assignment.arm == TREATMENT
    if not treated.any() or treated.all():
        return None
    wanted: dict[OutcomeColumn, Floats] = {}
    for place, date in enumerate(outcomes.dates):
        if date in review_dates:
            wanted |= {OutcomeColumn(name, date): of[:, place] for name, of in outcomes.values.items()}
            if outcomes.reached[:, place].any():
                wanted[OutcomeColumn(EXPOSURE, date)] = outcomes.reached[:, place].astype(np.float64)
        elif date in looks:
            names = [name for name in LOOKED_AT if name in outcomes.values]
            wanted |= {OutcomeColumn(name, date): outcomes.values[name][:, place] for name in names}
    told = {column: values for column, values in wanted.items() if _known_in_both_arms(values, treated)}
    if not told:
        return None
    matrix = np.column_stack(list(told.values()))
    comparison = compare_arms(matrix, treated, covariates(assignment), COVARIATES)
    return CampaignComparison(
        tuple(told),
        np.array([len(matrix) - int(np.isnan(column).sum()) for column in matrix.T]),
        comparison,
        declared_dates,
        tuple(review_dates),
        tuple(looks),
    )


def covariates(assignment: Assignment) -> Floats:
    """float64[customers, covariates]: what was known on the day of assignment, NaN where nothing was."""
    columns = [assignment.column(name).astype(np.float64) for name in COVARIATES]
    columns[-1] = np.where(columns[-1] < 0, np.nan, columns[-1])
    return np.column_stack(columns)


def campaign_gain(
    effects: Sequence[OutcomeEffect], treated: int, cost: float, contacts: int, unpriced: int
) -> CampaignGain | None:
    """Customers kept and money gained in the whole treatment arm, against the cost of the contacts."""
    by_outcome = {one.outcome: one for one in effects}
    kept = by_outcome.get("retained")
    if kept is None:
        return None
    spend = by_outcome.get("spend")
    gained = None if spend is None else _scaled(spend, treated)
    net = None if gained is None else _moved(gained, -cost)
    return CampaignGain(
        _scaled(kept, treated),
        gained,
        cost,
        unpriced,
        net,
        None if gained is None or cost <= 0 else _times(gained, 1 / cost),
        contacts - unpriced,
    )


def needed_customers(
    effects: Sequence[OutcomeEffect], control_share: float, months: Sequence[int]
) -> NeededCustomers | None:
    """How many customers would show a rise of retention, given what the control group retained."""
    retained = next((one for one in effects if one.outcome == "retained"), None)
    if retained is None:
        return None
    rise, customers = customers_to_see_wanted(1 - retained.control, control_share, months)
    return None if customers is None else NeededCustomers(rise, customers)


def _scaled(effect: OutcomeEffect, customers: int) -> AmountWithInterval:
    return _times(AmountWithInterval(effect.difference, effect.low, effect.high), customers)


def _times(amount: AmountWithInterval, factor: float) -> AmountWithInterval:
    return AmountWithInterval(
        amount.value * factor,
        None if amount.low is None else amount.low * factor,
        None if amount.high is None else amount.high * factor,
    )


def _moved(amount: AmountWithInterval, by: float) -> AmountWithInterval:
    return AmountWithInterval(
        amount.value + by,
        None if amount.low is None else amount.low + by,
        None if amount.high is None else amount.high + by,
    )


def _known_in_both_arms(values: Floats, treated: Booleans) -> bool:
    known = ~np.isnan(values)
    return bool((known & treated).any() and (known & ~treated).any())

"""Inverse probability weights: the rows that show what happens to customers whom no campaign contacts.

A customer kept by a phone call looks like one who was never at risk. A campaign assigned its customers at
random, so what would have become of the treatment arm is known from the control group: rows of the treatment
arm whose label a contact can have changed are left out, and a row of the control group counts 1 ÷ (its
probability of control) times (Horvitz and Thompson 1952, A generalization of sampling without replacement
from a finite universe; Robins, Hernán and Brumback 2000, Marginal structural models). The arm decides, not
who was reached: who answers the phone is no random part of the arm, and who left early was never called.

A row is concerned where the campaign runs, from its start to the end of its hold, at any time from the row's
as-of date to the end of its horizon. Contacts before the as-of date are history, known to the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from training.data.rows.labelled_rows import LabelledRows, customers_by_outcome
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ENOUGH_CONTROLS = 100
"""Control customers who left, and who stayed, that calibration is fitted on alone."""


@dataclass(frozen=True, eq=False)
class ContactAssignments:
    """Who was assigned to which arm of which campaign: one row for each customer of each campaign."""

    campaign: NDArray[np.int64]
    """int64[n]: a number of the campaign."""
    keys: NDArray[np.int64]
    """int64[n]: the customer."""
    start: NDArray[np.int64]
    """int64[n]: when the customer was assigned, microseconds UTC."""
    end: NDArray[np.int64]
    """int64[n]: when the hold ends, or the campaign was stopped."""
    treated: Flags
    """bool[n]: whether the customer is of the treatment arm."""
    control_probability: Floats
    """float64[n]: the probability of the control group that the customer was drawn with, above 0, below 1."""

    def __len__(self) -> int:
        return len(self.keys)

    def before(self, until: int | None) -> ContactAssignments:
        """The assignments that were made before an instant; all without one."""
        if until is None:
            return self
        known = self.start < until
        return ContactAssignments(*(getattr(self, one.name)[known] for one in fields(self)))

    @staticmethod
    def of(parts: Sequence[ContactAssignments]) -> ContactAssignments:
        """The assignments of several campaigns."""
        types = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.float64)
        columns = (
            np.concatenate([np.empty(0, of_type), *(getattr(part, one.name) for part in parts)])
            for one, of_type in zip(fields(ContactAssignments), types, strict=True)
        )
        return ContactAssignments(*columns)


@dataclass(frozen=True)
class ContactWeighting:
    """What learning without contact did to the rows."""

    campaigns: int
    """Campaigns that concern some row."""
    left_out: int
    """Rows of treatment arms that were left out."""
    control_rows: int
    control_customers: int
    rows: int
    """Rows that remain."""
    effective_rows: float
    """(Σ weight)² ÷ Σ weight²: as many rows of equal weight would say as much (Kish 1965)."""


def without_contact(
    rows: LabelledRows, assignments: ContactAssignments, churn: Churn
) -> tuple[LabelledRows, ContactWeighting]:
    """The rows on which no campaign contacts anybody, with inverse probability weights.

    Rows that no campaign concerns have weight 1. A row of the control groups of several campaigns has the
    product of their weights: each drew for itself.
    """
    weight, left_out = np.ones(len(rows)), np.zeros(len(rows), np.bool_)
    ends, concerned = churn.horizon.end(rows.as_of), 0
    for campaign in np.unique(assignments.campaign):
        mine = np.flatnonzero(assignments.campaign == campaign)
        mine = mine[np.argsort(assignments.keys[mine], kind="stable")]
        keys = assignments.keys[mine]
        place = mine[np.minimum(np.searchsorted(keys, rows.keys), len(keys) - 1)]
        touched = assignments.keys[place] == rows.keys
        touched &= (rows.as_of < assignments.end[place]) & (ends > assignments.start[place])
        treated = touched & assignments.treated[place]
        control = touched & ~treated
        left_out |= treated
        weight[control] /= assignments.control_probability[place[control]]
        concerned += bool(touched.any())
    remaining = replace(rows, weight=weight).where(~left_out)
    control = of_control_groups(remaining)
    return remaining, ContactWeighting(
        campaigns=concerned,
        left_out=int(left_out.sum()),
        control_rows=int(control.sum()),
        control_customers=len(np.unique(remaining.keys[control])),
        rows=len(remaining),
        effective_rows=effective_size(remaining.weight_or_ones),
    )


def of_control_groups(rows: LabelledRows) -> Flags:
    """bool[n]: the rows of control groups while their campaign runs: those that count more than once."""
    return rows.weight_or_ones > 1.0


def calibrates(rows: LabelledRows) -> tuple[Flags, bool]:
    """bool[n]: the rows that calibration is fitted on, and whether they are control customers alone.

    Control customers alone where enough of them left and stayed and they stand for at least half of the rows:
    nobody else is known to have had no contact. A campaign for a small part of the customers says nothing of
    how sure the model may be of the others, so then all weighted rows are taken.
    """
    control = of_control_groups(rows)
    weight = rows.weight_or_ones
    if (
        min(customers_by_outcome(rows.where(control))) >= ENOUGH_CONTROLS
        and weight[control].sum() >= weight.sum() / 2
    ):
        return control, True
    return np.ones(len(rows), np.bool_), False


def representative_rows(rows: LabelledRows) -> NDArray[np.int64]:
    """int64[n]: places of as many rows, each as often as it counts, by systematic sampling in their order.

    All rows once where each counts once. Charts of single rows are drawn from these.
    """
    if rows.weight is None:
        return np.arange(len(rows))
    until = np.cumsum(rows.weight)
    places: NDArray[np.int64] = np.searchsorted(until, (np.arange(len(rows)) + 0.5) * (until[-1] / len(rows)))
    return places


def effective_size(weight: Floats) -> float:
    """Kish's effective sample size: (Σ weight)² ÷ Σ weight²; 0 for no rows."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def effective_weights(weight: Floats) -> Floats:
    """float64[n]: the weights scaled to sum to the effective sample size.

    What is held in rows (the ridge of trees, the pull of a calibration) then holds as it does where every
    row counts once: a row with weight 10 is one observation, not ten.
    """
    scaled: Floats = weight * (float(weight.sum()) / float((weight**2).sum()))
    return scaled

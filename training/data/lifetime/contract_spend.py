"""What contracts bring, recurring amounts for as long as each runs, and how long contracts have run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.events.history import History, known_at
from features.events.recurring_amounts import IN_A_YEAR
from features.timeline import DAY
from training.bundle.lifetime.lifetime_model import contract_kinds
from training.labels.cohort import contract_history
from training.labels.settings import Churn, recurring_units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YEAR = 365.0


def period_days(indicators: Sequence[Indicator], churn: Churn) -> float:
    """The days that a recurring amount pays for: those of a month unless the project says otherwise."""
    units = recurring_units(indicators, churn)
    period = next((units[kind] for kind in contract_kinds(churn) if kind in units), "month")
    return YEAR / IN_A_YEAR[period]


def contract_durations(history: History, churn: Churn, chosen: NDArray[np.bool_], date: int) -> Floats:
    """float64[s, 2]: how many days each contract of the chosen customers had run at a date, and 1 where it
    had ended by then. Contracts of a customer that follow each other, or run side by side, are one."""
    found = contract_history(known_at(history, date), churn).stays
    mine = np.repeat(chosen, np.diff(found.offsets)) & (found.begins < date)
    begins, ends = found.begins[mine], found.ends[mine]
    days = (np.minimum(ends, date) - begins) / DAY
    return np.column_stack([days, (ends < date).astype(np.float64)])


def contract_spend(history: History, churn: Churn, start: int, end: int, period: float) -> Floats:
    """float64[customers]: what contracts bring within `[start, end)`, by all that is known today.

    The newest amount of a contract holds until the next one, or until the contract ends.
    """
    found = contract_history(history, churn)
    stays, values = found.stays, found.values[found.places]
    rows = np.flatnonzero((stays.contract_of_row >= 0) & ~np.isnan(values))
    rows = rows[np.lexsort((rows, stays.contract_of_row[rows]))]
    contract = stays.contract_of_row[rows]
    since = np.maximum(found.rows.instants[rows], start)
    until = np.minimum(stays.contract_ends[contract], end)
    if len(rows):
        same = contract[1:] == contract[:-1]
        until[:-1] = np.where(same, np.minimum(until[:-1], found.rows.instants[rows][1:]), until[:-1])
    days = np.maximum(until - since, 0) / DAY
    spent = np.maximum(values[rows], 0.0) * days / period
    return np.bincount(stays.contract_customer[contract], weights=spent, minlength=history.customers).astype(
        np.float64
    )

"""Which customers fit a filter, how many and with how much at stake, kept for the last filters asked for.

A page of the console needs the count of everyone who fits, not only the rows it shows. The mask of a filter
over a million customers takes tens of milliseconds, so it is kept, a bit a customer; the rows of a page are
then found in about two.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.actions.plan_file import StoredPlan
from serving.lists.filters import FilterMatcher, ListFilter, Mask, Rows
from serving.lists.ranking import ranking_of
from serving.state.score_file import Scores

MOST_KEPT = 64
"""Filters whose masks stay in memory: 128 kB each with a million customers."""


@dataclass(frozen=True)
class ListTotals:
    """How many customers are on a list, and what is at stake with them together."""

    customers: int
    value_at_risk: float | None
    """None where the events carry no amounts."""
    expected_value: float | None


@dataclass(frozen=True, eq=False)
class FilteredRows:
    """The customers who fit one filter, in the order of the list."""

    ranking: Rows
    """The rows of everyone who can be on a list, in its order."""
    fits: NDArray[np.uint8]
    """For each place of the ranking a bit, whether the customer fits."""
    totals: ListTotals

    @property
    def places(self) -> Rows:
        """int64[n]: the places in the ranking of those who fit."""
        return np.flatnonzero(np.unpackbits(self.fits, count=len(self.ranking)))


@dataclass(eq=False)
class FilterCache:
    """The filtered rows of one score file and one state of its plan."""

    scores: Scores
    subjects: Sequence[str]
    plan: StoredPlan | None
    _kept: dict[str, FilteredRows] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rows_of(self, choice: ListFilter) -> FilteredRows:
        """Everyone who fits a filter, whatever its limit; raises `UsageError` for a name that nothing has."""
        name = choice.fingerprint
        with self._lock:
            found = self._kept.pop(name, None)
            if found is not None:
                self._kept[name] = found  # the last one asked for stays longest
                return found
        found = self._filtered(choice)
        with self._lock:
            self._kept[name] = found
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    def totals(self, choice: ListFilter) -> ListTotals:
        """What a list of this filter adds up to, within its limit."""
        found = self.rows_of(choice)
        if choice.limit is None or found.totals.customers <= choice.limit:
            return found.totals
        return totals_of(self.scores, found.ranking[found.places[: choice.limit]])

    def _filtered(self, choice: ListFilter) -> FilteredRows:
        scores, ranking = self.scores, ranking_of(self.scores, choice.order_by)
        cohort = scores.cohort
        # Read in the order of the file, which takes a third of the time that the order of the list would.
        fitting = cohort[FilterMatcher(scores, choice, self.subjects, self.plan)(cohort)]
        fits: Mask = np.zeros(len(scores.answers), dtype=np.bool_)
        fits[fitting] = True
        return FilteredRows(ranking, np.packbits(fits[ranking]), totals_of(scores, fitting))


def totals_of(scores: Scores, rows: Rows) -> ListTotals:
    """What customers add up to; those of whom a value is not known count for nothing."""
    answers = scores.answers
    if not scores.facts.amounts:
        return ListTotals(len(rows), None, None)
    at_risk, expected = answers.value_at_risk[rows], answers.expected_value[rows]
    return ListTotals(len(rows), float(np.nansum(at_risk)), float(np.nansum(expected)))

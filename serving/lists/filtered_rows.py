"""Which customers fit a filter, how many and with how much at stake, kept for the last filters asked for.

A page of the console needs the count of everyone who fits, not only the rows it shows. The mask of a filter
over a million customers takes tens of milliseconds, so it is kept, a bit a customer; the rows of a page are
then found in a fraction of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from serving.actions.plan_file import StoredPlan
from serving.lists.filters import FilterMatcher, ListFilter, Mask, Rows
from serving.lists.ranking import ranking_of
from serving.schemas.terms import IN_CONTROL, OUTCOMES, PLANNED
from serving.state.scores.score_file import Scores

T = TypeVar("T")
Outcomes = NDArray[np.int8]

BLOCK = 8_192
"""Places of a ranking that are counted together."""
AT_ONCE = 65_536
"""Customers who are looked at together."""
MOST_KEPT = 64
"""Filters whose masks stay in memory: 128 kB each with a million customers."""


_SCANS = ThreadPoolExecutor(1, thread_name_prefix="scans")


def in_one_thread(scan: Callable[[], T]) -> T:
    """The result of a scan of all scores, of which one runs at a time.

    The allocators of C and of Arrow keep for each thread what its largest arrays took: four threads that scan
    a million customers would hold 70 MB more than one.
    """
    return _SCANS.submit(scan).result()


@dataclass(frozen=True)
class ListTotals:
    """How many customers are on a list, and what is at stake with them together."""

    customers: int
    value_at_risk: float | None
    """None where the events carry no amounts."""
    expected_value: float | None
    planned: int = 0
    """For how many of them the plan has something to do."""
    refused: int = 0
    """How many of them must not be contacted over any channel, whatever else leaves them out of the plan."""
    control: int = 0
    """How many of them are of a control group."""


@dataclass(frozen=True, eq=False)
class FilteredRows:
    """The customers who fit one filter, in the order of the list."""

    ranking: Rows
    """The rows of everyone who can be on a list, in its order."""
    fits: NDArray[np.uint8]
    """For each place of the ranking a bit, whether the customer fits."""
    before: Rows
    """How many fit before each block of places; the last number counts all."""
    totals: ListTotals

    @staticmethod
    def of(ranking: Rows, fits: Mask, totals: ListTotals) -> FilteredRows:
        """From whether the customer at each place of the ranking fits."""
        starts = range(0, len(fits), BLOCK)
        blocks = [int(np.count_nonzero(fits[start : start + BLOCK])) for start in starts]
        return FilteredRows(ranking, np.packbits(fits), np.cumsum([0, *blocks], dtype=np.int64), totals)

    def count_before(self, place: int) -> int:
        """How many of those before a place of the ranking fit."""
        block = min(place // BLOCK, len(self.before) - 1)
        return int(self.before[block] + np.count_nonzero(self._block(block)[: place - block * BLOCK]))

    def places(self, start: int, stop: int) -> Rows:
        """int64[n]: the places in the ranking of the customers from one number in the list to another."""
        stop = min(stop, self.totals.customers)
        if start >= stop:
            return np.empty(0, dtype=np.int64)
        first = int(np.searchsorted(self.before, start, side="right")) - 1
        last = int(np.searchsorted(self.before, stop, side="left"))
        parts = [np.flatnonzero(self._block(block)) + block * BLOCK for block in range(first, last)]
        skipped = int(self.before[first])
        chosen: Rows = np.concatenate(parts)[start - skipped : stop - skipped]
        return chosen

    def _block(self, block: int) -> NDArray[np.uint8]:
        return np.unpackbits(self.fits[block * BLOCK // 8 : (block + 1) * BLOCK // 8])


@dataclass(eq=False)
class FilterCache:
    """The filtered rows of one score file and one state of its plan."""

    scores: Scores
    subjects: Sequence[str]
    plan: StoredPlan | None
    outcomes: Callable[[], Outcomes] | None = None
    """Each row's place in `OUTCOMES` now, -1 for none; without it nobody is counted by it."""
    refused: Callable[[], Mask] | None = None
    """Of each row whether the customer must not be contacted now; without it nobody counts as such."""
    _kept: dict[str, FilteredRows] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rows_of(self, choice: ListFilter) -> FilteredRows:
        """Everyone who fits a filter, whatever its limit; raises `UsageError` for a name that nothing has."""
        return self._kept_rows(choice) or in_one_thread(lambda: self._kept_rows(choice) or self._keep(choice))

    def _kept_rows(self, choice: ListFilter) -> FilteredRows | None:
        with self._lock:
            found = self._kept.pop(choice.fingerprint, None)
            if found is not None:
                self._kept[choice.fingerprint] = found  # the last one asked for stays longest
            return found

    def _keep(self, choice: ListFilter) -> FilteredRows:
        found = self._filtered(choice)
        with self._lock:
            self._kept[choice.fingerprint] = found
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    def totals(self, choice: ListFilter) -> ListTotals:
        """What a list of this filter adds up to, within its limit."""
        found = self.rows_of(choice)
        if choice.limit is None or found.totals.customers <= choice.limit:
            return found.totals
        rows = found.ranking[found.places(0, choice.limit)]
        return self._added_up([rows])

    def _filtered(self, choice: ListFilter) -> FilteredRows:
        scores, ranking = self.scores, ranking_of(self.scores, choice.order_by)
        matches = FilterMatcher(scores, choice, self.subjects, self.plan)
        # In the order of the file, which takes a third of the time that the order of the list would, and in
        # parts: arrays of a million numbers would stay with each thread that once made them.
        parts = np.split(scores.cohort, range(AT_ONCE, len(scores.cohort), AT_ONCE))
        fitting = [rows[matches(rows)] for rows in parts]
        fits: Mask = np.zeros(len(scores.answers), dtype=np.bool_)
        for rows in fitting:
            fits[rows] = True
        return FilteredRows.of(ranking, fits[ranking], self._added_up(fitting))

    def _added_up(self, parts: Sequence[Rows]) -> ListTotals:
        """What customers add up to; those of whom a value is not known count for nothing."""
        answers, customers = self.scores.answers, sum(map(len, parts))
        # One pass counts outcomes and who is refused: a place for each pair of them.
        places = 2 * (len(OUTCOMES) + 1)
        found = [np.bincount(self._codes[rows], minlength=places) for rows in parts]
        pairs = np.sum([np.zeros(places, np.int64), *found], axis=0).reshape(-1, 2)
        counts, refused = pairs.sum(axis=1)[1:].tolist(), int(pairs[:, 1].sum())
        at_risk = expected = None
        if self.scores.facts.amounts:
            at_risk, expected = (
                float(sum(np.nansum(values[rows]) for rows in parts))
                for values in (answers.value_at_risk, answers.expected_value)
            )
        return ListTotals(customers, at_risk, expected, counts[PLANNED], refused, counts[IN_CONTROL])

    @cached_property
    def _codes(self) -> Outcomes:
        """int8[n]: twice the place of each row's outcome, from 1 on, as 0 stands for none; and 1 where the
        customer is refused."""
        codes: Outcomes = np.zeros(len(self.scores.answers), np.int8)
        if self.outcomes is not None:
            codes += 2 * (self.outcomes() + 1)
        if self.refused is not None:
            codes += self.refused()
        return codes

"""Metrics of customers between the edges of a period: retention, churn, upgrades, tiers and attitude."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY, in_history
from serving.reports.aggregates import Floats, Ints, MetricUnits
from serving.reports.bucket_view import BucketView
from serving.reports.event_index import EventIndex
from serving.reports.event_metrics import BEST, DETRACTOR, PROMOTER
from serving.reports.kernels import window_sums
from serving.reports.periods import PeriodCalendar, TimeSpan
from serving.schemas.terms import ATTITUDES, UNKNOWN
from serving.scoring.tiers_at import tiers_at
from training.bundle.model_bundle import Bundle
from training.labels.cohort import contract_history, customers_at
from training.labels.contracts import ContractHistory
from training.labels.settings import Churn

ATTITUDE_LASTS = 365 * DAY
"""An answer older than this says nothing about today's attitude."""
OUTSIDE = -1
"""The tier of who is no customer."""


@dataclass
class CustomerStatusCache:
    """Status, tier and value of a bucket's customers at each edge of a period."""

    index: EventIndex
    churn: Churn
    contract: Churn
    """What a running contract is, for measures of contracts."""
    bundle: Bundle | None
    _active: dict[tuple[bool, int], NDArray[np.bool_]] = field(default_factory=dict)
    _tiers: dict[int, NDArray[np.int8]] = field(default_factory=dict)
    _values: dict[int, Floats] = field(default_factory=dict)

    def prepare(self, edges: Sequence[int], tier_edges: Sequence[int]) -> None:
        """Compute all of these edges together, which is much faster than one by one."""
        history = self.index.history
        for contract, churn in ((False, self.churn), (True, self.contract)):
            for edge, active in zip(edges, customers_at(history, churn, edges), strict=True):
                self._active[contract, edge] = active
        if self.bundle is None:
            return
        for edge, tier in zip(
            tier_edges, tiers_at(self.bundle, history, history.keys, tier_edges), strict=True
        ):
            self._tiers[edge] = np.where(self._active[False, edge], tier, OUTSIDE).astype(np.int8)

    def is_active(self, edge: int, *, contract: bool = False) -> NDArray[np.bool_]:
        """bool[customers]: who is a customer (or has a running contract)."""
        return self._active[contract, edge]

    def tier(self, edge: int) -> NDArray[np.int8] | None:
        """int8[customers]: the tier of each customer, `OUTSIDE` where they are none; None without a model."""
        return self._tiers.get(edge)

    def value_at(self, edge: int) -> Floats:
        """float64[customers]: the recurring amounts of contracts, or purchases of the active days before."""
        history, index = self.index.history, self.index
        if self.churn.type == "contract":
            return self._contracts.value_at(edge)
        if edge not in self._values:
            at = index.of_kinds(self.churn.amounts)
            ends = np.searchsorted(index.row[at], np.arange(history.customers + 1))
            edges = np.array([edge, *(known for _, known in self._active)])
            begins = self.churn.active_since(edges)
            sums = window_sums(ends, history.instants[at], history.values[at], begins, edges)
            self._values.update(zip(edges.tolist(), sums, strict=True))
        return self._values[edge]

    @cached_property
    def _contracts(self) -> ContractHistory:
        return contract_history(self.index.history, self.churn)


def attitude(index: EventIndex, edge: int) -> NDArray[np.int8]:
    """int8[customers]: positions in `ATTITUDES`, by the last answer from 0 to 10 within a year."""
    history = index.history
    at = index.of_kinds(("nps",))
    score, when = history.values[at], history.instants[at]
    known = in_history(when, history.recorded[at] if len(history.recorded) else None, edge)
    at = at[known & (when >= edge - ATTITUDE_LASTS) & (score >= 0) & (score <= BEST) & (score % 1 == 0)]
    score = history.values[at]
    attitudes = np.full(history.customers, UNKNOWN, dtype=np.int8)
    attitudes[index.row[at]] = np.where(score >= PROMOTER, 0, np.where(score <= DETRACTOR, 2, 1))
    return attitudes


def add_customer_metrics(view: BucketView, statuses: CustomerStatusCache) -> None:
    """Add retention, churn, upgrades and tiers of every period to the sums."""
    upgrades = view.pick(view.index.of_kinds(("upgraded",)))
    for number, span in enumerate(view.calendar.spans):
        start, end = statuses.is_active(span.start), statuses.is_active(span.end)
        rows = np.flatnonzero(start)
        stayed = end[rows].astype(np.float64)
        value = np.maximum(statuses.value_at(span.start)[rows], 0.0)
        for measure, y, x in (
            ("retention_rate", stayed, None),
            ("churn_rate", 1.0 - stayed, None),
            ("churned_value_rate", (1.0 - stayed) * value, value),
        ):
            view.sums.add(measure, _units(number, rows, y, x), view.cut(rows))
        rows = np.flatnonzero(statuses.is_active(span.start, contract=True))
        moved = np.isin(rows, upgrades.row[upgrades.span == number]).astype(np.float64)
        view.sums.add("upgrade_rate", _units(number, rows, moved), view.cut(rows))
        tier = statuses.tier(span.end)
        if tier is not None and statuses.bundle is not None:
            _tiers(view, number, tier, statuses.bundle.tiers.names)


def _tiers(view: BucketView, number: int, tier: NDArray[np.int8], names: Sequence[str]) -> None:
    rows = np.flatnonzero(tier >= 0)
    whole = _units(number, rows, np.ones(len(rows)))
    view.sums.add("tier_share", whole, {})
    view.sums.add_shares("tier_share", whole, "tier", tier[rows].astype(np.int64), names)


def _units(span: int, rows: Ints, y: Floats, x: Floats | None = None) -> MetricUnits:
    return MetricUnits(np.full(len(rows), span, dtype=np.int64), rows, y, x, one_per_customer=True)


@dataclass
class Movements:
    """Customers by tier at both edges of the period, and by tier and attitude at each edge."""

    flow: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Customers by tier at the start and at the end; `OUTSIDE` for who was or is none."""
    now: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Customers by tier and attitude at the end."""
    then: dict[tuple[int, int], Floats] = field(default_factory=dict)
    """By tier and attitude at the start: customers, those lost, spending in the period and its square."""

    def add(self, index: EventIndex, statuses: CustomerStatusCache, period: TimeSpan) -> None:
        """Add a bucket's customers."""
        before, after = statuses.tier(period.start), statuses.tier(period.end)
        if before is None or after is None:
            return
        self.flow.update(zip(before.tolist(), after.tolist(), strict=True))
        now = zip(after.tolist(), attitude(index, period.end).tolist(), strict=True)
        self.now.update(cell for cell in now if cell[0] != OUTSIDE)
        spent, lost = _spent(index, period), after == OUTSIDE
        cells = before.astype(np.int64) * len(ATTITUDES) + attitude(index, period.start)
        for cell in np.unique(cells[before != OUTSIDE]).tolist():
            mine = (cells == cell) & (before != OUTSIDE)
            sums = np.array([mine.sum(), (mine & lost).sum(), spent[mine].sum(), (spent[mine] ** 2).sum()])
            key = divmod(cell, len(ATTITUDES))
            self.then[key] = self.then.get(key, np.zeros(4)) + sums

    def merge(self, other: Movements) -> None:
        """Add the customers of later buckets."""
        self.flow.update(other.flow)
        self.now.update(other.now)
        for cell, sums in other.then.items():
            self.then[cell] = self.then.get(cell, np.zeros(4)) + sums


def _spent(index: EventIndex, period: TimeSpan) -> Floats:
    """float64[customers]: the purchases of the period less refunds."""
    history = index.history
    at = index.of("purchase")
    at = at[(history.instants[at] >= period.start) & (history.instants[at] < period.end)]
    amounts = np.nan_to_num(history.values[at])
    return np.bincount(index.row[at], weights=amounts, minlength=history.customers).astype(np.float64)


def edges(*calendars: PeriodCalendar) -> list[int]:
    """Every start and end of their spans."""
    return sorted(
        {edge for calendar in calendars for span in calendar.spans for edge in (span.start, span.end)}
    )

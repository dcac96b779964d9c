"""Everything that lifetime value is learned and judged from: the rows of each date that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.evaluate import DatedNumbers
from features.engine.snapshot import Priors
from features.event_store import EventStore
from features.execution.base import Engine
from features.execution.local import HERE
from features.timeline import Timeline
from training.bundle.lifetime.lifetime_model import contract_kinds, spending_catalog
from training.data.columns.level_counts import NO_LEVELS, LevelCounts
from training.data.columns.populations import dated_numbers
from training.data.lifetime.contract_spend import period_days
from training.data.lifetime.matured_dates import MaturedDates, matured_dates
from training.data.lifetime.purchase_rows import PurchaseRows, RowRequest, purchase_rows
from training.data.priors import learn_priors
from training.labels.settings import Churn

if TYPE_CHECKING:
    from training.data.extent import DataExtent

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PurchaseHistory:
    """Rows by date, with what customers spent until each of the ends that were asked for."""

    at: int
    """The date that the delivered model predicts from."""
    first: int
    """Where the history begins."""
    months: tuple[int, ...]
    timeline: Timeline
    period: float
    """The days that a recurring amount pays for."""
    spending: Catalog
    features: Catalog
    rows: Mapping[int, PurchaseRows]
    ends: Mapping[int, tuple[int, ...]]

    def spent(self, date: int, end: int, *, contracts: bool) -> Floats:
        """float64[n]: what the customers of a date spent until this end, with what contracts brought or
        without."""
        rows, place = self.rows[date], self.ends[date].index(end)
        spent: Floats = rows.bought[:, place]
        return spent + rows.contracts[:, place] if contracts else spent

    def matured(self, at: int, months: tuple[int, ...] | None = None) -> MaturedDates:
        """The dates that a model of this date can learn from."""
        return matured_dates(at, self.first, months or self.months, self.timeline)

    def judged(self) -> dict[int, tuple[int, ...]]:
        """The dates on which a model of that time is judged, and the horizons of which their spend is known.

        The first horizon is judged on the last date that has matured over it, and so is each longer one.
        """
        found: dict[int, tuple[int, ...]] = {}
        for date in self.matured(self.at).level:
            if date is not None:
                known = tuple(one for one in self.months if self.timeline.months_after(date, one) <= self.at)
                found[date] = known
        return found


def purchase_history(
    store: EventStore,
    features: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    past: DataExtent,
    at: int,
    months: tuple[int, ...],
    until: int | None,
    levels: LevelCounts = NO_LEVELS,
    *,
    engine: Engine = HERE,
) -> PurchaseHistory | None:
    """Read the rows of every date that a model of the date `at`, and its judgement, need.

    `levels` are those of `dated_numbers`. None where there are neither purchases nor contracts, or where no
    horizon is wanted.
    """
    if not months or not {*churn.amounts, *contract_kinds(churn)} & {*past.kinds}:
        return None
    spending = spending_catalog(features, churn)
    period = period_days(features.indicators, churn)
    empty = PurchaseHistory(at, past.first, months, timeline, period, spending, features, {}, {})
    ends: dict[int, set[int]] = {at: set()}
    featured: set[int] = set()
    judged = empty.judged()
    for date in (at, *judged):
        known = judged.get(date, months)
        dates = empty.matured(date, known)
        for one, wanted in dates.ends(date, known, timeline).items():
            ends.setdefault(one, set()).update(wanted)
        if date != at:
            ends.setdefault(date, set()).update(timeline.months_after(date, one) for one in known)
        if date == at or date == next(iter(judged)):
            featured |= {*dates.learned, date} if dates.learned else set()
    dated = tuple(sorted(featured - {at}))  # those of today are in the priors
    featured.add(at)
    requests = {
        date: RowRequest(tuple(sorted(wanted)), date in featured, timeline.months_after(date, -months[0]))
        for date, wanted in sorted(ends.items())
    }
    numbers: DatedNumbers = {}
    if dated:  # by what was known at the earliest of them: `priors` know later dates
        early = learn_priors(store, features, timeline, dated[0], until=until, engine=engine)
        numbers = dated_numbers(
            store, features, timeline, dated, early, past.customers, until, levels, engine=engine
        )
    rows = purchase_rows(
        store,
        spending,
        features,
        churn,
        timeline,
        priors,
        numbers,
        requests,
        past.customers,
        until,
        engine=engine,
    )
    return PurchaseHistory(
        at,
        past.first,
        months,
        timeline,
        period,
        spending,
        features,
        rows,
        {date: one.ends for date, one in requests.items()},
    )

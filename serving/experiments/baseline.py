"""What was known of customers on the day of an assignment besides the scores: tenure and past spend."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History, customer_of_event, events_of_kinds
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY
from training.labels.cohort import event_roles
from training.labels.settings import Churn


@dataclass(frozen=True, eq=False)
class BaselineCovariates:
    """Tenure and past spend of some customers, in their order; NaN where nothing is known."""

    tenure_days: NDArray[np.float64]
    """Days since the first event that makes somebody a customer."""
    past_spend: NDArray[np.float64]
    """What they spent in the days before the as-of date that are as long as the horizon."""


def baseline_covariates(
    store: EventStore, churn: Churn, keys: NDArray[np.int64], as_of: int, *, engine: Engine = HERE
) -> BaselineCovariates:
    """The covariates of these customers from the events before the as-of date."""
    found = map_partitions(store, partial(_Baselines, churn, as_of), until=as_of, engine=engine)
    none = np.empty(0, np.float64)
    known = np.concatenate([np.empty(0, np.int64), *(part[0] for part in found.parts)])
    columns = [np.concatenate([none, *(part[place] for part in found.parts)]) for place in (1, 2)]
    order = np.argsort(known, kind="stable")
    known = np.append(known[order], -1)
    places = np.searchsorted(known[:-1], keys)
    there = known[places] == keys
    tenure, spend = (np.where(there, np.append(column[order], np.nan)[places], np.nan) for column in columns)
    return BaselineCovariates(tenure, spend)


@dataclass
class _Baselines:
    """Key, tenure and past spend of each bucket's customers."""

    churn: Churn
    as_of: int
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=list
    )

    def add(self, history: History) -> None:
        from training.labels.kernels import Futures, outcomes  # compiled

        starts = np.flatnonzero(events_of_kinds(history, self.churn.started_by))
        first = np.full(history.customers, -1, np.int64)
        first[customer_of_event(history)[starts][::-1]] = starts[::-1]
        began = history.instants[np.maximum(first, 0)] if history.events else np.zeros(0, np.int64)
        tenure = np.where(first >= 0, (self.as_of - began) / DAY, np.nan)
        rows = np.arange(history.customers)
        begin = np.full(len(rows), self.as_of - self.churn.horizon.days * DAY)
        window = Futures(rows, begin, np.full(len(rows), self.as_of))
        roles = event_roles(history, self.churn)
        _, spend = outcomes(history.offsets, history.instants, history.values, roles, window)
        self.parts.append((history.keys, tenure, spend))

    def merge(self, other: _Baselines) -> None:
        self.parts += other.parts

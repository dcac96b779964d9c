"""Labels of the same rows some days ahead: who is still there then, and who leaves in the horizon after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import Horizon, Timeline
from training.data.rows.labelled_rows import LabelledRows
from training.labels.contracts import CONTRACT_COLUMNS
from training.labels.labelling import label
from training.labels.settings import Churn

Flags = NDArray[np.bool_]

LEADS = (7, 30)
"""Days ahead: a week and a month."""
MOST_ROWS = 20_000
_COLUMNS = frozenset({"value"}) | CONTRACT_COLUMNS


@dataclass(frozen=True, eq=False)
class LeadLabels:
    """Rows with their labels at lead 0, and the labels of the same rows some days ahead."""

    rows: LabelledRows
    left: Mapping[int, Flags]
    """By lead in days: who leaves in the horizon that begins so much later."""
    still: Mapping[int, Flags]
    """By lead: who has not left before it begins."""


def lead_labels(
    store: EventStore,
    rows: LabelledRows,
    churn: Churn,
    covered_until: int,
    timeline: Timeline,
    until: int | None,
    leads: Sequence[int] = LEADS,
) -> LeadLabels | None:
    """The labels some days ahead of rows whose later horizons are covered; None where there are none."""
    latest = _later(churn.horizon, max(leads))
    early = np.flatnonzero(latest.end(rows.as_of) <= covered_until)
    if not len(early):
        return None
    some = rows.where(early[:: max(1, -(-len(early) // MOST_ROWS))])
    new = partial(_LeadAccumulator, some, churn, covered_until, timeline, tuple(leads))
    found = map_partitions(store, new, until=until, columns=_COLUMNS, retractions=True)
    return LeadLabels(some, found.left, found.still)


@dataclass
class _LeadAccumulator:
    """The labels of the rows of each bucket."""

    rows: LabelledRows
    churn: Churn
    covered_until: int
    timeline: Timeline
    leads: tuple[int, ...]
    left: dict[int, Flags] = field(default_factory=dict)
    still: dict[int, Flags] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = {lead: np.zeros(len(self.rows), dtype=np.bool_) for lead in self.leads}
        self.still = {lead: np.ones(len(self.rows), dtype=np.bool_) for lead in self.leads}

    def add(self, history: History) -> None:
        mine = np.flatnonzero(np.isin(self.rows.keys, history.keys))
        if not len(mine):
            return
        keys, dates, horizon = self.rows.keys[mine], self.rows.as_of[mine], self.churn.horizon
        for lead in self.leads:
            ahead = replace(self.churn, horizon=_later(horizon, lead))
            self.left[lead][mine] = self._gone(history, ahead, keys, dates)
            if self.churn.type == "contract":
                between = replace(self.churn, horizon=Horizon(horizon.lead_days + lead))
                self.still[lead][mine] = ~self._gone(history, between, keys, dates)

    def merge(self, other: _LeadAccumulator) -> None:
        """Add the labels of later buckets: each row is labelled in one of them."""
        for lead in self.leads:
            self.left[lead] |= other.left[lead]
            self.still[lead] &= other.still[lead]

    def _gone(
        self, history: History, churn: Churn, keys: NDArray[np.int64], dates: NDArray[np.int64]
    ) -> Flags:
        return label(history, churn, keys, dates, self.covered_until, self.timeline).churned


def _later(horizon: Horizon, lead: int) -> Horizon:
    return replace(horizon, lead_days=horizon.lead_days + lead)

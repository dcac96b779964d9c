"""Labels: whether each customer of a cohort churned within the horizon, and what they spent in it.

The cohort is decided by what was known at the as-of date, the label by what happened in the horizon, as far
as is known when it is made: an event that was recorded late is in it, one that was retracted since is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from features.errors import HorizonNotCovered
from features.events.history import History, without_retracted
from features.timeline import DAY, Horizon, Instants, Timeline
from training.labels.cohort import contract_history, event_roles
from training.labels.settings import Churn


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels: one per pair of customer and as-of date."""

    churned: NDArray[np.bool_]
    value: NDArray[np.float64]
    """What the customer spent over the horizon, refunds taken off; 0 where nothing was."""


def label(
    history: History,
    churn: Churn,
    keys: NDArray[np.int64],
    as_of: int | Instants,
    covered_until: int,
    timeline: Timeline,
) -> Labels:
    """What became of each customer `keys[i]` in the horizon of `as_of[i]` (one date may serve all).

    Raises `HorizonNotCovered` when a horizon ends after `covered_until`. A key without events in the
    history has none in the horizon either.
    """
    history = without_retracted(history)
    dates = np.broadcast_to(np.asarray(as_of, dtype=np.int64), keys.shape)
    if len(dates):
        require_covered(int(dates.max()), churn.horizon, covered_until, timeline)
    rows = np.searchsorted(history.keys, keys)
    has_events = rows < history.customers
    has_events[has_events] = history.keys[rows[has_events]] == keys[has_events]
    rows[~has_events] = -1
    from training.labels.kernels import Futures, outcomes  # compiled: not needed to read what a score says

    roles = event_roles(history, churn)
    futures = Futures(rows, churn.horizon.start(dates), churn.horizon.end(dates))
    silent, value = outcomes(history.offsets, history.instants, history.values, roles, futures)
    if churn.type == "contract":
        return Labels(contract_history(history, churn, roles).left(*futures), value)
    return Labels(silent, value)


def latest_labelled(covered_until: int, horizon: Horizon, timeline: Timeline) -> int:
    """The newest local midnight whose horizon the data covers."""
    day = timeline.local(covered_until - horizon.reach * DAY).date() + timedelta(days=1)
    while horizon.end(timeline.instant(day)) > covered_until:
        day -= timedelta(days=1)
    return timeline.instant(day)


def require_covered(as_of: int, horizon: Horizon, covered_until: int, timeline: Timeline) -> None:
    """Refuse an as-of date whose horizon the data does not reach, naming the dates."""
    if horizon.end(as_of) > covered_until:
        raise HorizonNotCovered(
            timeline.name(as_of),
            horizon.reach,
            (timeline.local(as_of) + timedelta(days=round((horizon.end(as_of) - as_of) / DAY)))
            .date()
            .isoformat(),
            timeline.local(covered_until).date().isoformat(),
            timeline.name(latest_labelled(covered_until, horizon, timeline)),
        )

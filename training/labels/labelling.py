"""Labels: whether each customer of a cohort churned within the horizon, and what they spent in it.

The cohort is decided by what was known at the as-of date, the label by what happened in the horizon, as far
as is known when it is made: an event that was recorded late is in it, one that was retracted since is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import HorizonNotCovered
from features.events.history import History, without_retracted
from features.timeline import DAY, Horizon, Instants, Timeline
from training.labels.cohort import AMOUNT, contract_history, contracts_were_read, event_roles, kind_roles
from training.labels.settings import Churn

if TYPE_CHECKING:
    from training.labels.kernels import Futures


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
    from training.labels.kernels import Futures, outcomes, rows_of_keys  # compiled: not needed to read scores

    rows = rows_of_keys(history.keys, keys)
    futures = Futures(rows, churn.horizon.start(dates), churn.horizon.end(dates))
    if churn.type == "contract":
        return _labels_of_contracts(history, churn, futures)
    roles = event_roles(history, churn)
    return Labels(*outcomes(history.offsets, history.instants, history.values, roles, futures))


def _labels_of_contracts(history: History, churn: Churn, futures: Futures) -> Labels:
    from training.labels.contracts import plain_outcomes_of  # compiled: as above
    from training.labels.kernels import amounts_between
    from training.labels.plain_contract_kernels import UNDECIDED

    of_kind, _ = kind_roles(churn, tuple(history.kind_names))
    value = np.zeros(len(futures.rows))
    if len(history.values) and (of_kind & AMOUNT).any():
        value = amounts_between(
            history.offsets, history.instants, history.kinds, history.values, of_kind, futures
        )
    # For one date it is shorter to look for those who had one contract at a time than to read all contracts.
    one_date = len(futures.rows) <= history.customers and churn.contracts.term_days is None
    if not one_date or contracts_were_read(history, churn):
        return Labels(contract_history(history, churn).left(*futures), value)
    codes = plain_outcomes_of(history, churn, of_kind, futures)
    churned, undecided = codes == 1, np.flatnonzero(codes == UNDECIDED)
    if len(undecided):
        others = (column[undecided] for column in futures)
        churned[undecided] = contract_history(history, churn).left(*others)
    return Labels(churned, value)


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

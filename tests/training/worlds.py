"""Histories written by hand: what happened to whom, in days since the origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from features.events.history import History
from features.timeline import ALWAYS, DAY, NEVER, Horizon, Timeline
from training.labels.settings import Churn

ORIGIN = Timeline("UTC").instant("2024-01-01")

INACTIVITY = Churn(
    type="inactivity",
    indicators=("purchase",),
    started_by=("purchase",),
    ended_by=(),
    completed_by=(),
    amounts=("purchase", "refund"),
    active_days=20,
    horizon=Horizon(10),
)
CONTRACT = Churn(
    type="contract",
    indicators=(),
    started_by=("started", "renewed"),
    ended_by=("cancelled",),
    completed_by=("completed",),
    amounts=("purchase", "refund"),
    active_days=20,
    horizon=Horizon(10),
)


def day(n: float) -> int:
    """The instant `n` days after the origin."""
    return ORIGIN + round(n * DAY)


def world(
    events: Mapping[int, Sequence[tuple[float, str, float | None]]],
    recorded: Mapping[tuple[int, int], float] | None = None,
    retracted: Mapping[tuple[int, int], float] | None = None,
) -> History:
    """The history of these `(day, kind, value)` per key; `recorded` says when an event was learned of,
    `retracted` since when it does not count any more."""
    keys = sorted(events)
    kind_names = tuple(sorted({kind for rows in events.values() for _, kind, _ in rows}))
    offsets, instants, late, kinds, values, gone = [0], [], [], [], [], []
    for key in keys:
        order = sorted(range(len(events[key])), key=lambda i, key=key: events[key][i][0])
        for i in order:
            when, kind, value = events[key][i]
            instants.append(day(when))
            kinds.append(kind_names.index(kind))
            values.append(np.nan if value is None else value)
            known = (recorded or {}).get((key, i))
            late.append(ALWAYS if known is None else day(known))
            until = (retracted or {}).get((key, i))
            gone.append(NEVER if until is None else day(until))
        offsets.append(len(instants))
    empty = np.full(len(instants), -1, dtype=np.int32)
    return History(
        keys=np.array(keys, dtype=np.int64),
        offsets=np.array(offsets, dtype=np.int64),
        instants=np.array(instants, dtype=np.int64),
        recorded=np.array(late if recorded else [], dtype=np.int64),
        kinds=np.array(kinds, dtype=np.int32),
        values=np.array(values, dtype=np.float64),
        channels=empty,
        places=empty,
        details=empty,
        kind_names=kind_names,
        retracted=np.array(gone if retracted else [], dtype=np.int64),
    )

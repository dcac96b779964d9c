"""The events behind a change: what a feature's number gained and lost between two as-of dates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import AGGREGATES
from features.catalog.definitions import Catalog, Derived, Feature
from features.events.history import MISSING, Codes, History, events_of_kinds, is_taken_back
from features.events.schema import REFUND
from features.timeline import in_history, in_window

Flags = NDArray[np.bool_]
Role = Literal["entered", "left", "last"]

SHOWN = 5
"""Events that are named of those that entered, and of those that left."""


@dataclass(frozen=True)
class EventBehindChange:
    """One event, and what became of it between the dates."""

    instant: int
    """Microseconds UTC."""
    kind: str
    value: float | None
    channel: str | None
    place: str | None
    detail: str | None
    role: Role
    """`entered`: counts now and did not before; `left`: the other way round, its window has moved on;
    `last`: the newest one, where none entered and none left."""


@dataclass(frozen=True)
class EventsBehindChange:
    """The events behind one change, the newest first, and how many there were."""

    shown: tuple[EventBehindChange, ...]
    entered: int
    left: int


def events_behind_change(
    catalog: Catalog, history: History, column: str, then: int, now: int
) -> EventsBehindChange:
    """The events that this column counts now and did not then, and those it counts no more.

    The history is that of one customer.
    """
    feature = _first(catalog, column)
    if feature.aggregate == "days_since_first":  # only the clock moves it
        return EventsBehindChange((), 0, 0)
    mine = _taken(catalog, history, feature)
    days = feature.days if AGGREGATES[feature.aggregate].span == "any" else None
    before, after = (mine & _within(history, days, as_of) for as_of in (then, now))
    entered, left = np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)
    shown = [*_named(history, entered, "entered"), *_named(history, left, "left")]
    if not shown:
        known = np.flatnonzero(mine & _within(history, None, now))
        shown = list(_named(history, known[-1:], "last"))
    return EventsBehindChange(tuple(shown), len(entered), len(left))


def _first(catalog: Catalog, column: str) -> Feature:
    feature = catalog.feature_of[column]
    return _first(catalog, feature.first) if isinstance(feature, Derived) else feature


def _within(history: History, days: int | None, as_of: int) -> Flags:
    """Which events the window holds at the as-of date."""
    recorded = history.recorded if len(history.recorded) else None
    retracted = history.retracted if len(history.retracted) else None
    past = in_history(history.instants, recorded, as_of, retracted)
    if days is None:
        return past
    return past & in_window(history.instants, days, as_of)


def _taken(catalog: Catalog, history: History, feature: Feature) -> Flags:
    """Which events the feature's stream takes."""
    stream = catalog.stream_of[feature.stream]
    mine = events_of_kinds(history, stream.kinds)
    if feature.aggregate != "sum" and stream.kinds != (REFUND,):  # what takes back enters sums alone
        mine &= ~is_taken_back(history, stream.kinds if stream.amounts else ())
    for codes, names, wanted in (
        (history.channels, history.channel_names, stream.channels),
        (history.places, history.place_names, stream.places),
        (history.details, history.detail_names, stream.details),
    ):
        if wanted:
            mine &= _among(codes, names, wanted)
    return mine


def _among(codes: Codes, names: tuple[str, ...], wanted: tuple[str, ...]) -> Flags:
    return np.isin(codes, [code for code, name in enumerate(names) if name in wanted])


def _named(history: History, rows: NDArray[np.int64], role: Role) -> Iterator[EventBehindChange]:
    for row in rows[::-1][:SHOWN].tolist():
        value = float(history.values[row]) if len(history.values) else math.nan
        yield EventBehindChange(
            instant=int(history.instants[row]),
            kind=history.kind_names[history.kinds[row]],
            value=None if math.isnan(value) else value,
            channel=_name(history.channels, history.channel_names, row),
            place=_name(history.places, history.place_names, row),
            detail=_name(history.details, history.detail_names, row),
            role=role,
        )


def _name(codes: Codes, names: tuple[str, ...], row: int) -> str | None:
    return names[codes[row]] if len(codes) and codes[row] != MISSING else None

"""A history: the events of each customer as sorted arrays, from which features are computed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from features.events.schema import REFUND
from features.timeline import Instants, in_history, still_counts

Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]

MISSING = -1
"""The code of an absent channel, place, detail, contract or currency."""


def no_codes() -> Codes:
    return np.empty(0, dtype=np.int32)


def no_instants() -> Instants:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class History:
    """Events of some customers, sorted by customer key, instant, event id and kind.

    The events of the customer `keys[c]` are the rows `offsets[c]` to `offsets[c + 1]`. Codes count
    into the tuple of names beside them, in no particular order, and mean something in this history
    only. A column that was not requested is empty (length 0).
    """

    keys: NDArray[np.int64]
    """int64[c], ascending customer keys."""
    offsets: NDArray[np.int64]
    """int64[c + 1]."""
    instants: Instants
    """int64[n], microseconds UTC, ascending within a customer."""
    recorded: Instants
    """int64[n], when the company learned of it, `ALWAYS` where known at once; empty when all were."""
    kinds: Codes
    values: NDArray[np.float64]
    """float64[n], NaN where absent."""
    channels: Codes
    places: Codes
    details: Codes
    kind_names: tuple[str, ...]
    channel_names: tuple[str, ...] = ()
    place_names: tuple[str, ...] = ()
    detail_names: tuple[str, ...] = ()
    contracts: Codes = field(default_factory=no_codes)
    """Which of the customer's contracts an event is about; empty where no event says so."""
    contract_names: tuple[str, ...] = ()
    currencies: Codes = field(default_factory=no_codes)
    """Empty where no event has one."""
    currency_names: tuple[str, ...] = ()
    sources: Codes = field(default_factory=no_codes)
    """Which source an event came from; only where requested, as `source` is not among all columns."""
    source_names: tuple[str, ...] = ()
    event_ids: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    """Text ids, only where requested (explanations name the events behind a change)."""
    retracted: Instants = field(default_factory=no_instants)
    """int64[n], when the source no longer had the event, `NEVER` where it still has it; empty where all
    still count. Only where requested: all other histories are without the events that were retracted."""

    @property
    def customers(self) -> int:
        return len(self.keys)

    @property
    def events(self) -> int:
        return len(self.instants)


_EVENT_COLUMNS = ("instants", "recorded", "kinds", "values", "channels", "places", "details", "contracts",
                  "currencies", "sources", "event_ids")  # fmt: skip
_present: WeakKeyDictionary[History, History] = WeakKeyDictionary()


def without_retracted(history: History) -> History:
    """The history by all that is known today: its customers, without the events that were retracted.

    A history without such events is returned as it is.
    """
    if not len(history.retracted):
        return history
    if history not in _present:
        _present[history] = _of_events(history, still_counts(history.retracted, None))
    return _present[history]


def known_at(history: History, moment: int) -> History:
    """The history by what was known at a moment: its customers, with the events that had happened and were
    recorded before it and not yet retracted; of later retractions nothing is known."""
    recorded, retracted = (
        column if len(column) else None for column in (history.recorded, history.retracted)
    )
    return _of_events(history, in_history(history.instants, recorded, moment, retracted))


def of_kinds(history: History, kinds: Collection[str]) -> History:
    """The customers with their events of these kinds alone."""
    stay = events_of_kinds(history, kinds)
    retracted = history.retracted[stay] if len(history.retracted) else history.retracted
    return replace(_of_events(history, stay), retracted=retracted)


def _of_events(history: History, stay: Flags) -> History:
    """The customers with these of their events; none of them is retracted."""
    columns = {name: column[stay] for name in _EVENT_COLUMNS if len(column := getattr(history, name))}
    offsets = np.append(0, np.cumsum(stay))[history.offsets]
    return replace(history, offsets=offsets, retracted=no_instants(), **columns)


def customer_of_event(history: History) -> NDArray[np.int64]:
    """int64[n]: the customer of each event, as a position in `history.keys`."""
    return np.repeat(np.arange(history.customers), np.diff(history.offsets))


def events_of_kinds(history: History, kinds: Collection[str]) -> Flags:
    """bool[n]: which events are of one of these kinds."""
    of_kind = np.array([name in kinds for name in history.kind_names], dtype=np.bool_)
    if not of_kind.any():
        return np.zeros(history.events, dtype=np.bool_)
    return of_kind[history.kinds]


def is_taken_back(history: History, amounts: Collection[str]) -> Flags:
    """bool[n]: which events take something back: refunds, and negative values where values are amounts.

    `amounts` names the kinds whose values are amounts of money (`features.catalog.definitions.amount_kinds`).
    A negative value of any other kind is a value like others, such as a rating below zero. What takes back
    enters sums; it is no activity, counts for nothing and makes nobody an active customer.
    """
    always, if_negative = taking_back(history.kind_names, amounts)
    back: Flags = always[history.kinds]
    if len(history.values) and if_negative.any():
        back |= if_negative[history.kinds] & (history.values < 0)
    return back


def taking_back(kind_names: Sequence[str], amounts: Collection[str]) -> tuple[Flags, Flags]:
    """bool[kinds] twice: the kinds whose events always take back, and those that do with a negative value."""
    always = np.array([name == REFUND for name in kind_names], dtype=np.bool_)
    return always, np.array([name in amounts for name in kind_names], dtype=np.bool_)

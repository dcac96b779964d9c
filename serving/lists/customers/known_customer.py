"""Looks one customer up by their id, with the history that is known of them now."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import pyarrow as pa

from features.errors import DataError, UnknownCustomer
from features.event_store import EventStore
from features.events.history import History
from features.storage.customer_ids import Customers
from serving.lists.similar_ids import similar_ids


@dataclass(frozen=True, eq=False)
class KnownCustomer:
    """A customer with their events."""

    customer_id: str
    """The id that they are known by, also where another was asked for."""
    key: int
    earlier_keys: tuple[int, ...]
    """Keys under which they were scored before they turned out to be one customer."""
    history: History
    """Of this customer alone, with event ids: everything that is known now."""


_OF_STORE: WeakKeyDictionary[EventStore, dict[str, KnownCustomer]] = WeakKeyDictionary()
"""Of each pinned store who was looked up in it: several parts of one page ask for the same customer."""


def known_customer(store: EventStore, customer_id: str, loaded: Customers | None = None) -> KnownCustomer:
    """The customer of this id; `loaded` are customers that were read before, as reading them all takes long.

    Raises `UnknownCustomer`, with ids that may have been meant, for one who is not known or was erased.
    """
    known = _OF_STORE.setdefault(store, {}) if store.is_pinned else {}
    if customer_id in known:
        return known[customer_id]
    customers = loaded
    key = -1 if customers is None else _key(customers, customer_id)
    if customers is None or key < 0:  # somebody new, or nobody
        customers = store.customers
        key = _key(customers, customer_id)
    if key < 0:
        raise UnknownCustomer(customer_id, similar=similar_ids(customers, customer_id))
    try:
        history = store.history_of([key], event_ids=True)
    except DataError:
        raise UnknownCustomer(customer_id) from None
    if not history.events:  # erased a moment ago
        raise UnknownCustomer(customer_id)
    current, *_ = customers.all_ids(customer_id)
    earlier = tuple(old for old, new in customers.aliases.superseded.items() if new == key)
    known[customer_id] = KnownCustomer(current, key, earlier, history)
    return known[customer_id]


def _key(customers: Customers, customer_id: str) -> int:
    return int(customers.keys(pa.array([customer_id], pa.large_string()))[0])

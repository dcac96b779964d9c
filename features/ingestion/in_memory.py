"""In-memory ingest of a request's events: the history that the store would have of them.

Ids, corrections and order are the store's own, so that a row computed from the request is, bit for bit,
the row of the same events in the store.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.history import Codes, History
from features.events.schema import EVENT_SCHEMA
from features.ingestion.deduplication import EventIdClaims, deduplicate
from features.ingestion.identity.scopes import ANY, SENT
from features.ingestion.staged_batch import with_ids
from features.ingestion.staging import as_rows
from features.storage.customer_ids import Customers
from features.storage.hashing import of_texts
from features.storage.row_order import order
from features.storage.sorted_run import filled
from features.storage.string_dictionary import StringDictionary
from features.timeline import ALWAYS


def history_of_events(events: pa.Table, customers: Customers, stored: int = 0) -> History:
    """The history of checked events (`EVENT_SCHEMA`) in the order in which they were sent.

    The first `stored` of them are in the store, with their ids. It has every customer known to
    `customers`, without events or with; those it does not know yet are added.
    """
    vocabulary = StringDictionary()
    rows = as_rows(events, SENT, customers, vocabulary)
    says = rows.prints(customers.vocabulary.prints, vocabulary)
    rows, _ = with_ids(rows, *says)
    turn = np.arange(len(rows))
    scopes = np.where(turn < stored, 0, ANY).astype(np.int32)
    claims = EventIdClaims(rows, of_texts(rows.ids), says, scopes, turn)
    judgement = deduplicate(claims.take(turn < stored), claims.take(turn >= stored), in_turn=True)
    rows = rows.take(np.concatenate([judgement.stored_stay, judgement.arrived_stay]))
    rows = rows.take(order(rows.keys, rows.occurred, rows.ids))
    people = np.arange(len(customers))
    (kinds, kind_names), (channels, channel_names), (places, place_names), (details, detail_names) = (
        _named(codes, vocabulary) for codes in (rows.kinds, rows.channels, rows.places, rows.details)
    )
    (contracts, contract_names), (currencies, currency_names) = (
        _named(codes, vocabulary) for codes in (rows.contracts, rows.currencies)
    )
    return History(
        keys=people,
        offsets=np.searchsorted(rows.keys, np.arange(len(people) + 1)).astype(np.int64),
        instants=rows.occurred,
        recorded=rows.recorded if (rows.recorded != ALWAYS).any() else np.empty(0, np.int64),
        values=rows.values,
        kinds=kinds,
        channels=channels,
        places=places,
        details=details,
        kind_names=kind_names,
        channel_names=channel_names,
        place_names=place_names,
        detail_names=detail_names,
        contracts=contracts,
        contract_names=contract_names,
        currencies=currencies,
        currency_names=currency_names,
        event_ids=np.array(rows.ids.to_pylist(), dtype=object),
    )


def as_events(stored: History, names: pa.Array) -> pa.Table:
    """Stored events (read with their ids) as if they had been sent; `names` are those of the customers."""

    def text(codes: Codes, known: tuple[str, ...]) -> pa.Array:
        codes = filled(codes, stored.events)
        return pa.array(known, pa.string()).take(pa.array(codes, mask=codes < 0))

    def moment(instants: NDArray[np.int64]) -> pa.Array:
        return pa.array(instants, mask=instants == ALWAYS).cast(EVENT_SCHEMA.field("occurred_at").type)

    whose = np.repeat(np.arange(stored.customers), np.diff(stored.offsets))
    recorded = stored.recorded if len(stored.recorded) else np.full(stored.events, ALWAYS)
    return pa.Table.from_arrays(
        [
            names.take(pa.array(whose)).cast(pa.string()),
            moment(stored.instants),
            text(stored.kinds, stored.kind_names),
            pa.array(stored.values, mask=np.isnan(stored.values)),
            text(stored.channels, stored.channel_names),
            text(stored.places, stored.place_names),
            text(stored.details, stored.detail_names),
            moment(recorded),
            text(stored.contracts, stored.contract_names),
            text(stored.currencies, stored.currency_names),
            pa.array(stored.event_ids, pa.string()),
        ],
        schema=EVENT_SCHEMA,
    )


def _named(codes: Codes, vocabulary: StringDictionary) -> tuple[Codes, tuple[str, ...]]:
    """Codes of a column of its own, and the texts they count into."""
    there: NDArray[np.bool_] = codes >= 0
    used, own = np.unique(codes[there], return_inverse=True)
    renumbered = np.full(len(codes), -1, dtype=np.int32)
    renumbered[there] = own
    return renumbered, tuple(vocabulary.texts.take(pa.array(used)).to_pylist())

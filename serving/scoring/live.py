"""Live scoring: events sent with a request become a history, and go the way of every other history.

Alone, they are the history. With `stored` they come on top of what the store has, with `append` they are
first stored there: the history is what the store has then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from features.catalog.definitions import Catalog, company_kinds
from features.errors import DataError, UsageError
from features.event_store import EventStore
from features.events.history import History
from features.events.schema import ATTRIBUTE, TEXTS
from features.events.validation import whole
from features.ingestion.fast_path import EventRow, attribute, fast_history
from features.ingestion.identity.scopes import SENT
from features.ingestion.in_memory import as_events, history_of_events
from features.ingestion.receipt import Receipt
from features.spelling import nearest_word
from features.storage.customer_ids import Customers
from features.timeline import EARLIEST, Timeline
from serving.schemas.requests import LiveCustomer, PredictRequest
from serving.scoring.batch import newest, score_customers
from serving.state.active_model import ActiveModel
from serving.state.scores.score_table import ScoreTable

Sent = tuple[LiveCustomer, str, EventRow]
"""A row that was sent: whose, where in the request, and what it says."""

MOST_SUGGESTIONS = 20


@dataclass(frozen=True, eq=False)
class LiveScores:
    """Scores of the customers of one request, as arrays; `lists.customer_view` puts them into words."""

    model: ActiveModel
    as_of: int
    data_version: str
    newest: int | None
    """The newest event behind the scores that is not the company's own doing."""
    customer_ids: tuple[str, ...]
    """As in the request, in its order."""
    has_row: tuple[bool, ...]
    """For each of them, whether anything is known; `table` has a row for each of those, in order."""
    table: ScoreTable
    ignored_kinds: dict[str, int]
    did_you_mean: dict[str, str]
    receipt: Receipt | None = None
    """What became of the events that were appended; None where none were to be."""


def predict(model: ActiveModel, request: PredictRequest, now: int) -> LiveScores:
    """Scores of the customers of a request from the events sent alone."""
    timeline = Timeline(model.bundle.timezone)
    as_of = _as_of(request, timeline, now)
    history = history_of(request.customers, timeline, as_of, now)
    rows: dict[str, int] = {}
    for customer in request.customers:
        rows.setdefault(customer.customer_id, len(rows))
    return _scored(model, request, history, as_of, rows, model.bundle.data_version)


def beside_stored(model: ActiveModel, request: PredictRequest, now: int, store: EventStore) -> LiveScores:
    """Scores of the customers of a request from all that is stored and sent; nothing is written.

    They are the ones `append` would give, apart from attributes that were sent: those hold for this call.
    """
    timeline = Timeline(model.bundle.timezone)
    as_of = _as_of(request, timeline, now)
    names = pa.array([customer.customer_id for customer in request.customers], pa.string())
    events = [_checked(request.customers, timeline, as_of, now)]
    store = store.pinned()
    keys = np.unique(store.customers.keys(names))
    if len(known := keys[keys >= 0]):
        stored = store.history_of(known.tolist(), event_ids=True, known_at=as_of)
        events.insert(0, as_events(stored, store.customers.names(stored.keys)))
    people = Customers(aliases=store.customers.aliases)
    places = people.assign(names)
    stored_rows = sum(table.num_rows for table in events[:-1])
    history = history_of_events(pa.concat_tables(events), people, stored_rows)
    rows = dict(zip(names.to_pylist(), places.tolist(), strict=True))
    return _scored(model, request, history, as_of, rows, store.version)


def append(model: ActiveModel, request: PredictRequest, now: int, store: EventStore) -> LiveScores:
    """Scores of the customers of a request from all that is known, once its events are stored.

    Sending the same request again stores nothing twice. A request that is refused stores nothing at all.
    """
    timeline = Timeline(model.bundle.timezone)
    as_of = _as_of(request, timeline, now)
    for number, customer in enumerate(request.customers):
        if customer.attributes:
            raise UsageError(
                f"cannot append attributes of customer '{customer.customer_id}': only events are kept. "
                "Leave the attributes out; those that are stored are used.",
                field=f"customers[{number}].attributes",
            )
    events = _checked(request.customers, timeline, as_of, now)
    receipt = Receipt(SENT, 0, 0, 0, 0, 0, 0)
    if events.num_rows:
        receipt = store.add(events, source=SENT, timeline=timeline, now=now)
    if receipt.quarantined:
        raise DataError(
            f"cannot append {receipt.quarantined} of the events: their event_id names another kind of event "
            "from another source. The others were kept; give these an event_id of their own.",
            field="customers",
        )
    store = store.pinned()  # the history and the data version of one moment, whoever writes meanwhile
    names = [customer.customer_id for customer in request.customers]
    keys = store.customers.keys(pa.array(names, pa.string()))
    known = np.unique(keys[keys >= 0])
    try:
        history = store.history_of(known.tolist(), known_at=as_of)
    except DataError:  # nothing was ever ingested, and no event was sent
        history = history_of_events(events, Customers())
    places = np.searchsorted(history.keys, keys)
    rows = {name: int(at) for name, at, key in zip(names, places, keys, strict=True) if key >= 0}
    return _scored(model, request, history, as_of, rows, store.version, receipt)


def _scored(
    model: ActiveModel,
    request: PredictRequest,
    history: History,
    as_of: int,
    rows: dict[str, int],
    data_version: str,
    receipt: Receipt | None = None,
) -> LiveScores:
    """The scores of the request's customers; `rows` says where each is in the history."""
    table = score_customers(model.bundle, history, as_of, threads=1)
    names = tuple(customer.customer_id for customer in request.customers)
    places = [rows[name] for name in names if name in rows]
    # Mostly the customers of the request are those of the history, in its order.
    chosen = table if places == list(range(len(table))) else table.take(np.array(places, np.int64))
    ignored = ignored_kinds(request.customers, model.bundle.catalog)
    return LiveScores(
        model=model,
        as_of=as_of,
        data_version=data_version,
        newest=newest(history, as_of, ignoring=company_kinds(model.bundle.catalog.indicators)),
        customer_ids=names,
        has_row=tuple(name in rows for name in names),
        table=chosen,
        ignored_kinds=ignored,
        did_you_mean=similar_kinds(ignored, model.bundle.catalog.kinds),
        receipt=receipt,
    )


def _as_of(request: PredictRequest, timeline: Timeline, now: int) -> int:
    if request.as_of is None:
        return now
    try:
        as_of = timeline.instant(request.as_of)
    except UsageError as error:
        raise UsageError(error.message, field="as_of") from None
    if as_of > now:
        raise UsageError(
            f"cannot predict as of {request.as_of}: it has not come yet. "
            "Give a date in the past, or none at all.",
            field="as_of",
        )
    if as_of <= EARLIEST:
        raise UsageError(
            f"cannot predict as of {request.as_of}: no event is before 1970. Give a later date.",
            field="as_of",
        )
    return as_of


def history_of(customers: Sequence[LiveCustomer], timeline: Timeline, as_of: int, now: int) -> History:
    """The history the store would have of what was sent; the first customer has the key 0.

    What is sent is an ingest: the same rules say which rows are events, which event a repeated `event_id`
    names, and which of two at one instant is first. Raises `UsageError` for a row that is no event, or
    not before the as-of date.
    """
    plain = fast_history(customers, timeline, as_of, now)
    if plain is not None:
        return plain
    events = _checked(customers, timeline, as_of, now)
    people = Customers()
    people.assign(pa.array([customer.customer_id for customer in customers], pa.string()))
    return history_of_events(events, people)


def _checked(customers: Sequence[LiveCustomer], timeline: Timeline, as_of: int, now: int) -> pa.Table:
    """What was sent as events (`EVENT_SCHEMA`), by the rules of an ingest."""
    sent: list[Sent] = []
    for number, customer in enumerate(customers):
        place = f"customers[{number}]"
        sent += [(customer, f"{place}.events[{at}]", event) for at, event in enumerate(customer.events)]
        sent += [
            (customer, f"{place}.attributes.{name}", attribute(name, value, as_of))
            for name, value in customer.attributes.items()
        ]

    def moments(name: str) -> pa.Array:
        instants = [_instant(row, name, timeline) for row in sent]
        return pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))

    texts = {
        name: pa.array([event.get(name) for *_, event in sent], pa.string())
        for name in ("kind", *TEXTS, "event_id")
    }
    table = pa.table(
        {
            "customer_id": pa.array([customer.customer_id for customer, *_ in sent], pa.string()),
            "occurred_at": moments("occurred_at"),
            "value": pa.array([event.get("value") for *_, event in sent], pa.float64()),
            "recorded_at": moments("recorded_at"),
            **texts,
        }
    )
    events, refusal = whole(table, timeline, now, SENT)
    if refusal is not None:
        raise _refused(sent[refusal.row], refusal.column, f"{refusal.reason}. Correct it, or leave it out.")
    late = np.flatnonzero(events.column("occurred_at").cast(pa.int64()).to_numpy() >= as_of)
    if len(late):
        reason = (
            f"it is not before the as-of date {timeline.name(as_of)}. Leave it out, or give a later as_of."
        )
        raise _refused(sent[late[0]], "occurred_at", reason)
    return events


def ignored_kinds(customers: Sequence[LiveCustomer], catalog: Catalog) -> dict[str, int]:
    """Kinds of event that no feature of the catalogue reads, and how many of each were sent."""
    sent = [event["kind"] for customer in customers for event in customer.events]
    sent += [ATTRIBUTE + name for customer in customers for name in customer.attributes]
    ignored = sorted(set(sent) - catalog.kinds)
    counts = Counter(sent) if ignored else {}
    return {kind: counts[kind] for kind in ignored}


def similar_kinds(ignored: Collection[str], known: Iterable[str]) -> dict[str, str]:
    """The known kind that each ignored one is a likely misspelling of: `Purchases` of `purchase`.

    Of the first `MOST_SUGGESTIONS` kinds, as a request may hold 100,000.
    """
    if not ignored:
        return {}
    by_folded = {kind.casefold(): kind for kind in sorted(known)}
    similar: dict[str, str] = {}
    for kind in islice(ignored, MOST_SUGGESTIONS):
        if near := nearest_word(kind.casefold(), by_folded, cutoff=0.75):
            similar |= {kind: by_folded[near]}
    return similar


def _instant(sent: Sent, column: str, timeline: Timeline) -> int | None:
    moment = sent[2].get(column)
    if not isinstance(moment, str):
        return None
    try:
        # A bare number could be seconds, milliseconds or a day: a moment has its dashes.
        if moment[4:5] != "-":
            raise UsageError(f"'{moment}' is no moment: write it like 2017-11-15T09:30:00+09:00")
        return timeline.instant(moment)
    except UsageError as error:
        raise _refused(sent, column, error.message) from None


def _refused(sent: Sent, column: str, reason: str) -> UsageError:
    customer, place, event = sent
    return UsageError(
        f"cannot use {place} of customer '{customer.customer_id}' "
        f"({event['kind']} of {event['occurred_at']}): "
        f"{reason}",
        field=f"{place.partition('.')[0] if column == 'customer_id' else place}.{column}",
    )

"""Live scoring: events sent with a request become a history, and go the way of every other history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from features.catalog import Catalog
from features.customers import Customers
from features.errors import UsageError
from features.events import ATTRIBUTE, whole
from features.history import History
from features.sent import SENT, history
from features.timeline import EARLIEST, Timeline, from_instant
from serving.champion import Champion
from serving.replies import Reply, with_status
from serving.schema import EventRequest, LiveCustomer, PredictRequest
from serving.scoring import answer, newest

Sent = tuple[LiveCustomer, str, EventRequest]
"""A row that was sent: whose, where in the request, and what it says."""


def predict(champion: Champion, request: PredictRequest, now: int, language: str) -> Reply:
    """What is said about the customers of a request, from their events alone."""
    bundle = champion.bundle
    timeline = Timeline(bundle.timezone)
    as_of = now if request.as_of is None else _as_of(request.as_of, timeline)
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
    sent = history_of(request.customers, timeline, as_of, now)
    answers = answer(bundle, sent, as_of, threads=1)
    fresh = newest(sent, as_of)
    rows: dict[str, int] = {}
    for customer in request.customers:
        rows.setdefault(customer.customer_id, len(rows))
    return {
        "as_of": timeline.name(as_of),
        "model_version": champion.version,
        "data_version": bundle.data_version,
        "freshness": None if fresh is None else timeline.name(fresh),
        "evidence": bundle.evidence,
        "customers": [
            with_status(bundle, answers, rows[customer.customer_id], customer.customer_id, language)
            for customer in request.customers
        ],
        "ignored_kinds": ignored_kinds(request.customers, bundle.catalog),
    }


def history_of(customers: Sequence[LiveCustomer], timeline: Timeline, as_of: int, now: int) -> History:
    """The history the store would have of what was sent; the first customer has the key 0.

    What is sent is an ingest: the same rules say which rows are events, which event a repeated `event_id`
    names, and which of two at one instant is first. Raises `UsageError` for a row that is no event, or
    not before the as-of date.
    """
    sent: list[Sent] = []
    for number, customer in enumerate(customers):
        place = f"customers[{number}]"
        sent += [(customer, f"{place}.events[{at}]", event) for at, event in enumerate(customer.events)]
        sent += [
            (customer, f"{place}.attributes.{name}", _attribute(name, value, as_of))
            for name, value in customer.attributes.items()
        ]

    def moments(name: str) -> pa.Array:
        instants = [_instant(row, name, timeline) for row in sent]
        return pa.array(instants, pa.int64()).cast(pa.timestamp("us", "UTC"))

    texts = {
        name: pa.array([getattr(event, name) for *_, event in sent], pa.string())
        for name in ("kind", "channel", "place", "detail", "event_id")
    }
    table = pa.table(
        {
            "customer_id": pa.array([customer.customer_id for customer, *_ in sent], pa.string()),
            "occurred_at": moments("occurred_at"),
            "value": pa.array([event.value for *_, event in sent], pa.float64()),
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
    people = Customers()
    people.assign(pa.array([customer.customer_id for customer in customers], pa.string()))
    return history(events, people)


def ignored_kinds(customers: Sequence[LiveCustomer], catalog: Catalog) -> dict[str, int]:
    """Kinds of event that no feature of the catalogue reads, and how many of each were sent."""
    known = {kind for stream in catalog.streams for kind in stream.kinds}
    sent = Counter(event.kind for customer in customers for event in customer.events)
    sent.update(ATTRIBUTE + name for customer in customers for name in customer.attributes)
    return {kind: count for kind, count in sorted(sent.items()) if kind not in known}


def _as_of(date: str, timeline: Timeline) -> int:
    try:
        return timeline.instant(date)
    except UsageError as error:
        raise UsageError(error.message, field="as_of") from None


def _attribute(name: str, value: float | str, as_of: int) -> EventRequest:
    """What is known about a customer, as the event that says it, the last before the as-of date."""
    text = isinstance(value, str)
    return EventRequest.model_construct(
        occurred_at=from_instant(as_of - 1),
        kind=ATTRIBUTE + name,
        value=None if text else float(value),
        detail=value if text else None,
    )


def _instant(sent: Sent, column: str, timeline: Timeline) -> int | None:
    moment = getattr(sent[2], column)
    try:
        return None if moment is None else timeline.instant(moment)
    except UsageError as error:
        raise _refused(sent, column, error.message) from None


def _refused(sent: Sent, column: str, reason: str) -> UsageError:
    customer, place, event = sent
    return UsageError(
        f"cannot use {place} of customer '{customer.customer_id}' ({event.kind} of {event.occurred_at}): "
        f"{reason}",
        field=f"{place.partition('.')[0] if column == 'customer_id' else place}.{column}",
    )

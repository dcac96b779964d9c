"""Keeps what a person noted of one customer: once for each form, as it was sent last."""

from __future__ import annotations

import math

import pyarrow as pa

from features.event_store import EventStore
from features.events.history import Codes
from features.events.schema import ATTRIBUTE
from features.ingestion.identity.scopes import SENT
from features.timeline import Timeline
from serving.actions.contact_notes import noted_together
from serving.lists.customers.known_customer import KnownCustomer

Content = tuple[int, str, float | None, str | None, str | None]
"""When, what, how much, over which channel, which detail. An attribute is compared without its moment, which
is that of sending the form."""


def keep_noted(
    store: EventStore, found: KnownCustomer, events: pa.Table, timeline: Timeline, now: int
) -> bool:
    """Store the events of a form; says whether anything changed.

    The same form again changes nothing; one that was corrected and sent again takes the place of the first.
    """
    ids = events.column("event_id").to_pylist()
    stored = noted_together(ids[0], [str(one) for one in found.history.event_ids])
    if stored:
        rows = [place for place, one in enumerate(found.history.event_ids) if one in stored]
        if {_stored(found, row) for row in rows} == set(_contents(events)):
            return False
        store.retract(found.key, stored, source=SENT, now=now)
    return store.add_fresh(events, found.key, source=SENT, timeline=timeline, now=now) > 0


def _contents(events: pa.Table) -> list[Content]:
    occurred = events.column("occurred_at").cast(pa.int64()).to_pylist()
    names = ("kind", "value", "channel", "detail")
    rows = zip(occurred, *(events.column(name).to_pylist() for name in names), strict=True)
    return [(_compared(*row[:2]), *row[1:]) for row in rows]


def _compared(instant: int, kind: str) -> int:
    return 0 if kind.startswith(ATTRIBUTE) else instant


def _stored(found: KnownCustomer, row: int) -> Content:
    history = found.history

    def text(codes: Codes, names: tuple[str, ...]) -> str | None:
        code = int(codes[row]) if len(codes) else -1
        return names[code] if code >= 0 else None

    value = float(history.values[row]) if len(history.values) else math.nan
    kind = history.kind_names[int(history.kinds[row])]
    return (
        _compared(int(history.instants[row]), kind),
        kind,
        None if math.isnan(value) else value,
        text(history.channels, history.channel_names),
        text(history.details, history.detail_names),
    )

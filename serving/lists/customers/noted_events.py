"""Keeps what a person noted of one customer: once for each form, as it was sent last."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

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
) -> list[tuple[str, str]]:
    """Store the events of a form; gives the data versions before and after each write, empty for no change.

    The same form again changes nothing; one that was corrected and sent again takes the place of the first.
    What both say stays as it is, and what is new is stored before what is outdated goes: a refusal of contact
    must not be away between two writes, nor for good where one fails.
    """
    ids = events.column("event_id").to_pylist()
    known = [str(one) for one in found.history.event_ids]
    together = noted_together(ids[0], known)
    before = {one: _stored(found, known.index(one)) for one in together}
    after = dict(zip(ids, _contents(events), strict=True))
    outdated = [one for one, content in before.items() if after.get(one) != content]

    changes = list[tuple[str, str]]()

    def store_events(chosen: list[str]) -> None:
        if not chosen:
            return
        fresh = events.filter(pc.is_in(events.column("event_id"), value_set=pa.array(chosen, pa.string())))
        if store.add_fresh(fresh, found.key, source=SENT, timeline=timeline, now=now):
            changes.append(store.last_change)

    store_events([one for one in ids if one not in before])
    if outdated:
        store.retract(found.key, outdated, source=SENT, now=now)
        changes.append(store.last_change)
    store_events([one for one in outdated if one in after])  # an id is free once its event is gone
    return changes


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

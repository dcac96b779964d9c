"""The columns of an event, the kinds that have a meaning of their own, and the columns of a refused row."""

from __future__ import annotations

import pyarrow as pa

EVENT_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("kind", pa.string()),
        ("value", pa.float64()),
        ("channel", pa.string()),
        ("place", pa.string()),
        ("detail", pa.string()),
        ("recorded_at", pa.timestamp("us", "UTC")),
        ("contract_id", pa.string()),
        ("currency", pa.string()),
        ("event_id", pa.string()),
    ]
)
EVENT_COLUMNS = tuple(EVENT_SCHEMA.names)
REQUIRED = EVENT_COLUMNS[:3]
TEXTS = ("channel", "place", "detail", "contract_id", "currency")
"""Columns of text besides the kind; each may be absent."""
RARE = ("contract_id", "currency")
"""Columns that most projects do not have: they are stored, hashed and shown only where some event has one."""

REFUSED_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.string()),  # as JSON
        ("reason", pa.string()),
        ("event", pa.string()),  # of a row that time alone keeps out: the event that it will be, as JSON
        ("other", pa.string()),  # of a row that contradicts another of its event id: the other, as JSON
    ]
)

REFUND = "refund"
"""The kind that takes back an earlier purchase; `features.events.history.is_taken_back` says what follows."""

ATTRIBUTE = "attribute."
"""Profile attributes are events of kind `attribute.NAME`; they say what is known and are no engagement."""

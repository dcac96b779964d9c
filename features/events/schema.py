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
        ("event_id", pa.string()),
    ]
)
EVENT_COLUMNS = tuple(EVENT_SCHEMA.names)
REQUIRED = EVENT_COLUMNS[:3]

REFUSED_SCHEMA = pa.schema([("source", pa.string()), ("row", pa.string()), ("reason", pa.string())])

REFUND = "refund"
"""The kind that takes back an earlier purchase; `features.events.history.is_taken_back` says what follows."""

ATTRIBUTE = "attribute."
"""Profile attributes are events of kind `attribute.NAME`; they say what is known and are no engagement."""

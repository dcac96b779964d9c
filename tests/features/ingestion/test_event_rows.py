"""Which rows are events: one table of cases for the store's validation and the fast path of requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.events.history import History
from features.events.schema import EVENT_SCHEMA
from features.events.validation import whole
from features.ingestion.fast_path import EventRow, fast_history
from features.ingestion.in_memory import history_of_events
from features.storage.customer_ids import Customers
from features.timeline import Timeline

TOKYO = Timeline("Asia/Tokyo")
NOW = TOKYO.instant("2025-01-01")
ROW = {"occurred_at": "2024-05-01T09:00:00+09:00", "kind": "purchase", "value": 5.0}

VALID = {
    "a plain row": {},
    "no value": {"value": None},
    "a value of zero": {"value": 0.0},
    "a negative purchase": {"value": -5.0},
    "a refund below zero": {"kind": "refund", "value": -5.0},
    "a refund of nothing": {"kind": "refund", "value": 0.0},
    "a refund without a value": {"kind": "refund", "value": None},
    "the largest value": {"value": 1e100},
    "the first moment of 1970": {"occurred_at": "1970-01-01T00:00:00Z"},
    "the present moment": {"occurred_at": "2025-01-01T00:00:00+09:00"},
    "a moment without a zone": {"occurred_at": "2024-05-01T09:00:00"},
    "a day": {"occurred_at": "2024-05-01"},
    "a blank between day and time": {"occurred_at": "2024-05-01 09:00:00.25Z"},
    "recorded later": {"recorded_at": "2024-06-01T00:00:00Z"},
    "recorded before it happened": {"recorded_at": "2024-04-01T00:00:00Z"},
    "recorded at the present moment": {"recorded_at": "2025-01-01T00:00:00+09:00"},
    "empty texts say nothing": {"channel": "", "place": "", "detail": "", "event_id": ""},
    "texts of all kinds": {"channel": "web", "place": "渋谷", "detail": " tea ", "event_id": "#1"},
    "a kind with blanks around": {"kind": " visit "},
    "an attribute": {"kind": "attribute.plan", "value": None, "detail": "gold"},
}
REFUSED = {
    "an empty customer": ({"customer_id": ""}, "customer_id is empty"),
    "a blank customer": ({"customer_id": " "}, "customer_id is empty"),
    "an empty kind": ({"kind": ""}, "kind is empty"),
    "a blank kind": ({"kind": "　"}, "kind is empty"),
    "a moment before 1970": ({"occurred_at": "1969-12-31T23:59:59Z"}, "occurred_at is before 1970"),
    "a moment to come": ({"occurred_at": "2025-01-01T00:00:01+09:00"}, "occurred_at is in the future"),
    "no moment": ({"occurred_at": "yesterday"}, "occurred_at is not a moment that can be read"),
    "a day that never was": ({"occurred_at": "2023-02-29"}, "occurred_at is not a moment that can be read"),
    "an infinite value": ({"value": float("inf")}, "value is NaN or infinite"),
    "a value too large": ({"value": -1.1e100}, "value is beyond 1e100"),
    "a refund above zero": (
        {"kind": "refund", "value": 5.0},
        "a refund has a positive value: write the amount negative",
    ),
    "no moment of record": (
        {"recorded_at": "soon"},
        "recorded_at is not a moment that can be read",
    ),
    "recorded in times to come": ({"recorded_at": "2025-01-01T00:00:01Z"}, "recorded_at is in the future"),
}


@dataclass(frozen=True)
class Sender:
    """A customer of a request."""

    customer_id: str
    events: list[EventRow]
    attributes: dict[str, float | str] = field(default_factory=dict)


def by_validation(rows: list[dict[str, Any]]) -> tuple[History, str | None]:
    """The history of these rows by the rules of the store, and why the first that is none is refused."""
    columns = {name: [row.get(name) for row in rows] for name in EVENT_SCHEMA.names}
    types = {name: pa.float64() if name == "value" else pa.string() for name in columns}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    events, refusal = whole(table, TOKYO, NOW, "sent")
    if refusal is not None:
        return history_of_events(events.slice(0, 0), Customers()), refusal.reason
    people = Customers()
    people.assign(events.column("customer_id").combine_chunks())
    return history_of_events(events, people), None


def by_fast_path(rows: list[dict[str, Any]]) -> History | None:
    """The history of these rows by the fast path; None where it leaves them to validation."""
    events: list[Any] = [{k: v for k, v in row.items() if k != "customer_id"} for row in rows]
    senders = [Sender(row["customer_id"], [event]) for row, event in zip(rows, events, strict=True)]
    return fast_history(senders, TOKYO, NOW + 1, NOW)


def described(history: History) -> list[list[Any]]:
    """Every event with its texts, whatever their codes."""
    columns = (
        (history.kinds, history.kind_names),
        (history.channels, history.channel_names),
        (history.places, history.place_names),
        (history.details, history.detail_names),
    )
    texts = [[names[code] if code >= 0 else None for code in codes.tolist()] for codes, names in columns]
    recorded = history.recorded if len(history.recorded) else np.zeros(history.events)
    numbers = [history.instants.tolist(), [repr(v) for v in history.values.tolist()]]
    return [history.offsets.tolist(), *numbers, recorded.tolist(), *texts]


@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_a_row_that_is_an_event_is_the_same_event_on_both_paths(case: dict[str, Any]) -> None:
    rows = [{"customer_id": "ann", **ROW, **case}]
    history, reason = by_validation(rows)
    assert reason is None
    fast = by_fast_path(rows)
    assert fast is not None
    assert described(fast) == described(history)


@pytest.mark.parametrize(("case", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_row_that_is_no_event_is_taken_by_neither_path(case: dict[str, Any], reason: str) -> None:
    good, bad = {"customer_id": "ann", **ROW}, {"customer_id": "ann", **ROW, **case}
    assert by_validation([bad])[1] == reason
    assert by_validation([good, bad])[1] == reason
    assert by_fast_path([bad]) is None
    assert by_fast_path([good, bad]) is None

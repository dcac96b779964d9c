"""Contacts and refusals of contact that a person notes, as events.

A contact is an event of one of the company's kinds, with the campaign's name as its detail; what was said is
an attribute beside it, which is no engagement. A refusal is an attribute that forbids contact. The ids follow
from a word that the form holds, so that sending it twice stores nothing twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from features.errors import UsageError
from features.events.attributes import CONTACT_NOTE, NOTED_REFUSAL
from features.events.consent import channel_name
from features.events.schema import ATTRIBUTE, EVENT_SCHEMA

NOTED = "noted:"
"""How the ids of noted events begin."""
NOTE_OF = ":said"
"""How the id of what was said about a contact ends."""
LONGEST_TEXT = 500
"""Characters of what was said."""
LONGEST_NAME = 60
"""Characters of a channel."""
MOST_COST = 1e9
ALL = "all"
Row = dict[str, str | int | float | None]
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class ContactNote:
    """A contact as a person notes it."""

    kind: str
    """One of the company's kinds, such as `call_made`."""
    occurred_at: int
    """Microseconds UTC."""
    channel: str = ""
    text: str = ""
    cost: float | None = None
    campaign: str = ""


def checked_token(token: str) -> str:
    """The word of a form that makes its events' ids; raises `UsageError` for one that no form holds."""
    if not _TOKEN.fullmatch(token):
        raise UsageError(
            "cannot note this: the form is incomplete. Open the customer's page again and send it once more.",
            field="token",
        )
    return token


def checked_text(text: str) -> str:
    """What was said on one line, without control characters; raises `UsageError` if too long."""
    plain = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if len(plain) > LONGEST_TEXT:
        raise UsageError(
            f"cannot keep a note of {len(plain)} characters: at most {LONGEST_TEXT} are kept. Shorten it.",
            field="text",
        )
    return plain


def checked_channel(channel: str) -> str:
    """A channel in its usual spelling, empty for none; raises `UsageError` for one that is none."""
    name = channel_name(channel) if channel.strip() else ""
    if len(name) > LONGEST_NAME or not name.isprintable() or "." in name:
        raise UsageError(
            f"cannot use the channel '{channel[:LONGEST_NAME]}': write a short name such as email or phone.",
            field="channel",
        )
    return name


def checked_cost(cost: float | None) -> float | None:
    """A cost; raises `UsageError` for one that is no amount."""
    if cost is not None and not (math.isfinite(cost) and 0 <= cost <= MOST_COST):
        raise UsageError(
            "cannot use this cost: it is no amount of money. Write an amount such as 800, or leave it empty.",
            field="cost",
        )
    return cost


def contact_events(customer_id: str, note: ContactNote, token: str, now: int) -> pa.Table:
    """A contact as events (`EVENT_SCHEMA`): the contact, and what was said where something was.

    They are known from `now` on, so that no answer about an earlier date changes.
    """
    contact: Row = {
        "customer_id": customer_id,
        "occurred_at": note.occurred_at,
        "kind": note.kind,
        "value": note.cost,
        "channel": note.channel or None,
        "detail": note.campaign or None,
        "recorded_at": now,
        "event_id": f"{NOTED}{token}",
    }
    rows: list[Row] = [contact]
    if note.text:
        rows.append(
            {
                **contact,
                "kind": ATTRIBUTE + CONTACT_NOTE,
                "value": None,
                "channel": None,
                "detail": note.text,
                "event_id": f"{NOTED}{token}{NOTE_OF}",
            }
        )
    return _events(rows)


def refusal_events(customer_id: str, channels: Sequence[str], text: str, token: str, now: int) -> pa.Table:
    """A refusal of contact over some channels, or over all where none is named, as events from `now` on."""
    rows: list[Row] = [
        {
            "customer_id": customer_id,
            "occurred_at": now,
            "kind": ATTRIBUTE + NOTED_REFUSAL + (f".{channel}" if channel else ""),
            "detail": "yes",
            "event_id": f"{NOTED}{token}:{channel or ALL}",
        }
        for channel in channels or ("",)
    ]
    if text:
        note: Row = {"kind": ATTRIBUTE + CONTACT_NOTE, "detail": text, "event_id": f"{NOTED}{token}{NOTE_OF}"}
        rows.append({**rows[0], **note})
    return _events(rows)


def noted_together(event_id: str, known: Sequence[str]) -> tuple[str, ...]:
    """The ids among those known that were noted with one form, named by the id of any of its events."""
    token = event_id.removeprefix(NOTED).partition(":")[0]
    return tuple(one for one in known if is_noted(one) and one.removeprefix(NOTED).partition(":")[0] == token)


def is_noted(event_id: str) -> bool:
    """Whether an event was noted by a person, by its id."""
    return event_id.startswith(NOTED)


def _events(rows: Sequence[Row]) -> pa.Table:
    columns = [
        pa.array([row.get(one.name) for row in rows], _raw(one.type)).cast(one.type) for one in EVENT_SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=EVENT_SCHEMA)


def _raw(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind

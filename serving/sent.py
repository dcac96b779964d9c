"""What was sent, as the history the store would have of it, quickly.

Most requests hold nothing odd: every row is an event before the as-of date, and no event id comes twice.
Their arrays are filled here in one pass. Whatever looks odd is left to the rules of the store
(`features/sent.py`), which alone refuse, correct and explain; a test holds the two ways against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import numpy as np
import pyarrow as pa

from features.events import ATTRIBUTE
from features.fingerprints import ID_LENGTH, as_ids, numbered, of_events, of_texts
from features.history import MISSING, History
from features.timeline import ALWAYS, EARLIEST, Timeline, zone
from serving.schema import LiveCustomer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_YEAR = 2100

Row = tuple[int, int, int, float, int, int, int, int, str]
"""Customer, instant, recorded, value, then the codes of kind, channel, place and detail, and the event id."""
_KEY, _INSTANT, _RECORDED, _VALUE, _KIND, _CHANNEL, _PLACE, _DETAIL, _ID = range(9)


def plain_history(
    customers: Sequence[LiveCustomer], timeline: Timeline, as_of: int, now: int
) -> History | None:
    """The history of a request that holds nothing odd, None for any other; the first customer is key 0."""
    rows: list[Row] = []
    people: dict[str, int] = {}
    kinds: dict[str, int] = {}
    channels: dict[str, int] = {}
    places: dict[str, int] = {}
    details: dict[str, int] = {}
    ids: set[str] = set()
    given = 0
    local = zone(timeline.timezone)
    last = min(as_of - 1, now)
    for customer in customers:
        key = people.setdefault(customer.customer_id, len(people))
        for event in customer.events:
            instant = _instant(event.occurred_at, local)
            if not EARLIEST <= instant <= last:
                return None
            recorded = ALWAYS
            if event.recorded_at is not None:
                said = _instant(event.recorded_at, local)
                if not EARLIEST <= said <= now:
                    return None
                recorded = max(said, instant)
            value = event.value
            if event.kind == "refund" and value is not None and value > 0:
                return None
            if event.event_id:
                ids.add(event.event_id)
                given += 1
            rows.append(
                (
                    key,
                    instant,
                    recorded,
                    np.nan if value is None else value,
                    kinds.setdefault(event.kind, len(kinds)),
                    channels.setdefault(event.channel, len(channels)) if event.channel else MISSING,
                    places.setdefault(event.place, len(places)) if event.place else MISSING,
                    details.setdefault(event.detail, len(details)) if event.detail else MISSING,
                    event.event_id or "",
                )
            )
        for name, known in customer.attributes.items():
            kind = kinds.setdefault(ATTRIBUTE + name, len(kinds))
            text = isinstance(known, str)
            detail = details.setdefault(str(known), len(details)) if text and known else MISSING
            number = np.nan if text else float(known)
            rows.append((key, as_of - 1, ALWAYS, number, kind, MISSING, MISSING, detail, ""))
    if len(ids) < given or not _named(people) or not _named(kinds):
        return None
    if given < len(rows) and any(len(one) == ID_LENGTH for one in ids):  # perhaps an id that was derived
        return None
    texts = (tuple(kinds), tuple(channels), tuple(places), tuple(details))
    ordered = _ordered(rows, tuple(people), texts)
    return None if ordered is None else _history(ordered, len(people), texts)


def _instant(text: str, local: object) -> int:
    """The instant of a moment, -1 where it is not plainly one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return -1
    if text[4:5] != "-" or not _EPOCH.year <= moment.year <= _LAST_YEAR:
        return -1
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=local)  # type: ignore[arg-type]
    return (moment - _EPOCH) // _MICROSECOND


def _named(texts: dict[str, int]) -> bool:
    return all(any(character.isalnum() for character in text) for text in texts)


def _ordered(
    rows: list[Row], people: tuple[str, ...], texts: tuple[tuple[str, ...], ...]
) -> list[Row] | None:
    """The rows in the store's order: customer, instant, event id; None where two would be one event."""
    rows.sort(key=itemgetter(_KEY, _INSTANT))
    tied = [
        at
        for at in range(1, len(rows))
        if rows[at][_INSTANT] == rows[at - 1][_INSTANT] and rows[at][_KEY] == rows[at - 1][_KEY]
    ]
    if not tied:
        return rows
    # Only events of one instant need their ids, and those of equal content have one instant.
    places = sorted({*tied, *(at - 1 for at in tied)})
    nameless = [at for at in places if not rows[at][_ID]]
    names = dict(zip(nameless, _derived([rows[at] for at in nameless], people, texts), strict=True))
    identified = {at: rows[at][_ID] or names[at] for at in places}
    if len(set(identified.values())) < len(identified):
        return None
    ids = [str(identified.get(at, "")).encode() for at in range(len(rows))]
    sequence = sorted(range(len(rows)), key=lambda at: (rows[at][_KEY], rows[at][_INSTANT], ids[at]))
    return [rows[at] for at in sequence]


def _derived(rows: list[Row], people: tuple[str, ...], texts: tuple[tuple[str, ...], ...]) -> list[str]:
    """The ids the store derives for these rows, which are in the order in which they were sent."""
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    codes, base = [], 0
    for column, names in zip((_KIND, _CHANNEL, _PLACE, _DETAIL), texts, strict=True):
        numbers = np.array(columns[column], dtype=np.int32)
        codes.append(np.where(numbers < 0, MISSING, numbers + base).astype(np.int32))
        base += len(names)
    whole = [text for names in texts for text in names]
    first, second = of_events(
        np.array(columns[_KEY], dtype=np.int64),
        np.array(columns[_INSTANT], dtype=np.int64),
        np.array(columns[_RECORDED], dtype=np.int64),
        np.array(columns[_VALUE], dtype=np.float64),
        *codes,
        of_texts(pa.array(people, pa.large_string())),
        of_texts(pa.array(whole, pa.large_string())),
    )
    ids: list[str] = as_ids(*numbered(first, second)).to_pylist()
    return ids


def _history(rows: list[Row], customers: int, texts: tuple[tuple[str, ...], ...]) -> History:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 9
    recorded = np.array(columns[_RECORDED], dtype=np.int64)
    kinds, channels, places, details = (
        np.array(columns[column], dtype=np.int32) for column in (_KIND, _CHANNEL, _PLACE, _DETAIL)
    )
    keys = np.arange(customers)
    return History(
        keys=keys,
        offsets=np.searchsorted(np.array(columns[_KEY], dtype=np.int64), np.arange(customers + 1)),
        instants=np.array(columns[_INSTANT], dtype=np.int64),
        recorded=recorded if (recorded != ALWAYS).any() else np.empty(0, np.int64),
        values=np.array(columns[_VALUE], dtype=np.float64),
        kinds=kinds,
        channels=channels,
        places=places,
        details=details,
        kind_names=texts[0],
        channel_names=texts[1],
        place_names=texts[2],
        detail_names=texts[3],
    )

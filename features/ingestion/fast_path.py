"""Fast validation of a live request: its events as the history that the store would have of them.

In most requests every row is plainly valid: an event before the as-of date, and no event id twice. Their
arrays are filled here in one pass. Every other request is left to the rules of the store
(`features/ingestion/in_memory.py`), which alone refuse, correct and explain; a test compares the two paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NotRequired, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from typing_extensions import TypedDict

from features.events.history import MISSING, Codes, History, no_codes
from features.events.schema import ATTRIBUTE, REFUND
from features.events.validation import LARGEST
from features.ingestion.fast_path_kernels import IN_ORDER, INVALID, check_rows, parse_timestamps
from features.storage.hashing import ID_LENGTH, as_ids, numbered, of_events, of_texts, with_texts
from features.timeline import ALWAYS, EARLIEST, Instants, Timeline, from_instant, zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_YEAR = 2100
_NO_MOMENT = -1


class EventRow(TypedDict):
    """An event of a request, as parsed from JSON; texts are as they came."""

    occurred_at: str
    kind: str
    value: NotRequired[float | None]
    channel: NotRequired[str | None]
    place: NotRequired[str | None]
    detail: NotRequired[str | None]
    recorded_at: NotRequired[str | None]
    contract_id: NotRequired[str | None]
    currency: NotRequired[str | None]
    event_id: NotRequired[str | None]


class CustomerRows(Protocol):
    """A customer of a request, with their events and attributes."""

    @property
    def customer_id(self) -> str: ...
    @property
    def events(self) -> Sequence[EventRow]: ...
    @property
    def attributes(self) -> Mapping[str, float | str]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of a request, column by column."""

    keys: NDArray[np.int64]
    instants: Instants
    recorded: Instants
    """Empty where all were known at once."""
    values: NDArray[np.float64]
    codes: tuple[Codes, ...]
    """Of kind, channel, place, detail, contract and currency; the last two empty where no row has one."""
    ids: tuple[str | None, ...]

    def take(self, order: NDArray[np.int64]) -> _Rows:
        ids = tuple(self.ids[at] for at in order)
        codes = tuple(column[order] if len(column) else column for column in self.codes)
        recorded = self.recorded[order] if len(self.recorded) else self.recorded
        return _Rows(self.keys[order], self.instants[order], recorded, self.values[order], codes, ids)


def fast_history(
    customers: Sequence[CustomerRows], timeline: Timeline, as_of: int, now: int
) -> History | None:
    """The history of a request whose rows are all plainly valid, else None; the first customer has key 0."""
    people: dict[str, int] = {}
    whose: list[int] = []
    how_many: list[int] = []
    columns = _Columns()
    for customer in customers:
        whose.append(people.setdefault(customer.customer_id, len(people)))
        before = len(columns.occurred)
        columns.add(customer.events)
        if customer.attributes:
            columns.add([attribute(name, known, as_of) for name, known in customer.attributes.items()])
        how_many.append(len(columns.occurred) - before)
    ids, total = columns.ids, len(columns.occurred)
    sent_ids = [one for one in ids if one]
    if len(set(sent_ids)) < len(sent_ids):
        return None
    if len(sent_ids) < total and any(len(one) == ID_LENGTH for one in sent_ids):
        return None  # perhaps an id that was derived
    instants, learned = _instants(columns.occurred, timeline), _learned(columns.recorded, timeline)
    if len(learned):
        given = learned[learned != ALWAYS]
        if given.min() < EARLIEST or given.max() > now:
            return None
        learned = np.where(learned == ALWAYS, ALWAYS, np.maximum(learned, instants))
    coded = [_coded(column) for column in (columns.kinds, columns.channels, columns.places, columns.details)]
    coded += [_coded_if_any(column) for column in (columns.contracts, columns.currencies)]
    texts = tuple(tuple(names) for _, names in coded)
    if not _named(people) or not _named(texts[0]):
        return None
    rows = _Rows(
        np.repeat(np.array(whose, np.int64), how_many),
        instants,
        learned,
        np.array(columns.values, dtype=np.float64),  # None is NaN
        tuple(codes for codes, _ in coded),
        tuple(ids),
    )
    refund, latest = coded[0][1].get(REFUND, MISSING), min(as_of - 1, now)
    order = check_rows(rows.keys, instants, rows.values, rows.codes[0], refund, EARLIEST, latest, LARGEST)
    if order == INVALID:
        return None
    ordered = rows if order == IN_ORDER else _ordered(rows, tuple(people), texts)
    return None if ordered is None else _history(ordered, len(people), texts)


def attribute(name: str, value: float | str, as_of: int) -> EventRow:
    """An attribute of a customer as an event just before the as-of date."""
    event: EventRow = {"occurred_at": from_instant(as_of - 1).isoformat(), "kind": ATTRIBUTE + name}
    if isinstance(value, str):
        return {**event, "detail": value}
    return {**event, "value": float(value)}


class _Columns:
    """The columns of events, as lists."""

    def __init__(self) -> None:
        self.occurred: list[str] = []
        self.kinds: list[str] = []
        self.values: list[float | None] = []
        self.channels: list[str | None] = []
        self.places: list[str | None] = []
        self.details: list[str | None] = []
        self.recorded: list[str | None] = []
        self.contracts: list[str | None] = []
        self.currencies: list[str | None] = []
        self.ids: list[str | None] = []

    def add(self, events: Sequence[EventRow]) -> None:
        self.occurred += [event["occurred_at"] for event in events]
        self.kinds += [event["kind"] for event in events]
        self.values += [event.get("value") for event in events]
        self.channels += [event.get("channel") for event in events]
        self.places += [event.get("place") for event in events]
        self.details += [event.get("detail") for event in events]
        self.recorded += [event.get("recorded_at") for event in events]
        self.contracts += [event.get("contract_id") for event in events]
        self.currencies += [event.get("currency") for event in events]
        self.ids += [event.get("event_id") for event in events]


def _coded(column: Sequence[str | None]) -> tuple[Codes, dict[str, int]]:
    """A column as codes, `MISSING` for an absent or empty text, and the code of each text."""
    if not any(column):
        return np.full(len(column), MISSING, np.int32), {}
    names = {text: code for code, text in enumerate(filter(None, dict.fromkeys(column)))}
    codes: dict[str | None, int] = {None: MISSING, "": MISSING}
    codes.update(names)
    return np.fromiter(map(codes.__getitem__, column), np.int32, len(column)), names


def _coded_if_any(column: Sequence[str | None]) -> tuple[Codes, dict[str, int]]:
    """As `_coded`, empty where no row has a text."""
    return _coded(column) if any(column) else (no_codes(), {})


def _learned(column: Sequence[str | None], timeline: Timeline) -> Instants:
    """When the company learned of each row: `ALWAYS` where it is not given, empty if no row gives it."""
    if column.count(None) == len(column):
        return np.empty(0, np.int64)
    learned = np.full(len(column), ALWAYS)
    given = [at for at, text in enumerate(column) if text is not None]
    learned[given] = _instants([text for text in column if text is not None], timeline)
    return learned


def _instants(texts: Sequence[str], timeline: Timeline) -> Instants:
    """The instants of timestamps, `_NO_MOMENT` where a text is not plainly one."""
    instants = np.empty(len(texts), np.int64)
    if parse_timestamps(np.frombuffer("\n".join(texts).encode("utf-8", "replace"), np.uint8), instants):
        return instants
    local = zone(timeline.timezone)
    return np.array([_instant(text, local) for text in texts], dtype=np.int64)


def _instant(text: str, local: object) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _NO_MOMENT
    if text[4:5] != "-" or not _EPOCH.year <= moment.year <= _LAST_YEAR:
        return _NO_MOMENT
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=local)  # type: ignore[arg-type]
    return (moment - _EPOCH) // _MICROSECOND


def _named(texts: Iterable[str]) -> bool:
    return all(any(character.isalnum() for character in text) for text in texts)


def _ordered(sent: _Rows, people: tuple[str, ...], texts: tuple[tuple[str, ...], ...]) -> _Rows | None:
    """The rows in the store's order: customer, instant, event id; None where two would be one event."""
    order = np.lexsort((sent.instants, sent.keys))
    keys, instants = sent.keys[order], sent.instants[order]
    tied = np.flatnonzero((keys[1:] == keys[:-1]) & (instants[1:] == instants[:-1])).tolist()
    if tied:
        # Only events of one instant need their ids, and those of equal content have one instant.
        places = sorted({*tied, *(at + 1 for at in tied)})
        rows = order[places].tolist()
        ids = {row: sent.ids[row] for row in rows}
        nameless = [row for row in rows if not ids[row]]
        ids |= dict(zip(nameless, _derived(sent, nameless, people, texts), strict=True))
        if len(set(ids.values())) < len(ids):
            return None
        order[places] = sorted(
            rows, key=lambda row: (sent.keys[row], sent.instants[row], str(ids[row]).encode())
        )
    return sent if (order[1:] > order[:-1]).all() else sent.take(order)


def _derived(
    sent: _Rows, rows: list[int], people: tuple[str, ...], texts: tuple[tuple[str, ...], ...]
) -> list[str]:
    """The ids the store derives for these rows, which are given in the order in which they were sent."""
    if not rows:
        return []
    words: dict[str, int] = {}

    def words_of(codes: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int32]:
        shared = [
            MISSING if code < 0 else words.setdefault(names[code], len(words)) for code in codes.tolist()
        ]
        return np.array(shared, dtype=np.int32)

    whose = words_of(sent.keys[rows], people)
    codes = [
        words_of(column[rows], names) if len(column) else column
        for column, names in zip(sent.codes, texts, strict=True)
    ]
    prints = of_texts(pa.array(words, pa.large_string()))
    first, second = of_events(
        whose,
        sent.instants[rows],
        sent.recorded[rows] if len(sent.recorded) else np.full(len(rows), ALWAYS),
        sent.values[rows],
        *codes[:4],
        prints,
        prints,
    )
    for number, column in enumerate(codes[4:]):
        if len(column):
            first, second = with_texts(first, second, column, prints, number)
    ids: list[str] = as_ids(*numbered(first, second)).to_pylist()
    return ids


def _history(sent: _Rows, customers: int, texts: tuple[tuple[str, ...], ...]) -> History:
    kinds, channels, places, details, contracts, currencies = sent.codes
    return History(
        keys=np.arange(customers),
        offsets=np.searchsorted(sent.keys, np.arange(customers + 1))
        if customers > 1
        else np.array([0, len(sent.keys)]),
        instants=sent.instants,
        recorded=sent.recorded,
        values=sent.values,
        kinds=kinds,
        channels=channels,
        places=places,
        details=details,
        kind_names=texts[0],
        channel_names=texts[1],
        place_names=texts[2],
        detail_names=texts[3],
        contracts=contracts,
        contract_names=texts[4],
        currencies=currencies,
        currency_names=texts[5],
    )

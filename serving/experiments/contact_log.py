"""Contacts of a campaign from a file: who was reached, when, how and at what cost.

The form is that of `kizuna simulate --contacts`: the columns customer_id, at, and if given kind, channel,
campaign and cost. A contact becomes an event of its kind with the campaign's name as its detail.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from csv import Error as CsvError
from csv import reader as csv_reader
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from features.errors import DataError, UsageError
from features.event_store import EventStore
from features.events.history import History, customer_of_event, events_of_kinds
from features.events.schema import EVENT_SCHEMA
from features.execution.local import map_partitions

DEFAULT_KIND = "call_made"
CHANNEL_OF = {"call_made": "phone", "email_sent": "email", "push_sent": "app", "sms_sent": "sms"}
"""The channel of a contact of a kind, where the file names none."""
NEEDED = ("customer_id", "at")
PASTED = "the pasted list"
"""How messages call a list that is no file."""
PASTED_COLUMNS = (*NEEDED, "kind", "channel", "cost")
"""Its columns, where its first line does not name them."""


@dataclass(frozen=True, eq=False)
class ContactRows:
    """The contacts of a file, row by row."""

    customer_ids: pa.Array
    instants: NDArray[np.int64]
    kinds: tuple[str, ...]
    channels: tuple[str | None, ...]
    costs: NDArray[np.float64]
    """NaN where there is none."""
    other_campaign: NDArray[np.bool_]
    """bool[n]: which rows name another campaign."""

    def __len__(self) -> int:
        return len(self.instants)


def read_contact_rows(
    file: Path, campaign: str, kinds: Collection[str], instant: Callable[[str], int]
) -> ContactRows:
    """Read a file of contacts, CSV or Parquet; `kinds` are those a contact may be of.

    Raises `DataError` for a file, a column or a row that does not fit: then nothing of it is used.
    """
    table = _table(file)
    return _contact_rows(table, str(file), range(1, table.num_rows + 1), campaign, kinds, instant)


def read_pasted_contacts(
    text: str, campaign: str, kinds: Collection[str], instant: Callable[[str], int]
) -> ContactRows:
    """Read contacts that were pasted as text, a line each, with or without a line of column names.

    Without one the columns are customer_id, at, kind, channel and cost. Commas part the cells, or tabs as
    a spreadsheet copies them. Raises `DataError` that names the line.
    """
    lines = text.lstrip("\ufeff").splitlines()
    written = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not written:
        raise DataError(
            f"cannot use the contacts in {PASTED}: it is empty. Write a customer and a moment a line."
        )
    delimiter = "\t" if "\t" in written[0][1] else ","
    rows = [(number, _cells(number, line, delimiter)) for number, line in written]
    names = rows[0][1] if NEEDED[0] in rows[0][1] else list(PASTED_COLUMNS)
    rows = rows[1:] if NEEDED[0] in rows[0][1] else rows
    for number, cells in rows:
        if len(cells) > len(names):
            raise DataError(
                f"cannot use the contacts in {PASTED}: row {number} has {len(cells)} cells, but there are "
                f"{len(names)} columns ({', '.join(names)}). Correct or remove it."
            )
    columns = {
        name: pa.array([cells[place] if place < len(cells) else None for _, cells in rows], pa.string())
        for place, name in enumerate(names)
    }
    return _contact_rows(pa.table(columns), PASTED, [number for number, _ in rows], campaign, kinds, instant)


def _cells(number: int, line: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv_reader([line], delimiter=delimiter)
    except CsvError:
        raise DataError(
            f"cannot use the contacts in {PASTED}: row {number} cannot be read. Correct or remove it."
        ) from None
    return [cell.strip() for cell in cells]


def _contact_rows(
    table: pa.Table,
    file: str,
    places: Sequence[int],
    campaign: str,
    kinds: Collection[str],
    instant: Callable[[str], int],
) -> ContactRows:
    """The rows of a table, each called by its place in a message."""
    for needed in NEEDED:
        if needed not in table.column_names:
            raise DataError(
                f"cannot read the contacts in {file}: there is no column '{needed}'. It has "
                f"{', '.join(table.column_names)}. Name the columns customer_id, at, and if wanted kind, "
                "channel, campaign and cost.",
                field=needed,
            )

    def column(name: str) -> list[str | None]:
        if name not in table.column_names:
            return [None] * table.num_rows
        values = table.column(name).to_pylist()
        return [None if value is None or str(value).strip() == "" else str(value).strip() for value in values]

    names, moments = column("customer_id"), column("at")
    of_kind = tuple(kind or DEFAULT_KIND for kind in column("kind"))
    for row, (customer, moment, kind) in enumerate(zip(names, moments, of_kind, strict=True)):
        if customer is None or moment is None:
            raise DataError(
                f"cannot use the contacts in {file}: row {places[row]} names no "
                f"{'customer' if customer is None else 'moment'}. Correct or remove it."
            )
        if kind not in kinds:
            raise DataError(
                f"cannot use the contacts in {file}: '{kind}' in row {places[row]} is no kind of contact. "
                f"Write {' or '.join(sorted(kinds))}; [indicators.campaign] in kizuna.toml can name others."
            )
    channels = tuple(
        channel or CHANNEL_OF.get(kind) for channel, kind in zip(column("channel"), of_kind, strict=True)
    )
    other = [name is not None and name != campaign for name in column("campaign")]
    return ContactRows(
        pa.array(names, pa.string()),
        np.array([_instant(file, *one, instant) for one in zip(places, moments, strict=True)], np.int64),
        of_kind,
        channels,
        np.array([_cost(file, *one) for one in zip(places, column("cost"), strict=True)], np.float64),
        np.array(other, np.bool_),
    )


def contact_events(rows: ContactRows, chosen: Sequence[int], campaign: str) -> pa.Table:
    """Some contacts as events (`EVENT_SCHEMA`); the id of each follows from the file's row alone."""
    seen: Counter[tuple[str, int, str]] = Counter()
    ids, names = [], rows.customer_ids.to_pylist()
    for row in chosen:
        what = names[row], int(rows.instants[row]), rows.kinds[row]
        ids.append(f"contact:{campaign}:{what[0]}:{what[1]}:{what[2]}:{seen[what]}")
        seen[what] += 1
    places = np.array(chosen, np.int64)
    none = pa.nulls(len(places), pa.string())
    columns = {
        "customer_id": rows.customer_ids.take(pa.array(places)),
        "occurred_at": pa.array(rows.instants[places], pa.timestamp("us", "UTC")),
        "kind": pa.array([rows.kinds[row] for row in chosen], pa.string()),
        "value": pa.array(rows.costs[places], pa.float64(), from_pandas=True),
        "channel": pa.array([rows.channels[row] for row in chosen], pa.string()),
        "detail": pa.array([campaign] * len(places), pa.string()),
        "recorded_at": pa.nulls(len(places), pa.timestamp("us", "UTC")),
        "event_id": pa.array(ids, pa.string()),
    }
    return pa.table([columns.get(one.name, none).cast(one.type) for one in EVENT_SCHEMA], schema=EVENT_SCHEMA)


def known_contacts(
    store: EventStore, kinds: Collection[str], campaign: str, keys: NDArray[np.int64]
) -> frozenset[tuple[int, int, str]]:
    """The contacts of a campaign that the store has of these customers: key, instant and kind."""
    found = map_partitions(store, partial(_KnownContacts, frozenset(kinds), campaign, np.unique(keys)))
    return frozenset(found.contacts)


@dataclass
class _KnownContacts:
    """The contacts of a campaign in some buckets."""

    kinds: frozenset[str]
    campaign: str
    keys: NDArray[np.int64]
    contacts: set[tuple[int, int, str]] = field(default_factory=set)

    def add(self, history: History) -> None:
        if self.campaign not in history.detail_names:
            return
        mine = events_of_kinds(history, self.kinds)
        mine &= history.details == history.detail_names.index(self.campaign)
        owner = history.keys[customer_of_event(history)]
        rows = np.flatnonzero(mine & np.isin(owner, self.keys))
        kinds = [history.kind_names[code] for code in history.kinds[rows].tolist()]
        instants = history.instants[rows].tolist()
        self.contacts.update(zip(owner[rows].tolist(), instants, kinds, strict=True))

    def merge(self, other: _KnownContacts) -> None:
        self.contacts |= other.contacts


def _table(file: Path) -> pa.Table:
    try:
        if file.suffix == ".parquet":
            return pq.read_table(file)
        names = csv.open_csv(file).schema.names
        options = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return csv.read_csv(file, convert_options=options)
    except (OSError, pa.ArrowInvalid) as error:
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"cannot read the contacts in {file}: {first}. Write CSV or Parquet.") from None


def _instant(file: str, place: int, text: str | None, instant: Callable[[str], int]) -> int:
    try:
        return instant(text or "")
    except UsageError:
        raise DataError(
            f"cannot use the contacts in {file}: '{text}' in row {place} is no moment. "
            "Write one such as 2026-02-01 14:30."
        ) from None


def _cost(file: str, place: int, text: str | None) -> float:
    try:
        cost = math.nan if text is None else float(text)
    except ValueError:
        cost = math.inf
    if math.isinf(cost):
        raise DataError(
            f"cannot use the contacts in {file}: '{text}' in row {place} is no cost. "
            "Write an amount such as 800."
        )
    return cost

"""The suppression list of erased customers, which the next ingest leaves out: keyed hashes, no names.

The file holds no name, but whoever has it and a list of names can find out which of them were erased. It
is as confidential as the store that it lies in.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.events.schema import TEXTS
from features.storage.backends.local_folder import LocalFolder
from features.storage.backends.storage import Storage
from features.storage.customer_ids import Customers

FILE = "erased.json"
MENTIONS = TEXTS


class SuppressionList:
    """The erased customers of a store; whoever changes the list holds the store's lock."""

    def __init__(self, place: Path | Storage) -> None:
        self._storage = LocalFolder(place) if isinstance(place, Path) else place
        content = self._content()
        held = json.loads(content) if content is not None else {}
        self._salt: str = held.get("salt") or secrets.token_hex(16)
        self._hashes: set[str] = set(held.get("hashes", ()))
        self._linked: list[list[str]] = held.get("linked", [])
        """The ids of one customer who had several."""

    def __contains__(self, customer_id: str) -> bool:
        return bool(self._hashes) and self._hash(customer_id) in self._hashes

    def add(self, customer_id: str) -> None:
        """From now on, rows of this customer are left out."""
        self._hashes.add(self._hash(customer_id))
        self._save()

    def add_linked(self, customer_ids: Sequence[str]) -> None:
        """The same for every id of one customer; who readmits one of them readmits all."""
        hashes = [self._hash(one) for one in customer_ids]
        if not self._hashes.issuperset(hashes) or (len(hashes) > 1 and sorted(hashes) not in self._linked):
            self._hashes.update(hashes)
            if len(hashes) > 1:
                self._linked.append(sorted(hashes))
            self._save()

    def discard(self, customer_id: str) -> bool:
        """Rows of this customer may come in again, under any id; returns whether they were on the list."""
        known = customer_id in self
        if known:
            gone = {self._hash(customer_id)}
            while more := {one for ids in self._linked if gone.intersection(ids) for one in ids} - gone:
                gone |= more
            self._hashes -= gone
            self._linked = [ids for ids in self._linked if not gone.intersection(ids)]
            self._save()
        return known

    def without(self, rows: pa.Table, customers: Customers) -> tuple[pa.Table, int]:
        """A source's rows without those of erased customers, and how many those were."""
        if not self._hashes or "customer_id" not in rows.column_names:
            return rows, 0
        column = rows.column("customer_id")
        if pa.types.is_floating(column.type) or pa.types.is_nested(column.type):
            return rows, 0  # no customer id: what checks the rows says so
        texts = column.cast(pa.string())
        distinct = texts.unique().drop_null()
        # Whoever has a key was not erased, or was readmitted.
        strange = distinct.filter(pa.array(customers.keys(distinct) < 0))
        gone = [text for text in strange.to_pylist() if text in self]
        if not gone:
            return rows, 0
        stay = pc.invert(pc.is_in(texts, value_set=pa.array(gone, pa.string())))
        remaining = rows.filter(stay)
        return remaining, rows.num_rows - remaining.num_rows

    def blank_suppressed_ids(self, events: pa.Table) -> pa.Table:
        """Checked events of others in which no erased customer's id is among the texts."""
        for name in MENTIONS if self._hashes else ():
            column = events.column(name)
            gone = [text for text in column.unique().drop_null().to_pylist() if text in self]
            if gone:
                mentions = pc.is_in(column, value_set=pa.array(gone, pa.string()))
                blank = pc.if_else(mentions, pa.scalar(None, pa.string()), column)
                events = events.set_column(
                    events.schema.get_field_index(name), events.schema.field(name), blank
                )
        return events

    def copy_to(self, folder: Path) -> None:
        """Put the list, where there is one, into another store's folder."""
        content = self._content()
        if content is not None:
            (folder / FILE).write_bytes(content)

    def names_erased(self, customer_ids: Iterable[str]) -> list[str]:
        """Those of these customers who were erased."""
        return [name for name in customer_ids if name in self]

    def _hash(self, customer_id: str) -> str:
        salt = bytes.fromhex(self._salt)
        return hashlib.blake2b(customer_id.encode(), digest_size=16, key=salt).hexdigest()

    def _save(self) -> None:
        linked = {"linked": self._linked} if self._linked else {}
        text = json.dumps({"salt": self._salt, "hashes": sorted(self._hashes), **linked})
        self._storage.put(FILE, text.encode())

    def _content(self) -> bytes | None:
        try:
            return self._storage.read(FILE)
        except FileNotFoundError:
            return None

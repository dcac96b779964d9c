"""What became of the rows of each ingest, as one small file per ingest; no row in it names a customer.

Why rows went to quarantine is kept with one of the rows, whose texts are masked before they are written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.ingestion.receipt import Receipt, RefusalReason
from serving.schemas.json_text import to_json
from serving.state.atomic_write import in_one_step
from serving.state.remote.state_files import delete

FOLDER = "ingests"
"""In the state."""
KEPT = 60
"""Ingests that are kept: two months of one a night."""
PLAIN = frozenset({"kind", "occurred_at", "recorded_at", "known_at", "value", "currency", "language"})
"""Columns of a refused row that are shown as they came, unless they hold the row's customer id: what is
wrong with a row is mostly seen in them, and none of them says who it is about."""
SHORT = 5
"""Texts of fewer characters are not shown at all: two of them would be half of it."""
HIDDEN = "…"


@dataclass(frozen=True)
class LoggedRefusal:
    """Rows of a source that were quarantined for one reason, with one of them masked."""

    reason: str
    rows: int
    example: Mapping[str, str]
    """The columns of one row that say something."""


@dataclass(frozen=True)
class StoredReceipt:
    """What became of one source's rows, as `features.ingestion.receipt.Receipt` counts them."""

    source: str
    read: int
    new: int
    corrected: int
    already_there: int
    quarantined: int
    without_customer: int
    erased: int
    retried: int
    taken_out: int
    quarantined_amount: float
    """The share of the amount that the quarantined rows carry."""
    notes: tuple[str, ...]
    refused: str | None
    """Why nothing of the source was stored; None where it was."""
    reasons: tuple[LoggedRefusal, ...]

    @property
    def quarantined_share(self) -> float:
        """Of the rows read, how many went to quarantine."""
        return self.quarantined / self.read if self.read else 0.0


@dataclass(frozen=True)
class IngestRecord:
    """One ingest. Instants in microseconds UTC."""

    at: int
    who: str
    data_version: str
    """The version of the store afterwards."""
    receipts: tuple[StoredReceipt, ...]

    @property
    def read(self) -> int:
        """Rows read of all sources."""
        return sum(one.read for one in self.receipts)

    @property
    def new(self) -> int:
        return sum(one.new for one in self.receipts)

    @property
    def corrected(self) -> int:
        return sum(one.corrected for one in self.receipts)

    @property
    def quarantined(self) -> int:
        return sum(one.quarantined for one in self.receipts)

    def of(self, source: str) -> StoredReceipt | None:
        """The receipt of a source."""
        return next((one for one in self.receipts if one.source == source), None)


def record_ingest(state: Path, at: int, who: str, data_version: str, receipts: Sequence[Receipt]) -> None:
    """Write down an ingest; the oldest ones beyond `KEPT` go."""
    folder = state / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    record = IngestRecord(at, who, data_version, tuple(_stored(receipt) for receipt in receipts))
    with in_one_step(folder / f"{at:020d}.json") as unfinished:
        unfinished.write_text(to_json(record), encoding="utf-8")
    for file in _files(folder)[KEPT:]:
        delete(file)


def ingests(state: Path, limit: int = 1) -> list[IngestRecord]:
    """The newest ingests, the last one first; a file that cannot be read is passed over."""
    found: list[IngestRecord] = []
    for file in _files(state / FOLDER):
        if len(found) == limit:
            break
        try:
            found.append(_load(file, file.stat().st_mtime_ns))
        except (OSError, ValidationError):
            continue
    return found


def mask(value: str) -> str:
    """A text with its first and last character alone; of a short one nothing."""
    return HIDDEN if len(value) < SHORT else f"{value[0]}{HIDDEN}{value[-1]}"


def masked_row(row: str) -> dict[str, str]:
    """The columns of a refused row (JSON) that say something, masked so that no id and no text is whole."""
    fields = {name: value for name, value in json.loads(row).items() if value not in (None, "")}
    who = str(fields.get("customer_id", ""))
    return {
        name: str(value) if name in PLAIN and not (who and who in str(value)) else mask(str(value))
        for name, value in fields.items()
    }


def _stored(receipt: Receipt) -> StoredReceipt:
    return StoredReceipt(
        receipt.source,
        receipt.read,
        receipt.new,
        receipt.corrected,
        receipt.already_there,
        receipt.quarantined,
        receipt.without_customer,
        receipt.erased,
        receipt.retried,
        receipt.taken_out,
        receipt.quarantined_amount,
        receipt.notes,
        receipt.refused,
        tuple(_reason(one) for one in receipt.reasons),
    )


def _reason(refusal: RefusalReason) -> LoggedRefusal:
    return LoggedRefusal(refusal.reason, refusal.rows, masked_row(refusal.example))


def _files(folder: Path) -> list[Path]:
    """The files of the ingests, the last one first."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)


@cache
def _adapter() -> TypeAdapter[IngestRecord]:
    return TypeAdapter(IngestRecord)


@lru_cache(maxsize=64)
def _load(file: Path, _changed: int) -> IngestRecord:
    return _adapter().validate_json(file.read_bytes())

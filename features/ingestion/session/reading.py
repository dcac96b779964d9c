"""What was read of one source in an ingest, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.events.validation import NO_CUSTOMER
from features.events.validation_counts import ValidationCounts
from features.ingestion.deduplication import ALREADY_THERE, CORRECTED, NEW, REFUSED
from features.ingestion.merging.table_change import TableChange
from features.ingestion.receipt import Receipt, RefusalReason
from features.ingestion.sources import Attribute, Source
from features.timeline import Timeline


@dataclass
class SourceReading:
    """What was read of one source."""

    source: Source | Attribute
    timeline: Timeline
    tally: ValidationCounts
    fingerprint: str
    changed: bool
    """Whether its query is another than at its last ingest."""
    retried: int = 0
    refused: str | None = None
    """Why nothing of it is stored."""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def watermark(self) -> str | None:
        return self.source.watermark if isinstance(self.source, Source) else None

    @property
    def complete(self) -> bool:
        return isinstance(self.source, Source) and self.source.complete

    def receipt(self, change: TableChange, reasons: Mapping[str, tuple[RefusalReason, ...]]) -> Receipt:
        """What became of its rows."""
        tally, name = self.tally, self.name
        new, there, corrected, refused = (
            change.fates.get((name, fate), 0) for fate in (NEW, ALREADY_THERE, CORRECTED, REFUSED)
        )
        return Receipt(
            name,
            tally.rows + tally.erased + self.retried,
            new,
            there,
            corrected,
            refused + sum(tally.reasons.values()),
            tally.reasons.get(NO_CUSTOMER, 0),
            tally.erased,
            tally.notes,
            several_rows=change.several.get(name, 0),
            retried=self.retried,
            taken_out=change.taken_out.get(name, 0),
            refused=self.refused,
            reasons=reasons.get(name, ()),
            quarantined_amount=tally.amounts.share,
        )

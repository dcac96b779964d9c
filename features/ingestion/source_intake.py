"""Intake of one source: its batches checked, in order; those whose text is not decided yet wait on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.parsing.source_text import SourceText
from features.events.validation import validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion.quarantine import QuarantineWriter
from features.ingestion.sources import marks_of
from features.ingestion.staging import StagingArea
from features.storage.customer_ids import Customers
from features.timeline import Timeline


class Suppression(Protocol):
    """Leaves the rows of erased customers out."""

    def without(self, rows: pa.Table, customers: Customers) -> tuple[pa.Table, int]: ...
    def blank_suppressed_ids(self, events: pa.Table) -> pa.Table: ...


def checked_batches(
    feed: Iterable[pa.Table],
    tally: ValidationCounts,
    clock: Timeline,
    now: int,
    erased: Suppression,
    arrivals: StagingArea,
    refusals: QuarantineWriter,
    tell: Callable[[int], None],
    watermark: str | None = None,
) -> Iterator[tuple[pa.Table, NDArray[np.float64] | None]]:
    """The events of a source, batch by batch, each with its place in the order of the column `watermark`.

    Refused rows go to `refusals`, counts to `tally`.
    """

    def rest() -> Iterator[pa.Table]:
        for batch in feed:
            rows, left_out = erased.without(batch, arrivals.customers)
            tally.erased += left_out
            tell(tally.rows)
            yield rows

    for rows in decided_batches(rest(), tally.texts, arrivals.folder):
        events, refused = validate_rows(rows, clock, now, tally)
        refusals.add(refused)
        marks = None if watermark is None else marks_of(rows.column(watermark))[tally.accepted]
        yield erased.blank_suppressed_ids(events), marks


def decided_batches(batches: Iterable[pa.Table], texts: SourceText, folder: Path) -> Iterator[pa.Table]:
    """The batches of a source, each once its text columns can be read.

    One that can be read at once goes through; the others wait in `folder` for the end of the source.
    Raises `DataError` where the columns contradict themselves or what came in before, or tell too little.
    """
    waiting: list[Path] = []
    try:
        for batch in batches:
            if not texts.observe(batch):
                yield batch
                continue
            waiting.append(folder / f"waiting-{len(waiting)}.arrow")
            with pa.OSFile(str(waiting[-1]), "wb") as target, pa.ipc.new_file(target, batch.schema) as writer:
                writer.write_table(batch)
        texts.conclude()
        for path in waiting:
            with pa.OSFile(str(path), "rb") as stream:
                yield pa.ipc.open_file(stream).read_all()
    finally:
        for path in waiting:
            path.unlink(missing_ok=True)

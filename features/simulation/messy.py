"""Dirties the exports of a simulated service as real exports are dirty; the truth stays known.

Every kind of dirt is one that ingest reads or refuses in words: nothing is lost that a person could read.
The tables become CSV files of text (`features.simulation.messy_project` has the settings that fit), with
moments, numbers, flags and labels as people and other systems write them.
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UsageError
from features.simulation.dirt import DIRT
from features.simulation.exports import Export, Mess, Text
from features.simulation.written import MOMENTS


def check(dirt: Collection[str]) -> None:
    """Raise `UsageError` for a kind of dirt that there is not."""
    if unknown := set(dirt) - set(DIRT):
        raise UsageError(
            f"cannot make exports messy by '{min(unknown)}': there is no such kind of dirt. "
            f"There are {', '.join(sorted(DIRT))}."
        )


def dirty(folder: Path, share: float, seed: int, end: datetime, dirt: Collection[str] | None = None) -> Mess:
    """Write the tables of `data/` as dirty CSV files in their place, and return what was done.

    `share` is the part of the rows that each kind of dirt hits, 0 to 1; kinds that concern the way a whole
    column is written hit all of it. The same seed gives the same files.
    """
    chosen = frozenset(DIRT if dirt is None else dirt)
    exports = {file.stem: _read(file) for file in sorted((folder / "data").glob("*.parquet"))}
    profiles = exports["profiles"]
    profiles.moments["consent_at"] = list(profiles.moments["since"])
    mess = Mess(exports, share, np.random.default_rng([seed, 4]), end, chosen)
    for name, apply in DIRT.items():
        if name in chosen:
            apply(mess)
    for name, export in exports.items():
        (folder / "data" / f"{name}.parquet").unlink()
        _write(folder / "data", export, mess)
    if mess.aliases:
        _write_rows(folder / "data" / "aliases.csv", ["old_id", "new_id"], mess.aliases)
    return mess


def _read(file: Path) -> Export:
    table = pq.read_table(file)
    moments: dict[str, list[datetime | None]] = {}
    columns: dict[str, list[Text]] = {}
    for column in table.schema:
        values = table.column(column.name).to_pylist()
        if pa.types.is_timestamp(column.type):
            moments[column.name] = [None if at is None else at.replace(microsecond=0) for at in values]
        else:
            columns[column.name] = [_text(value) for value in values]
    return Export(file.stem, columns, moments)


def _text(value: object) -> Text:
    if value is None or value != value:  # NaN
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _write(folder: Path, export: Export, mess: Mess) -> None:
    style = MOMENTS[mess.moment_styles.get(export.name, "iso")]
    names = [*export.columns, *export.moments]
    written = [
        *export.columns.values(),
        *([None if at is None else style(at) for at in times] for times in export.moments.values()),
    ]
    rows = list(zip(*written, strict=True))
    if not mess.twice or export.name != "orders":
        _write_rows(folder / f"{export.name}.csv", names, rows)
        return
    half, overlap = len(rows) // 2, max(1, int(len(rows) * mess.share / 2))
    _write_rows(folder / f"{export.name}-1.csv", names, rows[: half + overlap])
    _write_rows(folder / f"{export.name}-2.csv", names, rows[half - overlap :])


def _write_rows(file: Path, names: list[str], rows: Collection[tuple[Text, ...]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(names)
        writer.writerows(["" if value is None else value for value in row] for row in rows)


def local_end(instant: str) -> datetime:
    """The end of a record as a local time without a zone."""
    return datetime.fromisoformat(instant).replace(tzinfo=None)

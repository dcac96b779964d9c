"""Sheets of Excel workbooks as CSV, for `read_csv('xlsx://data/x.xlsx#Sheet', …)`.

Cells are written as people see them: texts unchanged ("000123" keeps its zeros), whole numbers without `.0`,
dates as `2024-05-01`, moments as `2024-05-01 09:30:00`, and numbers with the zeros that their format adds.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TypeAlias

from features.ingestion.files.excel_formats import zero_padded_cells

Cell: TypeAlias = "str | float | bool | date | datetime | time | timedelta"
Cells = Sequence[Cell]
HEADER_SHARE = 0.6
"""A row is the header where it fills this share of the widest row: titles above it fill a cell or two."""


def sheet_names(workbook: Path) -> list[str]:
    """The names of a workbook's sheets that hold anything; raises `OSError` where it is no workbook."""
    return [name for name, rows in _sheets(workbook, None).items() if rows]


def to_csv(workbook: Path, inside: Path, sheet: str) -> None:
    """Write one sheet as CSV, from its header on; without a name, the only sheet that holds anything.

    Raises `OSError` where the file is no workbook, has no such sheet, or has several and none is named.
    """
    sheets = {name: rows for name, rows in _sheets(workbook, sheet or None).items() if rows}
    if not sheets:
        raise OSError(f"'{workbook.name}' holds nothing" + (f" on its sheet '{sheet}'" if sheet else ""))
    if len(sheets) > 1:
        raise OSError(
            f"'{workbook.name}' has the sheets {', '.join(sheets)}: name one after a #, as in "
            f"'xlsx://{workbook.name}#{next(iter(sheets))}', or all with '#*'"
        )
    [(name, rows)] = sheets.items()
    padded = zero_padded_cells(workbook, name)
    start = header_row(rows)
    with inside.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        for number, row in enumerate(rows[start:], start):
            texts = [as_text(cell, padded.get((number, column), 0)) for column, cell in enumerate(row)]
            if any(texts):
                writer.writerow(texts)


def header_row(rows: Sequence[Cells]) -> int:
    """Where the table begins: the first row that fills most of the widest row."""
    filled = [sum(cell != "" for cell in row) for row in rows]
    return next(place for place, cells in enumerate(filled) if cells >= HEADER_SHARE * max(filled))


def as_text(cell: Cell, width: int = 0) -> str:
    """A cell as people read it; a whole number is filled with zeros to a width."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        whole = float(cell).is_integer() and abs(cell) < 2**53
        return str(int(cell)).zfill(width) if whole else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def _sheets(file: Path, sheet: str | None) -> dict[str, list[list[Cell]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(file)
        names = workbook.sheet_names
        if sheet is not None and sheet not in names:
            raise OSError(f"'{file.name}' has no sheet '{sheet}'; it has {', '.join(names)}")
        wanted = names if sheet is None else [sheet]
        return {name: workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in wanted}
    except CalamineError as error:
        raise OSError(f"'{file.name}' cannot be read as an Excel workbook: {error}") from None

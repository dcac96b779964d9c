"""Small Excel workbooks, written by hand: rows of texts, numbers, dates and moments in named sheets."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

DATE, MOMENT, SIX_DIGITS = 1, 2, 3
"""Styles of cells: `yyyy/mm/dd`, `yyyy/mm/dd hh:mm`, and a number shown with six digits."""
STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy/mm/dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy/mm/dd hh:mm"/><numFmt numFmtId="166" formatCode="000000"/>'
    "</numFmts>"
    '<cellStyleXfs count="1"><xf numFmtId="166"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>'
    "</cellXfs>"
    "</styleSheet>"
)
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@dataclass(frozen=True)
class Padded:
    """A number that its cell shows with six digits."""

    number: int


Cell = str | int | float | date | datetime | Padded | None


def write_workbook(file: Path, sheets: dict[str, Sequence[Sequence[Cell]]]) -> Path:
    """Write these sheets into a new `.xlsx` file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, 1)
    )
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            "</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
            f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook {MAIN} xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{related}'
            f'<Relationship Id="s" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        )
        archive.writestr("xl/styles.xml", STYLES)
        for number, rows in enumerate(sheets.values(), 1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", _sheet(rows))
    return file


def _sheet(rows: Sequence[Sequence[Cell]]) -> str:
    lines = [
        f'<row r="{number}">' + "".join(_cell(f"{chr(65 + at)}{number}", cell) for at, cell in enumerate(row))
        for number, row in enumerate(rows, 1)
    ]
    return f"<worksheet {MAIN}><sheetData>{'</row>'.join([*lines, ''])}</sheetData></worksheet>"


def _cell(place: str, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    if isinstance(cell, Padded):
        return f'<c r="{place}" s="{SIX_DIGITS}"><v>{cell.number}</v></c>'
    if isinstance(cell, datetime):
        days = (cell - datetime.fromisoformat("1899-12-30")) / timedelta(days=1)
        return f'<c r="{place}" s="{MOMENT}"><v>{days!r}</v></c>'
    if isinstance(cell, date):
        return f'<c r="{place}" s="{DATE}"><v>{(cell - date(1899, 12, 30)).days}</v></c>'
    return f'<c r="{place}"><v>{cell!r}</v></c>'

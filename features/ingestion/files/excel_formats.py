"""Number formats of an `.xlsx` workbook that fill with zeros (`000000` shows 123 as 000123).

The reader of the cells gives numbers without their formats, so these few are read from the workbook's XML.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

Attributes = dict[str, str]


def zero_padded_cells(workbook: Path, sheet: str) -> MappingProxyType[tuple[int, int], int]:
    """The cells of a sheet (row and column from 0) that show a number with zeros, and how many digits."""
    widths: dict[tuple[int, int], int] = {}
    if zipfile.is_zipfile(workbook):
        with zipfile.ZipFile(workbook) as archive:
            styles = _padding_styles(archive)
            part = _part_of(archive, sheet) if styles else None
            if part is not None:

                def start(name: str, attributes: Attributes) -> None:
                    if name == "c" and attributes.get("s") in styles and "r" in attributes:
                        widths[_place(attributes["r"])] = styles[attributes["s"]]

                _parse(archive, part, start)
    return MappingProxyType(widths)


def _padding_styles(archive: zipfile.ZipFile) -> dict[str, int]:
    """Styles of cells (their numbers, as cells write them) whose format is nothing but zeros."""
    formats: dict[str, int] = {}
    styles: dict[str, int] = {}
    inside: list[bool] = [False]
    count: list[int] = [0]

    def start(name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            # Sections of a format (positive; negative) and quoted literals follow the digits.
            digits = re.match(r"0{2,}(?=$|;|_)", attributes.get("formatCode", ""))
            if digits:
                formats[attributes["numFmtId"]] = len(digits[0])
        elif name == "cellXfs":
            inside[0] = True
        elif name == "xf" and inside[0]:
            width = formats.get(attributes.get("numFmtId", ""))
            if width:
                styles[str(count[0])] = width
            count[0] += 1

    def end(name: str) -> None:
        if name == "cellXfs":
            inside[0] = False

    _parse(archive, "xl/styles.xml", start, end)
    return styles


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The file inside the workbook that holds a sheet."""
    numbers: dict[str, str] = {}
    targets: dict[str, str] = {}

    def sheets(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            numbers[attributes["name"]] = attributes.get("r:id", "")

    def relations(name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    _parse(archive, "xl/workbook.xml", sheets)
    _parse(archive, "xl/_rels/workbook.xml.rels", relations)
    target = targets.get(numbers.get(sheet, ""))
    if target is None:
        return None
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _parse(
    archive: zipfile.ZipFile,
    part: str,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
) -> None:
    """Walk through one XML file of the archive; one that is absent or broken says nothing."""
    if part not in archive.namelist():
        return
    parser: Any = expat.ParserCreate()
    parser.StartElementHandler = start
    if end is not None:
        parser.EndElementHandler = end
    try:
        with archive.open(part) as stream:
            parser.ParseFile(stream)
    except expat.ExpatError:
        return


def _place(reference: str) -> tuple[int, int]:
    """Row and column, from 0, of a reference such as `B7`."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(reference[len(letters) :]) - 1, column - 1

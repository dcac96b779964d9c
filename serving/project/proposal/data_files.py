"""Tables in files of one's own: CSV, Excel, JSON lines and Parquet, each with its first rows as text."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigurationError
from features.ingestion.files.excel import sheet_names
from features.ingestion.sampling import sample
from serving.project.recipes.export_files import literal, place, text_scheme

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".jsonl": "json", ".ndjson": "json",
    ".json": "json", ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip
ROWS = 1000
"""How many first rows are looked at."""
SEPARATORS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class DataTable:
    """One table: its name, where it lies, DuckDB's call that reads it, and its first rows as text."""

    name: str
    path: str
    call: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def cells(self, column: str) -> list[str | None]:
        """What the first rows say in a column, row by row."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows]

    def values(self, column: str) -> list[str]:
        """What the first rows say in a column, without the empty ones."""
        return [value for cell in self.cells(column) if (value := (cell or "").strip())]


def find_tables(patterns: Sequence[str], folder: Path) -> tuple[DataTable, ...]:
    """The tables in the files of these patterns, as a project in `folder` reads them.

    Raises `ConfigurationError` where no file is there, or where one cannot be read.
    """
    files = sorted({Path(found) for pattern in patterns for found in glob.glob(pattern, recursive=True)})
    known = [file for file in files if file.is_file() and _format(file) is not None]
    if not known:
        held = f" (only {', '.join(file.name for file in files[:3])})" if files else ""
        raise ConfigurationError(
            f"cannot propose a project from {', '.join(patterns)}: there are no files of a kind that can be "
            f"read there{held}. Name CSV, Excel, JSON lines or Parquet files, as in `--data 'exports/*.csv'`."
        )
    return tuple(
        table for group in _grouped(known) for table in _tables(group, folder) if table.columns and table.rows
    )


def files_in(folder: Path) -> list[str]:
    """The pattern of everything in the folder's `data`, where it holds files that can be read."""
    data = folder / "data"
    held = data.is_dir() and any(_format(file) for file in data.rglob("*") if file.is_file())
    return [f"{glob.escape(os.fspath(data))}/**/*"] if held else []


def _format(file: Path) -> str | None:
    return FORMATS.get(Path(file.name.removesuffix(".gz")).suffix.lower())


def _grouped(files: Iterable[Path]) -> list[list[Path]]:
    """Files of one folder and format whose names differ in digits alone: parts of one table."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        groups.setdefault((file.parent, re.sub(r"\d+", "#", file.name)), []).append(file)
    return list(groups.values())


def _tables(files: Sequence[Path], folder: Path) -> list[DataTable]:
    first = files[0]
    path = glob.escape(place(first, folder))
    if len(files) > 1:
        path = re.sub(r"\d+(?=[^/]*$)", "*", path)
    stem = re.sub(r"[\d_\-. ]+$", "", first.name.split(".")[0]) or first.parent.name
    form = _format(first)
    if form == "excel":
        return _sheets(stem, path, first, several=len(files) > 1, folder=folder)
    if form == "csv":
        scheme = text_scheme(files)
        path = scheme + path
        union = ", union_by_name = true" if len(files) > 1 else ""
        separator = _separator(first, scheme)
        call = f"read_csv({literal(path)}, header = true, all_varchar = true, delim = {separator}{union})"
    elif form == "parquet":
        call = f"read_parquet({literal(path)}{', union_by_name = true' if len(files) > 1 else ''})"
    else:
        names, _ = _read(f"read_json({literal(path)}, format = 'auto')", folder, stem)
        texts = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in names)
        call = f"read_json({literal(path)}, format = 'auto', columns = {{{texts}}})"
    return [DataTable(stem, path, call, *_read(call, folder, stem))]


def _sheets(stem: str, path: str, first: Path, *, several: bool, folder: Path) -> list[DataTable]:
    """The sheets of a workbook: one table where all have the same columns, else one each."""
    try:
        names = sheet_names(first)
    except OSError as error:
        raise ConfigurationError(f"cannot read {first}: {error}. Save it again, or leave it out.") from None

    def table(name: str, sheet: str, more: str = "") -> DataTable:
        at = f"xlsx://{path}{sheet}"
        call = f"read_csv({literal(at)}, header = true, all_varchar = true, delim = ','{more})"
        return DataTable(name, at, call, *_read(call, folder, stem))

    union = ", union_by_name = true" if several else ""
    if len(names) <= 1:
        return [table(stem, "", union)] if names else []
    each = [table(f"{stem} {name}", f"#{name}", union) for name in names]
    if len({one.columns for one in each}) == 1:
        return [table(stem, "#*", ", union_by_name = true")]
    return each


def _read(call: str, folder: Path, name: str) -> tuple[tuple[str, ...], tuple[tuple[str | None, ...], ...]]:
    found = sample(f"select * from {call} limit {ROWS}", folder, name)  # noqa: S608 (a path that is quoted)
    cells = [[None if cell is None else str(cell) for cell in column.to_pylist()] for column in found.columns]
    return tuple(found.column_names), tuple(zip(*cells, strict=True))


def _separator(file: Path, scheme: str) -> str:
    """The separator that the header has most of."""
    encoding = scheme.removesuffix("://") or "utf-8-sig"
    if file.suffix == ".gz":
        return "','"
    with file.open(encoding=encoding, errors="replace") as stream:
        header = stream.readline()
    best = max(SEPARATORS, key=header.count)
    return "'\\t'" if best == "\t" else literal(best)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

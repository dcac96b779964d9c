"""Schemes before a path in a query, for files that DuckDB cannot read: `read_csv('cp932://data/orders.csv')`.

A file is rewritten once, into a temporary folder, in a form that DuckDB reads: a text file in an older
Japanese encoding as UTF-8, a sheet of an Excel workbook as CSV, an Avro file as JSON lines.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem  # type: ignore[import-untyped,unused-ignore]

from features.ingestion.files.avro import to_json_lines
from features.ingestion.files.encodings import ENCODINGS, to_utf8
from features.ingestion.files.excel import sheet_names, to_csv


@dataclass(frozen=True)
class FileScheme:
    """How the files of one scheme are rewritten."""

    convert: Callable[[Path, Path, str], None]
    """Writes a file to a new one, or the part of it that is named; raises `OSError` where it cannot."""
    parts: Callable[[Path], list[str]] | None = None
    """The names of a file's parts, which a path may name after a #; a pattern there takes several."""


def _recode(encoding: str, outside: Path, inside: Path, _: str) -> None:
    to_utf8(outside, inside, encoding)


SCHEMES: Mapping[str, FileScheme] = MappingProxyType(
    {
        **{encoding: FileScheme(partial(_recode, encoding)) for encoding in ENCODINGS},
        "xlsx": FileScheme(to_csv, sheet_names),
        "avro": FileScheme(lambda outside, inside, _: to_json_lines(outside, inside)),
    }
)


class ConvertedFileSystem(AbstractFileSystem):  # type: ignore[misc,unused-ignore]
    """The files of a folder, each as its scheme rewrites it."""

    cachable = False

    def __init__(self, scheme: str, folder: Path, scratch: Path) -> None:
        super().__init__()
        self.protocol = scheme
        self.scheme, self.folder, self.scratch = SCHEMES[scheme], folder, scratch
        self._opened: list[BinaryIO] = []

    def glob(self, path: str, **_: Any) -> list[str]:
        file, part = self._outside(path)
        found = sorted(glob.glob(str(file), recursive=True))
        if not part or self.scheme.parts is None:
            return found
        if not glob.has_magic(part):  # a part that is absent is refused by name where it is opened
            return [f"{one}#{part}" for one in found]
        return [
            f"{one}#{name}"
            for one in found
            for name in self.scheme.parts(Path(one))
            if fnmatchcase(name, part)
        ]

    def exists(self, path: str, **_: Any) -> bool:
        return self._outside(path)[0].exists()

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._inside(path).stat().st_size, "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(self._outside(path)[0].stat().st_mtime, UTC)

    def _open(self, path: str, *_: Any, **__: Any) -> BinaryIO:
        self._opened.append(self._inside(path).open("rb"))
        return self._opened[-1]

    def close(self) -> None:
        """Close what DuckDB leaves open."""
        for stream in self._opened:
            stream.close()

    def _outside(self, path: str) -> tuple[Path, str]:
        """The file that a path names, and the part of it."""
        whole = self.folder / path.removeprefix(f"{self.protocol}://")
        if self.scheme.parts is None or "#" not in whole.name or whole.exists():
            return whole, ""
        name, _, part = whole.name.rpartition("#")
        return whole.with_name(name), part

    def _inside(self, path: str) -> Path:
        outside, part = self._outside(path)
        digest = hashlib.sha256(f"{self.protocol}:{outside}#{part}".encode()).hexdigest()
        inside = self.scratch / digest
        if not inside.exists():
            partial_file = inside.with_suffix(".partial")
            self.scheme.convert(outside, partial_file, part)
            partial_file.replace(inside)
        return inside

"""Text files in older Japanese encodings, for DuckDB: `read_csv('cp932://data/orders.csv')`.

DuckDB reads UTF-8 and UTF-16 by itself. The scheme before a path names the encoding; the file is
rewritten as UTF-8 in a temporary folder, once, and read from there.
"""

from __future__ import annotations

import glob
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem  # type: ignore[import-untyped,unused-ignore]

ENCODINGS = ("cp932", "shift_jis", "euc_jp")


class RecodedFileSystem(AbstractFileSystem):  # type: ignore[misc,unused-ignore]
    """The files of a folder in one encoding, seen as UTF-8."""

    cachable = False

    def __init__(self, encoding: str, folder: Path, scratch: Path) -> None:
        super().__init__()
        self.protocol = encoding
        self.encoding, self.folder, self.scratch = encoding, folder, scratch
        self._opened: list[BinaryIO] = []

    def glob(self, path: str, **_: Any) -> list[str]:
        return sorted(glob.glob(str(self._outside(path)), recursive=True))

    def exists(self, path: str, **_: Any) -> bool:
        return self._outside(path).exists()

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._inside(path).stat().st_size, "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(self._outside(path).stat().st_mtime, UTC)

    def _open(self, path: str, *_: Any, **__: Any) -> BinaryIO:
        self._opened.append(self._inside(path).open("rb"))
        return self._opened[-1]

    def close(self) -> None:
        """Close what DuckDB leaves open."""
        for stream in self._opened:
            stream.close()

    def _outside(self, path: str) -> Path:
        return self.folder / path.removeprefix(f"{self.encoding}://")

    def _inside(self, path: str) -> Path:
        outside = self._outside(path)
        inside = self.scratch / hashlib.sha256(f"{self.encoding}:{outside}".encode()).hexdigest()
        if not inside.exists():
            partial = inside.with_suffix(".partial")
            try:
                with (
                    outside.open(encoding=self.encoding, newline="") as source,
                    partial.open("w", encoding="utf-8", newline="") as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)
            except UnicodeDecodeError as error:
                raise OSError(f"'{outside.name}' is not {self.encoding} text: {error.reason}") from None
            partial.replace(inside)
        return inside

"""Text files in other encodings, rewritten as UTF-8: older Japanese ones, and UTF-16 as Excel saves it."""

from __future__ import annotations

import shutil
from pathlib import Path

ENCODINGS = ("cp932", "shift_jis", "euc_jp", "utf_16")


def to_utf8(outside: Path, inside: Path, encoding: str) -> None:
    """Write a text file in an encoding as UTF-8; raises `OSError` where it is not text in that encoding."""
    try:
        with (
            outside.open(encoding=encoding, newline="") as source,
            inside.open("w", encoding="utf-8", newline="") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
    except UnicodeDecodeError as error:
        hint = ""
        if encoding == "shift_jis" and is_text(outside, "cp932"):
            # Windows calls its own encoding Shift_JIS; letters such as ①, 髙 and 﨑 are in cp932 alone.
            hint = f"; it is cp932 text: write 'cp932://' instead of '{encoding}://'"
        raise OSError(f"'{outside.name}' is not {encoding} text: {error.reason}{hint}") from None


def is_text(file: Path, encoding: str) -> bool:
    """Whether the whole file is text in this encoding."""
    try:
        with file.open(encoding=encoding, newline="") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True

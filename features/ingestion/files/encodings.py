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
    except UnicodeDecodeError:
        fits = _encoding_of(outside)
        if fits is None:
            advice = ""
        elif fits == "utf-8":
            advice = f"; it is UTF-8 text: write its path without '{encoding}://'"
        else:
            # Windows calls its own encoding Shift_JIS; letters such as ①, 髙 and 﨑 are in cp932 alone.
            advice = f"; it is {fits} text: write '{fits}://' instead of '{encoding}://'"
        raise OSError(f"'{outside.name}' is not {encoding} text{advice}") from None


def _encoding_of(file: Path) -> str | None:
    """The first of UTF-8, UTF-16 with its mark, cp932 and euc_jp in which the whole file is text."""
    with file.open("rb") as stream:
        marked = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
    candidates = ("utf-8", "utf_16", "cp932", "euc_jp") if marked else ("utf-8", "cp932", "euc_jp")
    return next((encoding for encoding in candidates if is_text(file, encoding)), None)


def is_text(file: Path, encoding: str) -> bool:
    """Whether the whole file is text in this encoding."""
    try:
        with file.open(encoding=encoding, newline="") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True

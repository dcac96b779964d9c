"""The files of a bundle, each checked against its SHA-256, in the manner of sha256sum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from features.errors import ModelError

FACTS = "bundle.json"
CHECKSUMS = "checksums.txt"


class Damage(Exception):
    """What is wrong with the files of a bundle."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def checksums(files: Mapping[str, str]) -> str:
    return "".join(f"{sha256(content.encode())}  {name}\n" for name, content in sorted(files.items()))


def verified(folder: Path) -> dict[str, str]:
    """The text of every file of a bundle, each equal to its checksum."""
    if not folder.is_dir():
        raise ModelError(f"there is no bundle at {folder}: no such folder. Train one with `kizuna train`.")
    checksums = _content(folder, CHECKSUMS).decode(errors="replace")
    files = {}
    for line in checksums.splitlines():
        digest, _, name = line.partition("  ")
        if Path(name).name != name or not name:
            raise Damage(f"{CHECKSUMS} holds a line that is not a checksum")
        content = _content(folder, name)
        if sha256(content) != digest:
            raise Damage(f"{name} does not match its checksum")
        files[name] = content.decode()
    if FACTS not in files:
        raise Damage(f"{CHECKSUMS} does not name {FACTS}")
    return files


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError:
        raise Damage(f"{name} cannot be read") from None

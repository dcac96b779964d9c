"""Line numbers of the tables and keys of a TOML file, for error messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)

Place = tuple[str | int, ...]


def places(text: str) -> dict[Place, int]:
    """The line (from 1) of every table and key that begins a line."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    prefix: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            prefix = _resolved(_parts(header[2]), counts, repeated=header[1] == "[[")
            found.setdefault(prefix, number)
        elif key:
            place: Place = prefix
            for part in _parts(key[1]):
                place = (*place, part)
                found.setdefault(place, number)
    return found


def line_of(found: dict[Place, int], place: Sequence[str | int]) -> int:
    """The line of a place, or of the nearest thing around it that begins a line."""
    for length in range(len(place), 0, -1):
        if tuple(place[:length]) in found:
            return found[tuple(place[:length])]
    return 1


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _resolved(parts: list[str], counts: dict[Place, int], *, repeated: bool) -> Place:
    """A header's place, where a name of a list of tables stands for its newest one."""
    place: Place = ()
    for depth, part in enumerate(parts):
        place = (*place, part)
        last = depth == len(parts) - 1
        if last and repeated:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place

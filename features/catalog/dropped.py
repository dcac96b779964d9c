"""Which default features the settings leave out."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from features.catalog.definitions import Derived, Feature, Stream


def dropped_names(
    possible: Sequence[Feature | Derived], drop: Sequence[str], streams: Sequence[Stream]
) -> tuple[str, ...]:
    """The names that the patterns `drop` leave out, of the possible features whose streams are there."""
    there = {stream.name for stream in streams}
    known: set[str] = set()
    for one in possible:
        if {one.first, one.second} <= known if isinstance(one, Derived) else one.stream in there:
            known.add(one.name)
    return tuple(
        one.name
        for one in possible
        if one.name in known and any(fnmatchcase(one.name, pattern) for pattern in drop)
    )

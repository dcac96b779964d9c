"""Which default features the settings leave out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from features.catalog.definitions import Derived, Feature, Stream
from features.errors import ConfigurationError

ANY = "detail"
"""Stands for the details that an indicator may have."""


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


def without_dropped(
    features: list[Feature | Derived], drop: Sequence[str], possible: Sequence[str]
) -> list[Feature | Derived]:
    """The features that no pattern names; `possible` are all there can be, of details those of `ANY`."""
    for place, pattern in enumerate(drop, start=1):
        known = (
            pattern.startswith("profile_")  # attributes, which sources may bring later
            or any(fnmatchcase(name, pattern) for name in possible)
            or _fits_a_detail(pattern, possible)
        )
        if not known:
            raise ConfigurationError(
                f'`features.drop[{place}]` is "{pattern}", but no default feature has such a name. '
                "docs/features.md lists them.",
                field=f"features.drop[{place}]",
            )
    dropped = {f.name for f in features if any(fnmatchcase(f.name, pattern) for pattern in drop)}
    for feature in features:
        if isinstance(feature, Derived) and feature.name not in dropped:
            for name in (feature.first, feature.second):
                if name in dropped:
                    raise ConfigurationError(
                        f"`features.drop` leaves out '{name}', of which '{feature.name}' is made. "
                        f'Add "{feature.name}" to it, or keep both.',
                        field="features.drop",
                    )
    return [feature for feature in features if feature.name not in dropped]


def _fits_a_detail(pattern: str, possible: Sequence[str]) -> bool:
    """Whether a pattern can name a feature of a detail, whatever the detail is called."""
    head, of, tail = pattern.partition("_of_")
    literal = re.split(r"[*?\]]", tail)[-1]  # every name that the pattern fits ends with it
    for name in possible if of else ():
        stream, found, end = name.partition(f"_of_{ANY}_")
        if not found or not fnmatchcase(stream, head):
            continue
        is_open = literal != tail
        if (is_open and f"_{end}".endswith(literal)) or (literal.endswith(f"_{end}") and tail != f"_{end}"):
            return True
    return False

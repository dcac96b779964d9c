"""The places, details and values of attributes that events have, for settings that name some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.events.attributes import attribute_text
from features.events.history import History
from features.events.schema import ATTRIBUTE


@dataclass
class NamesInUse:
    """The names that some events have, gathered bucket by bucket."""

    places: set[str] = field(default_factory=set)
    details: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)
    """By attribute."""

    def add(self, history: History) -> None:
        """Add a bucket's events."""
        is_attribute = np.array([kind.startswith(ATTRIBUTE) for kind in history.kind_names], np.bool_)
        told = is_attribute[history.kinds] if history.events else np.zeros(0, np.bool_)
        self.places.update(_used(history.places, history.place_names, ~told))
        self.details.update(_used(history.details, history.detail_names, ~told))
        for number, kind in enumerate(history.kind_names):
            if kind.startswith(ATTRIBUTE):
                values = _values(history, told & (history.kinds == number))
                self.values.setdefault(kind.removeprefix(ATTRIBUTE), set()).update(values)

    def merge(self, other: NamesInUse) -> None:
        """Add the names of later buckets."""
        self.places |= other.places
        self.details |= other.details
        for attribute, values in other.values.items():
            self.values.setdefault(attribute, set()).update(values)


def _used(codes: NDArray[np.int32], names: Sequence[str], rows: NDArray[np.bool_]) -> list[str]:
    if not len(codes):
        return []
    counts = np.bincount(codes[rows] + 1, minlength=len(names) + 1)[1:]
    return [names[code] for code in np.flatnonzero(counts).tolist()]


def _values(history: History, rows: NDArray[np.bool_]) -> Iterable[str]:
    numbers = np.unique(history.values[rows]) if len(history.values) else np.empty(0)
    texts = _used(history.details, history.detail_names, rows)
    return [*texts, *(attribute_text(None, number) for number in numbers.tolist() if number == number)]

"""What is known about customers besides events, as codes by which a list can be narrowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.events.attributes import MOST_SEGMENT_VALUES, attributes_of, is_reserved, last_values
from features.events.history import History
from features.timeline import in_history


class SegmentAttributes:
    """The values of attributes seen so far; histories may come bucket by bucket.

    Reserved attributes, those that the project names as `consent`, and those with more than
    `MOST_SEGMENT_VALUES` values are no segments.
    """

    def __init__(self, consent: frozenset[str] = frozenset()) -> None:
        self._consent = consent
        self._values: dict[str, dict[str, int]] = {}

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of each attribute, by code."""
        return {
            name: tuple(values)
            for name, values in sorted(self._values.items())
            if len(values) <= MOST_SEGMENT_VALUES
        }

    def of(self, history: History, as_of: int) -> dict[str, NDArray[np.int32]]:
        """int32[n] for each attribute: the code of a customer's last value known at the date, -1 for none."""
        names = [name for name in attributes_of(history) if not is_reserved(name, self._consent)]
        if not names:
            return {}
        past = in_history(history.instants, history.recorded if len(history.recorded) else None, as_of)
        return {name: self._last(name, history, past) for name in names}

    def merge(self, other: SegmentAttributes) -> dict[str, NDArray[np.int32]]:
        """Take in the values of later buckets; for each attribute the code here of each code there.

        The last place of each array is for -1, no value.
        """
        codes = {}
        for name, values in other._values.items():
            known = self._values.setdefault(name, {})
            own = [self._code(known, text) for text in values]
            codes[name] = np.array([*own, -1], dtype=np.int32)
        return codes

    @staticmethod
    def _code(values: dict[str, int], text: str) -> int:
        """The code of a value; once there are too many values for a segment, -1 for further ones."""
        if text in values or len(values) <= MOST_SEGMENT_VALUES:
            return values.setdefault(text, len(values))
        return -1

    def _last(self, name: str, history: History, past: NDArray[np.bool_]) -> NDArray[np.int32]:
        values, last = self._values.setdefault(name, {}), last_values(history, name, past)
        known = last.codes[last.codes >= 0]
        used, first = np.unique(known, return_index=True)
        code_of = np.full(len(last.texts) + 1, -1, dtype=np.int32)  # the last place is for -1, no value
        for code in used[np.argsort(first)].tolist():  # numbered in the order of the customers
            code_of[code] = self._code(values, last.texts[code])
        return code_of[last.codes]

"""What is known about customers besides events, as codes by which a list can be narrowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.timeline import in_history

MOST_VALUES = 1_000
"""An attribute with more values than this makes no segments."""


class SegmentAttributes:
    """The values of attributes seen so far; histories may come bucket by bucket."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, int]] = {}

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of each attribute, by code."""
        return {name: tuple(values) for name, values in sorted(self._values.items())}

    def of(self, history: History, as_of: int) -> dict[str, NDArray[np.int32]]:
        """int32[n] for each attribute: the code of a customer's last value known at the date, -1 for none."""
        past = in_history(history.instants, history.recorded if len(history.recorded) else None, as_of)
        found = {}
        for code, kind in enumerate(history.kind_names):
            if kind.startswith(ATTRIBUTE):
                name = kind.removeprefix(ATTRIBUTE)
                rows = np.flatnonzero(past & (history.kinds == code))
                found[name] = self._last(name, history, rows)
        return found

    def _last(self, name: str, history: History, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        values = self._values.setdefault(name, {})
        codes = np.full(history.customers, -1, dtype=np.int32)
        owners = np.searchsorted(history.offsets, rows, side="right") - 1
        last = np.append(owners[1:] != owners[:-1], [True])[: len(rows)]
        for owner, row in zip(owners[last].tolist(), rows[last].tolist(), strict=True):
            said = _said(history, row)
            if said and (said in values or len(values) < MOST_VALUES):
                codes[owner] = values.setdefault(said, len(values))
        return codes


def _said(history: History, row: int) -> str:
    """The value as text: the detail, or else the number."""
    if history.details[row] >= 0:
        return str(history.detail_names[history.details[row]])
    number = history.values[row]
    return "" if np.isnan(number) else f"{number:g}"

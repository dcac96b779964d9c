"""Display names that a project gives for places, details and values of attributes that no event has."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.attributes import attribute_text
from features.events.history import History
from features.events.schema import ATTRIBUTE
from features.execution.local import map_partitions
from features.profiling.finding import CheckFinding
from training.explanation.project_words import ProjectWords

MOST_SHOWN = 5
PLACES, DETAILS = "names.places", "names.details"


def given_name_findings(
    store: EventStore, words: ProjectWords, until: int | None = None
) -> tuple[CheckFinding, ...]:
    """One finding with the names that the settings have and the events do not, each with the nearest."""
    tables = {
        PLACES: [name for name, _ in words.places],
        DETAILS: [name for name, _ in words.details],
        **{name: [value for value, _ in table] for name, table in words.values},
    }
    if not any(tables.values()):
        return ()
    found = map_partitions(store, _NamesInUse, until=until).found
    unknown = [
        (where, name, _nearest(name, found.get(where, ())))
        for where, names in tables.items()
        for name in names
        if found.get(where) and name not in found[where]
    ]
    misspelt = [one for one in unknown if one[2]]
    return (_finding(misspelt),) if misspelt else ()


def _nearest(name: str, known: Collection[str]) -> str:
    """The name that is most like this one; empty where none is."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")


def _finding(unknown: Sequence[tuple[str, str, str]]) -> CheckFinding:
    shown = unknown[:MOST_SHOWN]
    rest = len(unknown) - len(shown)
    english = "; ".join(f"'{name}' in {_where(where)}: write '{near}'" for where, name, near in shown)
    japanese = "、".join(f"{_where(where)} の「{name}」→「{near}」" for where, name, near in shown)
    return CheckFinding(
        "unknown_display_names",
        f"kizuna.toml gives a name to what no event has: {english}"
        + (f"; and {rest} more. " if rest else ". ")
        + "Until then people read the name in the data.",
        f"kizuna.toml の表示名のうち、データにない名前があります：{japanese}"
        + (f"、ほか{rest}件。" if rest else "。")
        + "修正するまで、データの名前のまま表示されます。",
        {"names": [{"setting": _where(where), "name": name, "nearest": near} for where, name, near in shown]},
    )


def _where(table: str) -> str:
    return table if table in (PLACES, DETAILS) else f"attributes.values ({table})"


@dataclass
class _NamesInUse:
    """The places, details and values of attributes that some events have."""

    found: dict[str, set[str]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        """Add a bucket's events."""
        is_attribute = np.array([kind.startswith(ATTRIBUTE) for kind in history.kind_names], np.bool_)
        told = is_attribute[history.kinds] if history.events else np.zeros(0, np.bool_)
        self._add(PLACES, _used(history.places, history.place_names, ~told))
        self._add(DETAILS, _used(history.details, history.detail_names, ~told))
        for number, kind in enumerate(history.kind_names):
            if kind.startswith(ATTRIBUTE):
                rows = told & (history.kinds == number)
                self._add(kind.removeprefix(ATTRIBUTE), _values(history, rows))

    def merge(self, other: _NamesInUse) -> None:
        """Add the names of later buckets."""
        for where, names in other.found.items():
            self._add(where, names)

    def _add(self, where: str, names: Iterable[str]) -> None:
        self.found.setdefault(where, set()).update(names)


def _used(codes: NDArray[np.int32], names: Sequence[str], rows: NDArray[np.bool_]) -> list[str]:
    if not len(codes):
        return []
    counts = np.bincount(codes[rows] + 1, minlength=len(names) + 1)[1:]
    return [names[code] for code in np.flatnonzero(counts).tolist()]


def _values(history: History, rows: NDArray[np.bool_]) -> list[str]:
    numbers = np.unique(history.values[rows]) if len(history.values) else np.empty(0)
    texts = _used(history.details, history.detail_names, rows)
    return [*texts, *(attribute_text(None, number) for number in numbers.tolist() if number == number)]

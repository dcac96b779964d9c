"""The exports of a simulated service as text, while they are being dirtied."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

Text = str | None
MIGRATION = datetime(2024, 8, 1)  # noqa: DTZ001 (local, as all times of the simulation)
"""Until when customers had an old id, where ids were changed."""
EARLIER_ID = "K{number:05}"


@dataclass
class Export:
    """One table as text: its columns by name, each with a value a row, None for an empty one."""

    name: str
    columns: dict[str, list[Text]]
    moments: dict[str, list[datetime | None]]
    """The columns of moments, which are written at the end."""

    def __len__(self) -> int:
        return len(next(iter(self.moments.values())))

    def row(self, place: int) -> tuple[dict[str, Text], dict[str, datetime | None]]:
        """The values of a row."""
        return (
            {name: values[place] for name, values in self.columns.items()},
            {name: values[place] for name, values in self.moments.items()},
        )

    def add(self, texts: dict[str, Text], moments: dict[str, datetime | None]) -> None:
        """Append a row."""
        for name, values in self.columns.items():
            values.append(texts[name])
        for name, times in self.moments.items():
            times.append(moments[name])

    def keep(self, rows: Collection[int]) -> None:
        """Only these rows, in this order."""
        for name, values in self.columns.items():
            self.columns[name] = [values[row] for row in rows]
        for name, times in self.moments.items():
            self.moments[name] = [times[row] for row in rows]


@dataclass
class Mess:
    """What is being dirtied: the exports, how much of them, and what the settings have to say."""

    exports: dict[str, Export]
    share: float
    draw: np.random.Generator
    end: datetime
    """The end of the record, local."""
    dirt: frozenset[str]
    moment_styles: dict[str, str] = field(default_factory=dict)
    aliases: list[tuple[str, str]] = field(default_factory=list)
    contract_ids: bool = False
    shared_numbers: bool = False
    twice: bool = False
    digits: bool = False

    def some(self, count: int) -> list[int]:
        """A random choice of so many rows, about `share` of them."""
        return np.flatnonzero(self.draw.random(count) < self.share).tolist()

    def one(self, words: Collection[str]) -> str:
        """One of these words by chance."""
        listed = list(words)
        return listed[int(self.draw.integers(0, len(listed)))]

"""The difference of two texts, line by line, as a unified diff shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

AROUND = 3
"""Lines shown before and after a change."""


@dataclass(frozen=True)
class DiffLine:
    """A line of the difference."""

    kind: Literal["same", "removed", "added", "gap"]
    """`gap` stands for the equal lines between two changes; it has no text."""
    before: int | None
    """The number of the line in the first text, from 1."""
    after: int | None
    """The number of the line in the second text."""
    text: str


def compare(before: str, after: str) -> Iterator[DiffLine]:
    """The lines that were removed and added, with some around them; nothing for equal texts."""
    old, new = before.splitlines(), after.splitlines()
    for number, group in enumerate(SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND)):
        if number:
            yield DiffLine("gap", None, None, "")
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                for i in range(end - start):
                    yield DiffLine("same", start + i + 1, new_start + i + 1, old[start + i])
                continue
            for i in range(start, end):
                yield DiffLine("removed", i + 1, None, old[i])
            for i in range(new_start, new_end):
                yield DiffLine("added", None, i + 1, new[i])

"""A finding of `kizuna doctor`: something about the data to look at, in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckFinding:
    """A finding: what was noticed, in both languages, with its figures."""

    name: str
    english: str
    japanese: str
    figures: dict[str, Any] = field(default_factory=dict)

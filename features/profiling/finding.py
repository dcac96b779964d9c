"""A finding of `kizuna doctor`: one thing about the data that wants a look, in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckFinding:
    """One thing that wants a look."""

    name: str
    english: str
    japanese: str
    figures: dict[str, Any] = field(default_factory=dict)

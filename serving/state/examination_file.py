"""The last result of `kizuna doctor` in words, as a file of the state, for pages that only show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serving.schemas.json_text import to_json
from serving.state.atomic_write import in_one_step

FILE = "doctor.json"
"""In the state."""


@dataclass(frozen=True)
class ExaminationFinding:
    """Something about the data that wants a look."""

    name: str
    sentence: str


@dataclass(frozen=True)
class ExaminationText:
    """What the examination says in one language."""

    findings: tuple[ExaminationFinding, ...]
    advice: tuple[str, ...]
    """Which definition of churn is recommended, and why."""
    block: str | None
    """The recommended `[churn]` for kizuna.toml."""


@dataclass(frozen=True)
class StoredExamination:
    """The result of one examination of the whole data."""

    computed_at: int
    """Microseconds UTC."""
    data_version: str
    events: int
    customers: int
    first: str
    newest: str
    quarantined: int
    quarantined_share: float
    texts: Mapping[str, ExaminationText]
    """By language."""


def save(state: Path, examination: StoredExamination) -> None:
    """Keep an examination in the place of the one before, in one step."""
    with in_one_step(state / FILE) as unfinished:
        unfinished.write_text(to_json(examination), encoding="utf-8")


def load(state: Path) -> StoredExamination | None:
    """The last examination; None where there is none that can be read."""
    file = state / FILE
    try:
        return _load(file, file.stat().st_mtime_ns)
    except (OSError, ValidationError):
        return None


@cache
def _adapter() -> TypeAdapter[StoredExamination]:
    return TypeAdapter(StoredExamination)


@lru_cache(maxsize=2)
def _load(file: Path, _changed: int) -> StoredExamination:
    return _adapter().validate_json(file.read_bytes())

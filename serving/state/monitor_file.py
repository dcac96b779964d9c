"""The last result of `kizuna monitor`, as a file of the state, for pages and the API, which only show it."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serving.schemas.json_text import to_json
from serving.schemas.monitor_responses import MonitorReply
from serving.state.atomic_write import in_one_step

FILE = "monitor.json"
"""In the state."""


def save(state: Path, result: MonitorReply) -> None:
    """Keep a result in the place of the one before, in one step."""
    with in_one_step(state / FILE) as unfinished:
        unfinished.write_text(to_json(result), encoding="utf-8")


def load(state: Path) -> MonitorReply | None:
    """The last result; None where there is none that can be read."""
    file = state / FILE
    try:
        return _load(file, file.stat().st_mtime_ns)
    except (OSError, ValidationError):
        return None


@cache
def _adapter() -> TypeAdapter[MonitorReply]:
    return TypeAdapter(MonitorReply)


@lru_cache(maxsize=2)
def _load(file: Path, _changed: int) -> MonitorReply:
    return _adapter().validate_json(file.read_bytes())

"""Reading the promotion log: every decision about the champion as one JSON line in the state folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROMOTIONS = "promotions.jsonl"
"""The promotion log, in the state folder."""
PromotionLine = Mapping[str, Any]
"""A decision about the champion, as the log has it."""


def promotion_log(log: Path) -> list[PromotionLine]:
    """Every line of the promotion log, oldest first; a line cut short by a crash is left out."""
    if not log.exists():
        return []
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def champion_before(decided: Sequence[PromotionLine], present: str | None) -> str | None:
    """The version that was champion before the present one, as the promotion log has it.

    A rollback takes the last promotion back, so a second one goes further into the past.
    """
    past: list[str] = []
    for line in decided:
        if line.get("action") == "rollback":
            past = past[:-1] or past
        elif line["promoted"] and line["version"] not in past[-1:]:
            past.append(line["version"])
    if present in past:
        past = past[: len(past) - past[::-1].index(present) - 1]
    return past[-1] if past else None

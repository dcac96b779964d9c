"""Writing the promotion log: every decision about the champion as one JSON line in the state folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.registry.gates import GateDecision


def log_promotion(
    log: Path, decision: GateDecision, *, decided_at: str, action: str = "train", **facts: str
) -> None:
    """Append a decision to the promotion log (JSON lines), with its moment, version, run and the like.

    The action is `train`, or `promote` or `rollback` where somebody decided by hand.
    """
    line = facts | {"decided_at": decided_at, "action": action} | asdict(decision)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")

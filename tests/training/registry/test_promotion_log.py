"""Every decision about the champion is kept in the promotion log."""

from __future__ import annotations

import json
from pathlib import Path

from tests.training.judged import shown
from tests.training.trained import bundle
from training.registry.gates import decide_promotion
from training.registry.promotion_log import log_promotion


def test_every_decision_is_one_line_of_the_promotion_log(tmp_path: Path) -> None:
    log = tmp_path / "state" / "promotions.jsonl"
    refused = decide_promotion(
        bundle(), shown(**{"log_loss": 0.65, "baseline/base_rate/log_loss": 0.64}), None
    )
    log_promotion(log, refused, decided_at="2018-01-01T00:00:00Z", version="1")
    log_promotion(
        log, decide_promotion(bundle(), shown(), None), decided_at="2018-01-02T00:00:00Z", version="2"
    )
    first, second = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    assert (first["version"], first["promoted"], first["refusals"]) == ("1", False, list(refused.refusals))
    assert (second["version"], second["promoted"]) == ("2", True)
    assert second["figures"]["log_loss"] < second["figures"]["auc"]
    assert (first["decided_at"], second["decided_at"]) == ("2018-01-01T00:00:00Z", "2018-01-02T00:00:00Z")

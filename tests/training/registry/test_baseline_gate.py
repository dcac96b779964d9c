"""Whether the test shows that the model ranks customers better than a regression on RFM."""

from __future__ import annotations

import pytest

from tests.training.judged import shown
from tests.training.trained import bundle
from training.registry.baseline_gate import against_rfm, no_better_than_rfm
from training.registry.gates import decide_promotion


def _figures(auc: float, low: float, high: float) -> dict[str, float]:
    return {"difference/rfm/auc": auc, "difference/rfm/auc_low": low, "difference/rfm/auc_high": high}


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        (_figures(0.01, 0.002, 0.02), "better"),
        (_figures(0.002, -0.004, 0.008), "no_difference"),
        (_figures(-0.01, -0.02, -0.002), "worse"),
        (_figures(0.01, float("nan"), float("nan")), "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_interval_of_the_difference_decides(figures: dict[str, float], verdict: str) -> None:
    assert against_rfm(figures) == verdict
    assert len([*no_better_than_rfm(figures)]) == (verdict in ("no_difference", "worse"))


def test_a_model_that_is_not_shown_to_rank_better_is_promoted_with_a_warning_in_plain_words() -> None:
    decision = decide_promotion(bundle(), shown(**_figures(0.002, -0.004, 0.008)), None)
    assert decision.promoted
    (warning,) = [one for one in decision.warnings if one.startswith("rfm: ")]
    assert "does not show that the model ranks customers better than a logistic regression" in warning
    assert "(AUC +0.002, 95% interval -0.004 to +0.008, which holds 0)" in warning
    (japanese,) = [one for one in decision.japanese if one.startswith("RFM：")]
    assert "-0.004〜+0.008で0を含む" in japanese
    better = decide_promotion(bundle(), shown(**_figures(0.01, 0.002, 0.02)), None)
    assert not any(one.startswith("rfm: ") for one in better.warnings)

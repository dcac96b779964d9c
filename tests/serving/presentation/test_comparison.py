"""The verdict on two configurations in words, in both languages."""

from __future__ import annotations

import pytest

from serving.presentation.models.comparison import files_lines, verdict_line
from serving.project.changed_settings import ChangedSetting
from training.comparison import ComparedRows, PairedComparison, PairedDifference, Verdict
from training.configuration_comparison import AddedFeature, ConfigurationComparison

Interval = tuple[float | None, float | None, Verdict]


def _found(verdict: str, auc: Interval, loss: Interval, *, identical: bool = False) -> PairedComparison:
    differences = tuple(
        PairedDifference(metric, 0.7, 0.71, 0.01, *ends)
        for metric, ends in (("auc", auc), ("log_loss", loss), ("expected_calibration_error", loss))
    )
    rows = ComparedRows("all", 1_000, 100, differences)
    return PairedComparison("refitted", verdict, identical, rows, (rows,), ())  # type: ignore[arg-type]


NOTHING: Interval = (-0.003, 0.005, "no_difference")


@pytest.mark.parametrize(
    ("found", "english", "japanese"),
    [
        (
            _found("better", (0.004, 0.012, "better"), NOTHING),
            "b.toml is better than a.toml: AUC higher by 0.0040 to 0.0120, log loss between 0.0030 lower and "
            "0.0050 higher (95% intervals).",
            "b.tomlの方がa.tomlより優れています：AUCが0.0040〜0.0120高い、対数損失の差が−0.0030〜+0.0050"
            "（95%信頼区間）。",
        ),
        (
            _found("worse", (-0.012, -0.004, "worse"), (0.001, 0.002, "worse")),
            "b.toml is worse than a.toml: AUC lower by 0.0040 to 0.0120, log loss higher by 0.0010 to 0.0020 "
            "(95% intervals).",
            "b.tomlの方がa.tomlより劣っています：AUCが0.0040〜0.0120低い、対数損失が0.0010〜0.0020高い"
            "（95%信頼区間）。",
        ),
        (
            _found("no_difference", NOTHING, NOTHING),
            "No difference between a.toml and b.toml can be seen. Of b.toml: AUC between 0.0030 lower and "
            "0.0050 higher, log loss between 0.0030 lower and 0.0050 higher (95% intervals).",
            "a.tomlとb.tomlに差は見られません。b.tomlはAUCの差が−0.0030〜+0.0050、対数損失の差が"
            "−0.0030〜+0.0050（95%信頼区間）。",
        ),
        (
            _found("unknown", (None, None, "unknown"), (None, None, "unknown")),
            "Nothing can be said of a.toml and b.toml: too few of these customers left, or too few stayed.",
            "a.tomlとb.tomlの差は判定できません：離反した顧客か継続した顧客が少なすぎます。",
        ),
        (
            _found("no_difference", NOTHING, NOTHING, identical=True),
            "a.toml and b.toml give every customer the same probability: what differs between them does not "
            "reach the churn model.",
            "a.tomlとb.tomlの離反確率は全員同じです：設定の違いは離反モデルに影響していません。",
        ),
    ],
)
def test_the_verdict_is_a_sentence(found: PairedComparison, english: str, japanese: str) -> None:
    assert verdict_line(found, "a.toml", "b.toml", "en") == english
    assert verdict_line(found, "a.toml", "b.toml", "ja") == japanese


def test_two_files_are_told_by_what_differs_between_them_and_by_date() -> None:
    found = ConfigurationComparison(
        _found("better", (0.004, 0.012, "better"), NOTHING),
        "low",
        tuple(f"usage_{n}" for n in range(10)),
        (AddedFeature("web_share", 0.2, 5, 130, False), AddedFeature("wev_share", 0.0, 130, 130, True)),
    )
    changed = (
        ChangedSetting("features.windows", None, "[7, 30]"),
        ChangedSetting("features.add.web_share", None, "days = 90"),
    )
    lines = [*files_lines(found, changed, "a.toml", "b.toml", "en")]
    assert lines[1].startswith("evidence: low")
    assert lines[2:6] == [
        "  features.windows: default → [7, 30]",
        "  features.add.web_share: – → days = 90",
        "  only in a.toml, 10 features: usage_0, usage_1, usage_2, usage_3, usage_4, usage_5, usage_6, "
        "usage_7 and 2 more",
        "  only in b.toml, 2 features: web_share (effect on the risk: 5 of 130), wev_share (the same for "
        "every customer: does its stream select any event?)",
    ]
    assert "  AUC: 0.7000 → 0.7100  +0.0100 [+0.0040, +0.0120]" in lines
    assert lines[-1].split() == [
        "all",
        "1,000",
        "100",
        "+0.0100",
        "[+0.0040,",
        "+0.0120]",
        "+0.0100",
        "[-0.0030,",
        "+0.0050]",
    ]

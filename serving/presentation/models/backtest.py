"""How right the scores of a past day were, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.training import COLUMNS

if TYPE_CHECKING:
    from training.backtest import JudgedBacktest, JudgedMetric


def judgement_lines(found: JudgedBacktest, decided: str, covered_until: str, language: str) -> Iterator[str]:
    """AUC, log loss and calibration error with 95 % intervals, or until when the outcome is open."""
    if found.churners is None:
        yield in_language(
            language,
            f"Who left is decided on {decided}, and the events reach until {covered_until}: "
            "the column churned is empty. Ingest what follows, or give an earlier day.",
            f"離反の判定は{decided}に決まりますが、イベントは{covered_until}までしかないため、"
            "列churnedは空です。続きを取り込むか、より前の日付を指定してください。",
        )
        return
    customers = found.table.num_rows
    yield in_language(
        language,
        f"Until {decided} {found.churners:,} of {customers:,} left ({found.churners / customers:.1%}; "
        f"{found.mean_probability:.1%} were expected).",
        f"{decided}までに{customers:,}名中{found.churners:,}名が離反しました"
        f"（{found.churners / customers:.1%}、予測は{found.mean_probability:.1%}）。",
    )
    metrics = {one.name: one for one in found.metrics}
    for title, name in COLUMNS:
        yield f"  {in_language(language, *title)}: {_with_interval(metrics[name])}"
    if found.calibration_noise is not None:
        yield in_language(
            language,
            f"  right probabilities would show a calibration error of {found.calibration_noise:.3f} among "
            "so many",
            f"  確率が正しくても、この人数では偶然だけで{found.calibration_noise:.3f}ずれます",
        )


def _with_interval(metric: JudgedMetric) -> str:
    if metric.value is None:
        return "–"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"

"""How right the scores of a past day were, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.i18n import amount_range, money
from serving.presentation.training import COLUMNS
from serving.schemas.lifetime_words import level_range_words, lifetime_words, shows_value

if TYPE_CHECKING:
    from training.backtest import JudgedBacktest, JudgedMetric
    from training.evaluation.lifetime_backtest import JudgedLifetimeValue


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


def lifetime_lines(
    judged: Sequence[JudgedLifetimeValue], decided: Sequence[str], currency: str | None, language: str
) -> Iterator[str]:
    """What was expected of lifetime value and what was spent, or until when that is open; `decided` are the
    days on which the months of each end."""
    for one, day in zip(judged, decided, strict=True):
        name = lifetime_words(one.months, "", language)
        interval = amount_range(one.low, one.high, currency, language)
        expected = money(one.expected, currency, language)
        if not shows_value(one.evidence):
            expectation = in_language(
                language,
                f"{interval} expected ({level_range_words(language)}, low evidence)",
                f"予測{interval}（{level_range_words(language)}、根拠は限定的）",
            )
        else:
            expectation = in_language(
                language,
                f"{expected} expected ({level_range_words(language)}: {interval})",
                f"予測{expected}（{level_range_words(language)}：{interval}）",
            )
        if one.spent is None:
            column = f"spent_{one.months}_months"
            yield in_language(
                language,
                f"{name}: {expectation}; the column {column} is empty until the events reach {day}.",
                f"{name}：{expectation}。列{column}は、イベントが{day}に達するまで空です。",
            )
            continue
        spent = money(one.spent, currency, language)
        yield in_language(
            language,
            f"{name}: {expectation}, {spent} spent until {day}{_error(one)}.",
            f"{name}：{expectation}、{day}までの実績{spent}{_error(one, '（{}）')}。",
        )
        if one.coverage is not None and one.normalised_gini is not None:
            yield in_language(
                language,
                f"  {one.coverage:.0%} of customers spent within their 80% interval; normalised Gini "
                f"{one.normalised_gini:.3f}",
                f"  顧客の{one.coverage:.0%}が80%区間に収まりました"
                f"（正規化ジニ係数{one.normalised_gini:.3f}）",
            )


def _error(one: JudgedLifetimeValue, around: str = " ({})") -> str:
    """How far the expected total lies off; not told of a level that was not known."""
    if one.total_error is None or not shows_value(one.evidence):
        return ""
    return around.format(f"{one.total_error:+.1%}")


def _with_interval(metric: JudgedMetric) -> str:
    if metric.value is None:
        return "–"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"

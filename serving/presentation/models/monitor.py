"""Earlier scores beside what happened, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator

from features.catalog.display_names import in_language
from serving.presentation.i18n import money, percent
from serving.schemas.monitor_responses import MonitorReply
from training.monitoring.records import (
    CalibrationAlarm,
    DatePerformance,
    DriftResult,
    GroupCalibration,
    IntervalEstimate,
    ListPerformance,
    Severity,
    UnjudgedDate,
    UnjudgedReason,
    ValueComparison,
)

SHOWN = 6
"""Matured dates of which the lines tell, the newest; the JSON has all."""
SEVERITY_WORDS: dict[Severity, tuple[str, str]] = {
    "high": ("high", "重大"),
    "medium": ("medium", "中"),
    "low": ("low", "軽微"),
}
REASONS: dict[UnjudgedReason, tuple[str, str]] = {
    "not_matured": (
        "its horizon ends on {day}, and the data does not reach that far",
        "予測期間は{day}に終わりますが、データがまだそこまで届いていません",
    ),
    "learned_from_later": (
        "its model was trained on events after that day and had seen who left",
        "その日より後のイベントで学習したモデルのため、結果を知った上での予測です",
    ),
    "unreadable": (
        "the score file or its model is missing or damaged",
        "スコアファイルまたはモデルが失われているか壊れています",
    ),
    "nobody": ("nobody is left to judge it by", "判定できる顧客が残っていません"),
}


def monitor_lines(found: MonitorReply, currency: str | None, language: str) -> Iterator[str]:
    """The newest matured dates with their figures, and why other dates cannot be judged."""
    if not found.dates:
        yield in_language(
            language,
            "No earlier scores have matured yet: who left is decided when their horizon is over.",
            "予測期間が終わったスコアはまだありません。離反の判定は期間が終わってから決まります。",
        )
    for alarm in found.alarms:
        yield alarm_text(alarm, currency, language)
    if found.dates and not found.alarms:
        yield in_language(
            language,
            "No alarm: observed and expected leavers agree within chance and the level's stated uncertainty.",
            "警報なし：離反者数の実績と予測の差は、偶然と水準の不確かさの範囲内です。",
        )
    if found.drift is not None:
        yield from drift_lines(found.drift, language)
    for one in found.dates[:SHOWN]:
        yield from _date_lines(one, currency, language)
    if (rest := len(found.dates) - SHOWN) > 0:
        yield in_language(
            language, f"{rest:,} earlier dates are in the JSON.", f"それ以前の{rest:,}日分はJSONにあります。"
        )
    for missed in found.unjudged[:SHOWN]:
        yield _unjudged_line(missed, language)


def _date_lines(one: DatePerformance, currency: str | None, language: str) -> Iterator[str]:
    found = one.performance
    expected, share = found.expected_leavers / found.customers, found.leavers / found.customers
    yield in_language(
        language,
        f"{one.as_of} (model {one.model_version}): until {one.matured} {found.leavers:,} of "
        f"{found.customers:,} left ({percent(share)}; {percent(expected)} were expected).",
        f"{one.as_of}（モデル{one.model_version}）：{one.matured}までに{found.customers:,}名中"
        f"{found.leavers:,}名が離反しました（{percent(share)}、予測は{percent(expected)}）。",
    )
    ratio = interval_text(found.observed_to_expected, 2)
    yield in_language(language, f"  observed ÷ expected: {ratio}", f"  実績÷予測：{ratio}")
    for title, figure in (
        (("AUC", "AUC"), found.auc),
        (("log loss", "対数損失"), found.log_loss),
        (("calibration error", "確率のずれ"), found.calibration_error),
    ):
        yield f"  {in_language(language, *title)}: {interval_text(figure, 3)}"
    noise = f"{found.calibration_noise:.3f}"
    yield in_language(
        language,
        f"  right probabilities would show a calibration error of {noise} among so many",
        f"  確率が正しくても、この人数では偶然だけで{noise}ずれます",
    )
    yield from (_group_line(band_words(band, language), band, language) for band in found.bands)
    yield from (_group_line(arm.group, arm, language) for arm in found.arms)
    if found.shown is not None:
        yield _list_line(found.shown, language)
    if found.value_lost is not None:
        name = in_language(language, "value at risk and lost", "失われうる金額と失われた金額")
        yield _value_line(name, found.value_lost, currency, language)
    if found.spent_by_stayers is not None:
        name = in_language(language, "spend of those who stayed", "残った顧客の利用額")
        yield _value_line(name, found.spent_by_stayers, currency, language)
    if one.treated or one.missing:
        yield in_language(
            language,
            f"  apart: {one.treated:,} treated by campaigns, {one.missing:,} without any event now",
            f"  別扱い：施策の対象{one.treated:,}名、イベントがなくなった顧客{one.missing:,}名",
        )


def alarm_text(alarm: CalibrationAlarm, currency: str | None, language: str) -> str:
    """An alarm in one sentence: who, by how much, since when, and the money at stake."""
    if alarm.group == "everyone":
        group = in_language(language, "all customers", "全顧客")
    else:
        group = in_language(language, f"risk band {alarm.group}", f"リスク帯{alarm.group}")
    severity = in_language(language, *SEVERITY_WORDS[alarm.severity])
    figures = f"{alarm.observed_to_expected:.2f} [{alarm.low:.2f}, {alarm.high:.2f}]"
    at_stake = ""
    if alarm.money is not None:
        amount = money(abs(alarm.money), currency, language)
        at_stake = in_language(
            language, f"; {amount} a date at stake", f"、1回のスコアにつき{amount}に相当します"
        )
    more = alarm.direction == "more"
    return in_language(
        language,
        f"ALARM ({severity}): {'more' if more else 'fewer'} of {group} leave than model "
        f"{alarm.model_version} says; observed ÷ expected {figures} over {alarm.dates:,} dates, "
        f"first seen on the scores of {alarm.since}{at_stake}.",
        f"警報（{severity}）：{group}の離反がモデル{alarm.model_version}の予測より"
        f"{'多く' if more else '少なく'}なっています。実績÷予測{figures}（{alarm.dates:,}日分）、"
        f"{alarm.since}のスコアから{at_stake}。",
    )


def drift_lines(drift: DriftResult, language: str) -> Iterator[str]:
    """Which columns moved further than usual, and what that did to the scores."""
    moved = [one for one in drift.drifted if not one.seasonal]
    season = len(drift.drifted) - len(moved)
    effect = sum(one.contribution for one in moved)
    yield in_language(
        language,
        f"Drift on {drift.as_of}: {len(moved):,} of {drift.columns:,} columns moved further than usual, "
        f"{season:,} more by the season; they moved the average log-odds by {effect:+.3f} of "
        f"{drift.margin_shift:+.3f} (average probability {percent(drift.probability_before)} before, "
        f"{percent(drift.probability_now)} now).",
        f"{drift.as_of}のドリフト：{drift.columns:,}列中{len(moved):,}列が普段より大きく動きました"
        f"（ほかに季節によるもの{season:,}列）。平均対数オッズへの影響は{effect:+.3f}"
        f"（全体{drift.margin_shift:+.3f}、"
        f"平均確率は{percent(drift.probability_before)}から{percent(drift.probability_now)}へ）。",
    )
    for one in moved[:SHOWN]:
        shift, usual = _number(one.shift), _number(one.usual_shift)
        yield in_language(
            language,
            f"  {one.column}: shift {shift} (usual {usual}), PSI {_number(one.psi)} (usual "
            f"{_number(one.usual_psi)}), log-odds {one.contribution:+.3f}",
            f"  {one.column}：ずれ{shift}（普段{usual}）、PSI {_number(one.psi)}"
            f"（普段{_number(one.usual_psi)}）、対数オッズ{one.contribution:+.3f}",
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def interval_text(estimate: IntervalEstimate, digits: int) -> str:
    """A figure with its 95 % interval: 0.912 [0.901, 0.923]; – where it is undefined."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def band_words(band: GroupCalibration, language: str) -> str:
    """A risk band with the probabilities of its customers."""
    span = f"{percent(band.lowest_probability)}–{percent(band.highest_probability)}"
    return in_language(language, f"risk band {band.group} ({span})", f"リスク帯{band.group}（{span}）")


def _group_line(name: str, group: GroupCalibration, language: str) -> str:
    ratio = interval_text(group.observed_to_expected, 2)
    return in_language(
        language,
        f"    {name}: {group.leavers:,} of {group.customers:,} left, {group.expected_leavers:,.0f} expected; "
        f"{ratio}",
        f"    {name}：{group.customers:,}名中{group.leavers:,}名が離反、予測{group.expected_leavers:,.0f}名、"
        f"{ratio}",
    )


def _list_line(shown: ListPerformance, language: str) -> str:
    precision, lift = interval_text(shown.precision, 3), interval_text(shown.lift, 2)
    if shown.source == "plan":
        name = in_language(language, "the plan", "計画")
    else:
        name = in_language(language, "the list", "リスト")
    return in_language(
        language,
        f"  {name}: {shown.leavers:,} of {shown.customers:,} left ({precision}; lift {lift}); "
        f"{shown.treated:,} of them were treated",
        f"  {name}：{shown.customers:,}名中{shown.leavers:,}名が離反（{precision}、リフト{lift}）、"
        f"うち施策の対象{shown.treated:,}名",
    )


def _value_line(name: str, value: ValueComparison, currency: str | None, language: str) -> str:
    predicted, observed = (money(one, currency, language) for one in (value.predicted, value.observed))
    ratio = interval_text(value.observed_to_predicted, 2)
    return in_language(
        language,
        f"  {name}: {predicted} expected, {observed} came; {ratio}",
        f"  {name}：予測{predicted}、実績{observed}、{ratio}",
    )


def _unjudged_line(one: UnjudgedDate, language: str) -> str:
    english, japanese = REASONS[one.reason]
    return in_language(
        language,
        f"{one.as_of} (model {one.model_version}): not judged, {english.format(day=one.matures)}.",
        f"{one.as_of}（モデル{one.model_version}）：判定できません。{japanese.format(day=one.matures)}。",
    )

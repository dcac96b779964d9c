"""What a survey found, as the plain data of the report: every measure with its interval and comparisons."""

from __future__ import annotations

import math
from typing import Any

from features.catalog.display_names import in_language
from features.events.schema import REFUND
from serving.presentation.lists import tier_name
from serving.reports.aggregates import Estimate
from serving.reports.behaviour_attitude import axes
from serving.reports.compute import ReportData
from serving.reports.customer_metrics import OUTSIDE
from serving.reports.metric_definitions import MEASURES, REASONS, MetricDefinition, RequiredInput

Reply = dict[str, Any]

CUTS = {
    "all": ("all", "全体"),
    "channel": ("channel", "チャネル"),
    "place": ("place", "店舗・担当"),
    "detail": ("subject", "対象・用件"),
    "tier": ("tier", "エンゲージメント階層"),
}


def reply(survey: ReportData, language: str) -> Reply:
    """The report in one language."""
    when, timeline, newest = survey.periods, survey.question.timeline, survey.question.newest
    return {
        "as_of": timeline.name(survey.question.as_of),
        "period": when.period.name,
        "months": when.count,
        "previous_period": _named(survey, when.previous),
        "last_year_period": _named(survey, when.last_year),
        "model_version": survey.question.model_version,
        "data_version": survey.data_version,
        "freshness": None if newest is None else timeline.name(newest),
        "measures": [_measure(survey, measure, language) for measure in MEASURES],
        "tier_flow": _flow(survey, language),
        "axes": axes(survey, language),
    }


def missing(survey: ReportData, measure: MetricDefinition, language: str) -> str | None:
    """Which events a measure needs and the record does not have, None where it has all."""
    for need in measure.needs:
        kinds = kinds_of(survey, need)
        events, valued, detailed = survey.inputs.of(kinds)
        named = ", ".join(kinds)
        if not events:
            return _word(language, f"needs events of {named}", f"{named} のイベントが必要です")
        if need.value and not valued:
            return _word(
                language,
                f"needs {named} with a value: {need.value}",
                f"{named} に value（{_VALUES.get(need.value, need.value)}）が必要です",
            )
        if need.detail and not detailed:
            return _word(
                language,
                f"needs {named} with a detail: {need.detail}",
                f"{named} に detail（{_VALUES.get(need.detail, need.detail)}）が必要です",
            )
    if measure.name == "tier_share" and survey.question.bundle is None:
        return _word(
            language,
            "needs a champion model: run `kizuna train`, then `kizuna score`",
            "採用中のモデルが必要です。`kizuna train`、続けて `kizuna score` を実行してください",
        )
    return None


_VALUES = {
    "the answer from 0 to 10": "0〜10の回答",
    "the answer from 1 to 5": "1〜5の回答",
    "minutes": "利用時間（分）",
    "minutes to answer": "回答までの時間（分）",
    "the amount": "金額",
    "the reach of the post": "投稿のリーチ",
    "the feature": "機能",
    "the post": "投稿",
    "the campaign": "施策",
    "the category": "カテゴリ",
}


def kinds_of(survey: ReportData, need: RequiredInput) -> tuple[str, ...]:
    """The kinds of event that an input means in this project."""
    question = survey.question
    if need.indicator == "churn started":
        return question.churn.started_by
    if need.indicator == "contract started":
        return question.contract.started_by
    if need.indicator:
        found = [one.kinds for one in question.indicators if one.name == need.indicator]
        return tuple(kind for kind in found[0] if kind != REFUND) if found else (need.indicator,)
    return need.kinds


def change(now: Estimate | None, then: Estimate | None) -> Reply | None:
    """How a figure differs from an earlier one, with the interval of the difference."""
    if now is None or then is None:
        return None
    difference: Reply = {"value": then.value, "change": now.value - then.value}
    limits = (now.low, now.high, then.low, then.high)
    if all(limit is not None for limit in limits):
        low, high, low_then, high_then = (float(limit) for limit in limits if limit is not None)
        below = math.hypot(now.value - low, high_then - then.value)
        above = math.hypot(high - now.value, then.value - low_then)
        difference |= {"low": difference["change"] - below, "high": difference["change"] + above}
    return difference


def _measure(survey: ReportData, measure: MetricDefinition, language: str) -> Reply:
    lacks = missing(survey, measure, language)
    said: Reply = {
        "name": measure.name,
        "words": _word(language, measure.english, measure.japanese),
        "formula": _word(language, measure.formula, measure.formula_ja),
        "source": measure.source,
        "unit": measure.unit,
        "falling_is_good": measure.falling_is_good,
        "missing_input": lacks,
    }
    if lacks is not None:
        return said | {"figure": None, "by_month": [], "groups": [], "left_out": []}
    whole, *groups = survey.wholes.groups(measure.name)
    return said | {
        "figure": None if measure.name == "tier_share" else _period(survey, measure, *whole),
        "by_month": [] if measure.name == "tier_share" else _months(survey, measure, *whole),
        "groups": [
            {
                "cut": cut,
                "cut_words": cut_words(cut, language),
                "group": tier_name(group, language) if cut == "tier" else group,
                "figure": _period(survey, measure, cut, group),
                "by_month": _months(survey, measure, cut, group),
            }
            for cut, group in sorted(groups, key=lambda one: _order(survey, *one))
        ],
        "left_out": [
            {
                "reason": reason,
                "words": _word(language, *REASONS[reason]),
                "count": int(counts[survey.periods.current]),
            }
            for (name, reason), counts in survey.wholes.left_out.items()
            if name == measure.name and counts[survey.periods.current]
        ],
    }


def _order(survey: ReportData, cut: str, group: str) -> tuple[str, int, str]:
    """Tiers from the lowest to the highest, all else by name."""
    return cut, survey.tiers.index(group) if cut == "tier" else 0, group


def cut_words(cut: str, language: str) -> str:
    """What groups are groups of."""
    return cut.removeprefix("segment:") if cut.startswith("segment:") else _word(language, *CUTS[cut])


def _period(survey: ReportData, measure: MetricDefinition, cut: str, group: str) -> Reply:
    when = survey.periods

    def of(place: int) -> Estimate | None:
        covered = when.wholes.spans[place].covered
        return survey.wholes.estimate(measure.name, measure.interval, place, cut, group) if covered else None

    return _figure(of(when.current), of(when.previous), of(when.last_year))


def _months(survey: ReportData, measure: MetricDefinition, cut: str, group: str) -> list[Reply]:
    spans, board = survey.periods.months.spans, survey.months

    def of(place: int) -> Estimate | None:
        if place < 0 or not spans[place].covered:
            return None
        return board.estimate(measure.name, measure.interval, place, cut, group)

    shown = range(len(spans) - survey.periods.count, len(spans))
    return [{"month": spans[at].name} | _figure(of(at), of(at - 1), of(at - 12)) for at in shown]


def _figure(now: Estimate | None, before: Estimate | None, last_year: Estimate | None) -> Reply:
    said: Reply = dict.fromkeys(("value", "low", "high", "units", "customers"))
    return (said if now is None else vars(now)) | {
        "against_previous": change(now, before),
        "against_last_year": change(now, last_year),
    }


def _flow(survey: ReportData, language: str) -> list[Reply]:
    names = {number: tier_name(name, language) for number, name in enumerate(survey.tiers)}
    names[OUTSIDE] = _word(language, "no customer", "非顧客")
    return [
        {"from": names[before], "to": names[after], "customers": customers}
        for (before, after), customers in sorted(survey.movements.flow.items())
        if (before, after) != (OUTSIDE, OUTSIDE)
    ]


def _named(survey: ReportData, place: int) -> str | None:
    span = survey.periods.wholes.spans[place]
    return span.name if span.covered else None


def _word(language: str, english: str, japanese: str) -> str:
    return in_language(language, english, japanese)

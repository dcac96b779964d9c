"""The report as typed data in one language: every measure with its interval and comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from features.catalog.display_names import in_language
from features.events.schema import REFUND
from features.profiling.finding import CheckFinding
from serving.reports.aggregates import Estimate
from serving.reports.behaviour_attitude import cells
from serving.reports.compute import ReportData
from serving.reports.customer_metrics import OUTSIDE
from serving.reports.lifetime_groups import EARLIER, LifetimeTotal
from serving.reports.metric_definitions import (
    MEASURES,
    OF_LEAVING,
    REASONS,
    MetricDefinition,
    RequiredInput,
)
from serving.reports.periods import TimeSpan
from serving.schemas.report_responses import (
    Comparison,
    Figure,
    Flow,
    Group,
    LeftOut,
    LifetimeGroup,
    MeasureReply,
    MonthFigure,
    MonthRange,
    ReportReply,
)
from serving.schemas.terms import SEGMENT, channel_words
from training.data.coverage_findings import coverage_findings
from training.explanation.text import tier_words

CUTS = {
    "all": ("all", "全体"),
    "channel": ("channel", "チャネル"),
    "place": ("place", "店舗・担当"),
    "detail": ("subject", "対象・用件"),
    "tier": ("tier", "エンゲージメント階層"),
    "joined": ("month of joining", "利用開始月"),
}


def reply(data: ReportData, language: str) -> ReportReply:
    """The report in one language."""
    periods, timeline, newest = data.periods, data.request.timeline, data.request.newest
    return ReportReply(
        as_of=timeline.name(data.request.as_of),
        period=periods.period.name,
        months=periods.count,
        previous_period=_covered_name(data, periods.previous),
        last_year_period=_covered_name(data, periods.last_year),
        period_months=MonthRange(periods.period.first_month, periods.period.last_month),
        previous_months=_covered_months(data, periods.previous),
        last_year_months=_covered_months(data, periods.last_year),
        model_version=data.request.model_version,
        data_version=data.data_version,
        freshness=None if newest is None else timeline.name(newest),
        measures=[_measure(data, measure, language) for measure in MEASURES],
        tier_flow=_flow(data, language),
        axes=cells(data, language),
        notes=[in_language(language, one.english, one.japanese) for one in _ended(data)],
        currency=data.request.words.currency or None,
        expected_leavers=data.request.expected_leavers,
        lifetime=[_lifetime(data, one, language) for one in data.request.lifetime],
    )


def _lifetime(data: ReportData, one: LifetimeTotal, language: str) -> LifetimeGroup:
    """A group's lifetime value in words."""
    count = max(one.customers, 1)
    return LifetimeGroup(
        cut=one.cut,
        cut_words=cut_words(data, one.cut, language),
        group=one.group,
        group_words=group_words(data, one.cut, one.group, language),
        months=one.months,
        customers=one.customers,
        total=one.total,
        low=one.low,
        high=one.high,
        per_customer=one.total / count,
        per_customer_low=None if one.low is None else one.low / count,
        per_customer_high=None if one.high is None else one.high / count,
        evidence=one.evidence,
    )


def _ended(data: ReportData) -> Sequence[CheckFinding]:
    """What ended before the rest of the data."""
    coverage = data.request.coverage
    return () if coverage is None else coverage_findings(coverage)


def missing(data: ReportData, measure: MetricDefinition, language: str) -> str | None:
    """Which events a measure needs and the record does not have, None where it has all."""
    for need in measure.needs:
        kinds = kinds_of(data, need)
        events, with_value, with_detail = data.inputs.of(kinds)
        named = ", ".join(kinds)
        if not events:
            return in_language(
                language,
                f"there are no events of {named} yet: the figure shows once a source gives them",
                f"{named} のイベントがまだありません。取り込むと表示されます",
            )
        if need.value and not with_value:
            return in_language(
                language,
                f"the events of {named} have no value yet ({need.value}): the figure shows once a source "
                "gives it",
                f"{named} に value（{_VALUES.get(need.value, need.value)}）がまだありません。"
                "取り込むと表示されます",
            )
        if need.detail and not with_detail:
            return in_language(
                language,
                f"the events of {named} have no detail yet ({need.detail}): the figure shows once a source "
                "gives it",
                f"{named} に detail（{_VALUES.get(need.detail, need.detail)}）がまだありません。"
                "取り込むと表示されます",
            )
    if measure.name == "tier_share" and data.request.bundle is None:
        return in_language(
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


def kinds_of(data: ReportData, need: RequiredInput) -> tuple[str, ...]:
    """The kinds of event that an input means in this project."""
    request = data.request
    if need.indicator == "churn started":
        return request.churn.started_by
    if need.indicator == "contract started":
        return request.contract.started_by
    if need.indicator:
        kinds = [one.kinds for one in request.indicators if one.name == need.indicator]
        return tuple(kind for kind in kinds[0] if kind != REFUND) if kinds else (need.indicator,)
    return need.kinds


def change(now: Estimate | None, then: Estimate | None) -> Comparison | None:
    """How a figure differs from an earlier one, with the 95 % interval of the difference.

    Zou, G. Y., Donner, A. (2008), Construction of confidence limits about effect measures, Statistics in
    Medicine 27: the distances to the limits of the two figures are added as squares.
    """
    if now is None or then is None:
        return None
    difference = now.value - then.value
    if now.low is None or now.high is None or then.low is None or then.high is None:
        return Comparison(then.value, difference)
    below = math.hypot(now.value - now.low, then.high - then.value)
    above = math.hypot(now.high - now.value, then.value - then.low)
    return Comparison(then.value, difference, difference - below, difference + above)


def _measure(data: ReportData, measure: MetricDefinition, language: str) -> MeasureReply:
    lacks = missing(data, measure, language)
    figure: Figure | None = None
    by_month: list[MonthFigure] = []
    groups: list[Group] = []
    left_out: list[LeftOut] = []
    if lacks is None:
        whole, *parts = data.wholes.groups(measure.name)
        if measure.name != "tier_share":
            figure, by_month = _period(data, measure, *whole), _months(data, measure, *whole)
        groups = [
            Group(
                cut=cut,
                cut_words=cut_words(data, cut, language),
                group=tier_words(group, language) if cut == "tier" else group,
                group_words=group_words(data, cut, group, language),
                figure=_period(data, measure, cut, group),
                by_month=_months(data, measure, cut, group),
            )
            for cut, group in sorted(parts, key=lambda part: _order(data, *part))
        ]
        left_out = [
            LeftOut(reason, in_language(language, *REASONS[reason]), int(counts[data.periods.current]))
            for (name, reason), counts in data.wholes.left_out.items()
            if name == measure.name and counts[data.periods.current]
        ]
    return MeasureReply(
        name=measure.name,
        words=in_language(language, measure.english, measure.japanese),
        formula=in_language(language, measure.formula, measure.formula_ja),
        source=measure.source,
        unit=measure.unit,
        falling_is_good=measure.falling_is_good,
        missing_input=lacks,
        figure=figure,
        by_month=by_month,
        groups=groups,
        left_out=left_out,
    )


def _order(data: ReportData, cut: str, group: str) -> tuple[str, int, str]:
    """Tiers from the lowest to the highest, all else by name."""
    return cut, data.tiers.index(group) if cut == "tier" else 0, group


def cut_words(data: ReportData, cut: str, language: str) -> str:
    """What a cut divides by; an attribute by the words that the project declares, else by its name."""
    if not cut.startswith(SEGMENT):
        return in_language(language, *CUTS[cut])
    return data.request.words.attribute(cut.removeprefix(SEGMENT), language)


def group_words(data: ReportData, cut: str, group: str, language: str) -> str:
    """A group as people call it, by what it is cut by."""
    words = data.request.words
    if cut.startswith(SEGMENT):
        return words.value(cut.removeprefix(SEGMENT), group, language)
    match cut:
        case "all":
            return in_language(language, "all customers", "全顧客")
        case "joined":
            return in_language(language, "earlier", "それ以前") if group == EARLIER else group
        case "tier":
            return tier_words(group, language)
        case "channel":
            return channel_words(group, language)
        case "place":
            return words.place(group, language)
        case _:
            return words.detail(group, language)


def _period(data: ReportData, measure: MetricDefinition, cut: str, group: str) -> Figure:
    periods = data.periods

    def estimate(place: int) -> Estimate | None:
        span = periods.wholes.spans[place]
        if not _is_known(data, measure, span):
            return None
        return data.wholes.estimate(measure.name, measure.interval, place, cut, group)

    now = estimate(periods.current)
    against = change(now, estimate(periods.previous)), change(now, estimate(periods.last_year))
    if now is None:
        return Figure(None, None, None, None, None, *against)
    return Figure(now.value, now.low, now.high, now.units, now.customers, *against)


def _months(data: ReportData, measure: MetricDefinition, cut: str, group: str) -> list[MonthFigure]:
    spans, sums = data.periods.months.spans, data.months

    def estimate(place: int) -> Estimate | None:
        if place < 0 or not _is_known(data, measure, spans[place]):
            return None
        return sums.estimate(measure.name, measure.interval, place, cut, group)

    def month(place: int) -> MonthFigure:
        name, now = spans[place].name, estimate(place)
        against = change(now, estimate(place - 1)), change(now, estimate(place - 12))
        if now is None:
            return MonthFigure(name, None, None, None, None, None, *against)
        return MonthFigure(name, now.value, now.low, now.high, now.units, now.customers, *against)

    return [month(place) for place in range(len(spans) - data.periods.count, len(spans))]


def _is_known(data: ReportData, measure: MetricDefinition, span: TimeSpan) -> bool:
    """Whether the record says what a measure was over a span."""
    return span.covered and not (_ends_too_late(data, measure, span) or _ends_too_early(data, measure, span))


def _ends_too_early(data: ReportData, measure: MetricDefinition, span: TimeSpan) -> bool:
    """Whether a span ends before anybody of the record can have been silent long enough to have left.

    Retention would be 100 % in the first months of every record.
    """
    churn = data.request.churn
    if churn.type == "contract" or measure.name not in OF_LEAVING:
        return False
    return churn.active_since(span.end) <= data.periods.oldest


def _ends_too_late(data: ReportData, measure: MetricDefinition, span: TimeSpan) -> bool:
    """Whether a span ends where the events that say who left do not reach."""
    coverage = data.request.coverage
    return coverage is not None and measure.name in OF_LEAVING and span.end > coverage.day_after


def _flow(data: ReportData, language: str) -> list[Flow]:
    names = {number: tier_words(name, language) for number, name in enumerate(data.tiers)}
    names[OUTSIDE] = in_language(language, "no customer", "非顧客")
    if all(before == OUTSIDE for before, _ in data.movements.flow):
        return []  # the record begins with the period: there is nobody to have moved
    return [
        {"from": names[before], "to": names[after], "customers": customers}
        for (before, after), customers in sorted(data.movements.flow.items())
        if (before, after) != (OUTSIDE, OUTSIDE)
    ]


def _covered_name(data: ReportData, place: int) -> str | None:
    span = data.periods.wholes.spans[place]
    return span.name if span.covered else None


def _covered_months(data: ReportData, place: int) -> MonthRange | None:
    span = data.periods.wholes.spans[place]
    return MonthRange(span.first_month, span.last_month) if span.covered else None

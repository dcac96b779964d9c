"""What the report shows of a measure: words, formats and charts, for the HTML file and the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from serving.reports.metric_definitions import OF_LEAVING
from serving.reports.rendering.svg_charts import dots, line, sparkline
from serving.schemas.report_responses import Comparison, Group, MeasureReply, MonthFigure
from training.explanation.quantities import WHOLE, with_currency

GLANCE = (
    "active_customers", "churn_rate", "churned_value_rate", "nps", "csat", "repeat_rate", "active_days",
    "inquiries_per_100", "response_rate", "value_per_customer",
)  # fmt: skip
MOST_GROUPS = 12
"""Groups of one cut shown as dots, those with the most customers first."""

WORDS = {
    "title": ("Engagement report", "顧客エンゲージメント レポート"),
    "glance": ("At a glance", "主要指標"),
    "previous": ("vs previous period", "前期比"),
    "last_year": ("vs last year", "前年同期比"),
    "customers": ("customers", "名"),
    "legend": (
        "Grey: the change lies within its 95% interval. In the charts the band is the 95% interval, the "
        "dashed line the same months a year earlier.",
        "増減の灰色は95%区間に0を含むもの（誤差の範囲）です。グラフの帯は95%区間、破線は前年同月です。",
    ),
    "measures": ("Measure by measure", "指標別の推移と内訳"),
    "axes": ("What they do and what they say", "行動と評価の2軸"),
    "axes_note": (
        "Customers now; churn rate (95% interval) and spending of those who were in the cell when the period "
        "began, and how many they were: below 30 without colour, since it may be chance. Behaviour and "
        "attitude stand side by side and are never blended.",
        "人数は期末時点。離反率（95%区間）と購買額は期首にその区分にいた顧客の実績です。"
        "期首の人数が30名未満なら偶然の影響が大きいため、色を付けていません。"
        "行動と評価は合成せず並べて示します。",
    ),
    "flow": ("Flow between tiers", "階層間の移動"),
    "flow_note": (
        "Customers by tier at the start (rows) and at the end (columns) of the period.",
        "行は期首、列は期末の階層（人数）です。",
    ),
    "missing": ("Missing input", "不足しているデータ"),
    "left_out": ("not counted", "集計対象外"),
    "churn": ("churn", "離反率"),
    "value": ("per customer", "1人あたり"),
    "at_start": ("at the start", "期首の人数"),
    "empty": ("no data in this period", "この期間のデータはありません"),
}  # fmt: skip


def lacks_start(measure: MeasureReply) -> bool:
    """Whether a measure of those present at the start has figures of months and none of the whole."""
    known = measure.figure is not None and measure.figure.value is not None
    return measure.name in OF_LEAVING and not known and any(one.value is not None for one in measure.by_month)


def newest_month(measure: MeasureReply) -> MonthFigure | None:
    """The newest month that has a figure, None where none has."""
    return next((month for month in reversed(measure.by_month) if month.value is not None), None)


def format_figure(unit: str, currency: str | None = None, language: str = "en") -> Callable[[float], str]:
    """The function that writes a number of this unit; an amount with its currency where there is one."""

    def format_number(value: float) -> str:
        if unit == "amount" and currency:
            shown = f"{value:,.0f}" if abs(value) >= 100 or currency in WHOLE else f"{value:,.2f}"
            return with_currency(shown, currency, language)
        if unit == "share":
            return f"{value:.1%}" if abs(value) >= 0.02 or value == 0 else f"{value:.2%}"
        if unit == "score":
            return f"{value:+.1f}"
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"

    return format_number


def format_change(unit: str, currency: str | None = None, language: str = "en") -> Callable[[float], str]:
    """The function that writes the difference of two such numbers: of shares in points, with its sign."""

    def format_difference(by: float) -> str:
        if unit in ("share", "score"):
            points = by * 100 if unit == "share" else by
            return f"{points:+.2f} pt" if abs(points) < 0.1 else f"{points:+.1f} pt"
        return f"{'+' if by > 0 else ''}{format_figure(unit, currency, language)(by)}"

    return format_difference


def is_sure(change: Comparison) -> bool:
    """Whether a change lies outside its 95 % interval."""
    return change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)


def is_unsure(change: Comparison) -> bool:
    """Whether a change has an interval and lies within it."""
    return change.low is not None and not is_sure(change)


def tone(measure: MeasureReply, change: Comparison) -> str:
    """`good`, `bad`, or `soft` for a change within its interval."""
    if not is_sure(change):
        return "soft"
    return "good" if (change.change > 0) != measure.falling_is_good else "bad"


def month_chart(measure: MeasureReply, format_number: Callable[[float], str]) -> str:
    """The measure by month with its interval, and the same months a year earlier; empty without months."""
    months = measure.by_month
    if not months:
        return ""
    before = [None if m.against_last_year is None else m.against_last_year.value for m in months]
    band = ([m.low for m in months], [m.high for m in months])
    names, values = [m.month for m in months], [m.value for m in months]
    return line(names, values, band, before, format_number, measure.words)


def month_sparkline(measure: MeasureReply) -> str:
    """The same in the size of a word."""
    months = measure.by_month
    before = [None if m.against_last_year is None else m.against_last_year.value for m in months]
    return sparkline([m.value for m in months], before, measure.words)


def group_charts(
    measure: MeasureReply, format_number: Callable[[float], str]
) -> Iterator[tuple[str, str, str]]:
    """For each cut its name, its words and the chart of its groups, those with the most customers."""
    cuts: dict[tuple[str, str], list[Group]] = {}
    for group in measure.groups:
        if group.figure.value is not None and group.group:
            cuts.setdefault((group.cut, group.cut_words), []).append(group)
    for (cut, words), groups in cuts.items():
        largest = sorted(groups, key=lambda group: -(group.figure.units or 0))[:MOST_GROUPS]
        rows = [
            (group.group_words, group.figure.value, group.figure.low, group.figure.high)
            for group in largest
            if group.figure.value is not None
        ]
        yield cut, words, dots(rows, format_number, f"{measure.words} · {words}")

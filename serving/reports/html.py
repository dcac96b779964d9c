"""The report as one HTML page without scripts, links or images: charts are inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from features.catalog.display_names import in_language
from serving.reports.svg_charts import dots, line
from serving.schemas.report_responses import Cell, Comparison, Group, MeasureReply, ReportReply
from training.explanation.quantities import WHOLE, with_currency

GLANCE = (
    "active_customers", "churn_rate", "churned_value_rate", "nps", "csat", "repeat_rate", "active_days",
    "inquiries_per_100", "response_rate", "value_per_customer",
)  # fmt: skip
MOST_GROUPS = 12
"""Groups of one cut shown as dots, those with the most customers first."""

Translate = Callable[[str], str]
"""From a name in `WORDS` to the words of the page's language."""

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
        "Customers now; churn rate and spending of those who were in the cell when the period began. "
        "Behaviour and attitude stand side by side and are never blended.",
        "人数は期末時点。解約率と購買額は期首にその区分にいた顧客の実績です。行動と評価は合成せず並べて示します。",
    ),
    "flow": ("Flow between tiers", "階層間の移動"),
    "flow_note": (
        "Customers by tier at the start (rows) and at the end (columns) of the period.",
        "行は期首、列は期末の階層（人数）です。",
    ),
    "missing": ("Missing input", "不足しているデータ"),
    "left_out": ("not counted", "集計対象外"),
    "churn": ("churn", "解約率"),
    "value": ("per customer", "1人あたり"),
    "empty": ("no data in this period", "この期間のデータはありません"),
}  # fmt: skip


def page(report: ReportReply, language: str) -> str:
    """The whole page."""
    style = files("serving.reports").joinpath("report.css").read_text(encoding="utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'

    def word(name: str) -> str:
        return in_language(language, *WORDS[name])

    measures = {measure.name: measure for measure in report.measures if measure.missing_input is None}
    parts = [
        f'<!doctype html><html lang="{language}"><head>{head}',
        f"<title>{word('title')} {report.period}</title><style>{style}</style></head><body><main>",
        f'<h1>{word("title")}</h1><p class="soft">{report.period} · {_compared(report, word)}</p>',
        *(f"<p><strong>{escape(note)}</strong></p>" for note in report.notes),
        f'<p class="soft">{word("legend")}</p>',
        f'<h2>{word("glance")}</h2><div class="cards">',
        *(_card(measures[name], word, report.currency, language) for name in GLANCE if name in measures),
        "</div>",
        *_axes(report.axes, word, format_figure("amount", report.currency, language)),
        *_flow(report, word),
        f'<h2>{word("measures")}</h2><div class="grid2">',
        *(_section(measure, word) for measure in measures.values()),
        "</div>",
        *_missing(report, word),
        "</main></body></html>",
    ]
    return "".join(parts)


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


def _compared(report: ReportReply, word: Translate) -> str:
    pairs = ((word("previous"), report.previous_period), (word("last_year"), report.last_year_period))
    return " · ".join(f"{name}: {period}" for name, period in pairs if period)


def _card(measure: MeasureReply, word: Translate, currency: str | None, language: str) -> str:
    """A measure's figure of the period in large type; empty where the period has none."""
    figure, format_number = measure.figure, format_figure(measure.unit, currency, language)
    change = format_change(measure.unit, currency, language)
    if figure is None or figure.value is None:
        return ""
    interval = (
        ""
        if figure.low is None or figure.high is None
        else f"{format_number(figure.low)} – {format_number(figure.high)} · "
    )
    deltas = _delta(measure, figure.against_previous, word("previous"), change)
    deltas += _delta(measure, figure.against_last_year, word("last_year"), change)
    return (
        f'<div class="card"><h3>{escape(measure.words)}</h3>'
        f'<div class="big">{format_number(figure.value)}</div>'
        f'<div class="soft">{interval}{figure.customers:,} {word("customers")}</div>{deltas}</div>'
    )


def _delta(
    measure: MeasureReply, change: Comparison | None, name: str, format_difference: Callable[[float], str]
) -> str:
    if change is None:
        return ""
    by = change.change
    text = format_difference(by)
    sure = change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)
    css = ("good" if (by > 0) != measure.falling_is_good else "bad") if sure else "soft"
    return f'<div class="delta"><span class="soft">{name}</span><span class="{css}">{text}</span></div>'


def _section(measure: MeasureReply, word: Translate) -> str:
    format_number, months = format_figure(measure.unit), measure.by_month
    chart = ""
    if months:
        before = [None if m.against_last_year is None else m.against_last_year.value for m in months]
        band = ([m.low for m in months], [m.high for m in months])
        chart = line([m.month for m in months], [m.value for m in months], band, before, format_number)
    empty = f'<p class="soft">{word("empty")}</p>' if measure.figure and measure.figure.value is None else ""
    left = "".join(
        f'<p class="soft">{word("left_out")}: {escape(one.words)} {one.count:,}</p>'
        for one in measure.left_out
    )
    return (
        f'<div class="card"><h3>{escape(measure.words)}</h3>'
        f'<div class="soft">{escape(measure.formula)}</div>'
        f"{empty}{chart}{left}{_groups(measure, format_number)}</div>"
    )


def _groups(measure: MeasureReply, format_number: Callable[[float], str]) -> str:
    cuts: dict[str, list[Group]] = {}
    for group in measure.groups:
        if group.figure.value is not None and group.group:
            cuts.setdefault(group.cut_words, []).append(group)
    parts = []
    for words, groups in cuts.items():
        largest = sorted(groups, key=lambda group: -(group.figure.units or 0))[:MOST_GROUPS]
        rows = [
            (group.group, group.figure.value, group.figure.low, group.figure.high)
            for group in largest
            if group.figure.value is not None
        ]
        parts.append(f"<details><summary>{escape(words)}</summary>{dots(rows, format_number)}</details>")
    return "".join(parts)


def _axes(cells: Sequence[Cell], word: Translate, amount: Callable[[float], str]) -> list[str]:
    """The table of behaviour by attitude, the highest tier first."""
    if not cells:
        return []
    columns = list(dict.fromkeys(cell.attitude_words for cell in cells))
    rows: dict[str, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.tier_words, []).append(cell)
    body = [
        f"<tr><th>{escape(tier)}</th>{''.join(_cell(cell, word, amount) for cell in rows[tier])}</tr>"
        for tier in reversed(rows)
    ]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    return [
        f'<h2>{word("axes")}</h2><p class="soft">{word("axes_note")}</p>',
        f'<div class="wide"><table class="axes"><tr><th></th>{head}</tr>{"".join(body)}</table></div>',
    ]


def _cell(cell: Cell, word: Translate, amount: Callable[[float], str]) -> str:
    rate, value = cell.churn_rate, cell.value_per_customer
    shade = 0.0 if rate is None else min(rate * 1.4, 0.55)
    figures = (
        ""
        if rate is None or value is None
        else f"{word('churn')} {rate:.1%} · {word('value')} {amount(value)}"
    )
    return (
        f'<td style="background:rgba(180,35,24,{shade:.2f})">'
        f"<b>{cell.customers:,}</b> {escape(cell.words)}"
        f'<div class="soft">{figures}</div></td>'
    )


def _flow(report: ReportReply, word: Translate) -> list[str]:
    """The table of customers by tier at the start and at the end of the period."""
    counts = {(flow["from"], flow["to"]): flow["customers"] for flow in report.tier_flow}
    if not counts:
        return []
    names = list(dict.fromkeys(name for pair in counts for name in pair))
    most = max(counts.values())
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in names)

    def cell(before: str, after: str) -> str:
        count = counts.get((before, after), 0)
        return f'<td class="n" style="background:rgba(47,111,143,{0.5 * count / most:.2f})">{count:,}</td>'

    rows = (f"<tr><th>{escape(a)}</th>{''.join(cell(a, b) for b in names)}</tr>" for a in names)
    return [
        f'<h2>{word("flow")}</h2><p class="soft">{word("flow_note")}</p>',
        f'<div class="wide"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>',
    ]


def _missing(report: ReportReply, word: Translate) -> list[str]:
    rows = "".join(
        f"<tr><th>{escape(measure.words)}</th><td>{escape(measure.missing_input)}</td></tr>"
        for measure in report.measures
        if measure.missing_input is not None
    )
    return [f"<h2>{word('missing')}</h2><table>{rows}</table>"] if rows else []

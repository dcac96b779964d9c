"""The report as one HTML page without scripts, links or images: charts are inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from features.catalog.display_names import in_language
from serving.reports.behaviour_attitude import telling_rate
from serving.reports.measure_view import (
    GLANCE,
    WORDS,
    format_change,
    format_figure,
    group_charts,
    month_chart,
    tone,
)
from serving.reports.rendering.lifetime_table import lifetime_section
from serving.schemas.expected_leavers import expected_leavers_words
from serving.schemas.report_responses import Cell, Comparison, MeasureReply, ReportReply

Translate = Callable[[str], str]
"""From a name in `WORDS` to the words of the page's language."""


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
        *(
            ()
            if report.expected_leavers is None
            else (f"<p>{escape(expected_leavers_words(report.expected_leavers, language))}</p>",)
        ),
        f'<p class="soft">{word("legend")}</p>',
        f'<h2>{word("glance")}</h2><div class="cards">',
        *(_card(measures[name], word, report.currency, language) for name in GLANCE if name in measures),
        "</div>",
        *_axes(report.axes, word, format_figure("amount", report.currency, language)),
        *_flow(report, word),
        *lifetime_section(report, language),
        f'<h2>{word("measures")}</h2><div class="grid2">',
        *(_section(measure, word) for measure in measures.values()),
        "</div>",
        *_missing(report, word),
        "</main></body></html>",
    ]
    return "".join(parts)


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
    text, css = format_difference(change.change), tone(measure, change)
    return f'<div class="delta"><span class="soft">{name}</span><span class="{css}">{text}</span></div>'


def _section(measure: MeasureReply, word: Translate) -> str:
    format_number = format_figure(measure.unit)
    chart = month_chart(measure, format_number)
    empty = f'<p class="soft">{word("empty")}</p>' if measure.figure and measure.figure.value is None else ""
    left = "".join(
        f'<p class="soft">{word("left_out")}: {escape(one.words)} {one.count:,}</p>'
        for one in measure.left_out
    )
    groups = "".join(
        f"<details><summary>{escape(words)}</summary>{svg}</details>"
        for _, words, svg in group_charts(measure, format_number)
    )
    return (
        f'<div class="card"><h3>{escape(measure.words)}</h3>'
        f'<div class="soft">{escape(measure.formula)}</div>'
        f"{empty}{chart}{left}{groups}</div>"
    )


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
    rate, low, high, value = (
        cell.churn_rate,
        cell.churn_rate_low,
        cell.churn_rate_high,
        cell.value_per_customer,
    )
    telling = telling_rate(cell)
    shade = 0.0 if telling is None else min(telling * 1.4, 0.55)
    figures = ""
    if rate is not None and low is not None and high is not None and value is not None:
        figures = (
            f"{word('churn')} {rate:.1%} ({low:.1%} – {high:.1%}) · {word('value')} {amount(value)} · "
            f"{word('at_start')} {cell.customers_at_start:,}"
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

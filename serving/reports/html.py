"""The report as one HTML page that needs nothing else: charts are SVG inside it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any

from features.catalog.display_names import in_language
from serving.reports.svg_charts import dots, line

Reply = dict[str, Any]

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


def page(report: Reply, language: str) -> str:
    """The whole page."""
    style = files("serving.reports").joinpath("report.css").read_text(encoding="utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'

    def word(name: str) -> str:
        return in_language(language, *WORDS[name])

    there = [m for m in report["measures"] if m["missing_input"] is None]
    glance = [m for name in GLANCE for m in there if m["name"] == name and m["figure"]["value"] is not None]
    parts = [
        f'<!doctype html><html lang="{language}"><head>{head}',
        f"<title>{word('title')} {report['period']}</title><style>{style}</style></head><body><main>",
        f'<h1>{word("title")}</h1><p class="soft">{report["period"]} · {_compared(report, word)}</p>',
        f'<p class="soft">{word("legend")}</p>',
        f'<h2>{word("glance")}</h2><div class="cards">',
        *(_card(measure, word) for measure in glance),
        "</div>",
        *_axes(report, word),
        *_flow(report, word),
        f'<h2>{word("measures")}</h2><div class="grid2">',
        *(_section(measure, word) for measure in there),
        "</div>",
        *_missing(report, word),
        "</main></body></html>",
    ]
    return "".join(parts)


def format_figure(unit: str) -> Callable[[float], str]:
    """How a number of this unit is written."""

    def say(value: float) -> str:
        if unit == "share":
            return f"{value:.1%}" if abs(value) >= 0.02 or value == 0 else f"{value:.2%}"
        if unit == "score":
            return f"{value:+.1f}"
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"

    return say


def format_change(unit: str) -> Callable[[float], str]:
    """How the difference of two such numbers is written: of shares in points, with its sign."""

    def say(by: float) -> str:
        if unit in ("share", "score"):
            points = by * 100 if unit == "share" else by
            return f"{points:+.2f} pt" if abs(points) < 0.1 else f"{points:+.1f} pt"
        return f"{'+' if by > 0 else ''}{format_figure(unit)(by)}"

    return say


def _compared(report: Reply, word: Callable[[str], str]) -> str:
    pairs = ((word("previous"), report["previous_period"]), (word("last_year"), report["last_year_period"]))
    return " · ".join(f"{name}: {period}" for name, period in pairs if period)


def _card(measure: Reply, word: Callable[[str], str]) -> str:
    figure, say = measure["figure"], format_figure(measure["unit"])
    interval = "" if figure["low"] is None else f"{say(figure['low'])} – {say(figure['high'])} · "
    deltas = "".join(
        _delta(measure, figure[f"against_{name}"], word(name)) for name in ("previous", "last_year")
    )
    return (
        f'<div class="card"><h3>{escape(measure["words"])}</h3><div class="big">{say(figure["value"])}</div>'
        f'<div class="soft">{interval}{figure["customers"]:,} {word("customers")}</div>{deltas}</div>'
    )


def _delta(measure: Reply, change: Reply | None, name: str) -> str:
    if change is None:
        return ""
    by = change["change"]
    text = format_change(measure["unit"])(by)
    sure = "low" in change and (change["low"] > 0 or change["high"] < 0)
    css = ("good" if (by > 0) != measure["falling_is_good"] else "bad") if sure else "soft"
    return f'<div class="delta"><span class="soft">{name}</span><span class="{css}">{text}</span></div>'


def _section(measure: Reply, word: Callable[[str], str]) -> str:
    say, months = format_figure(measure["unit"]), measure["by_month"]
    chart = ""
    if months:
        before = [None if m["against_last_year"] is None else m["against_last_year"]["value"] for m in months]
        band = ([m["low"] for m in months], [m["high"] for m in months])
        chart = line([m["month"] for m in months], [m["value"] for m in months], band, before, say)
    empty = (
        f'<p class="soft">{word("empty")}</p>'
        if measure["figure"] and measure["figure"]["value"] is None
        else ""
    )
    left = "".join(
        f'<p class="soft">{word("left_out")}: {escape(one["words"])} {one["count"]:,}</p>'
        for one in measure["left_out"]
    )
    return (
        f'<div class="card"><h3>{escape(measure["words"])}</h3>'
        f'<div class="soft">{escape(measure["formula"])}</div>'
        f"{empty}{chart}{left}{_groups(measure, say)}</div>"
    )


def _groups(measure: Reply, say: Callable[[float], str]) -> str:
    cuts: dict[str, list[Reply]] = {}
    for group in measure["groups"]:
        if group["figure"]["value"] is not None and group["group"]:
            cuts.setdefault(group["cut_words"], []).append(group)
    parts = []
    for words, groups in cuts.items():
        groups = sorted(groups, key=lambda g: -g["figure"]["units"])[:MOST_GROUPS]
        rows = [(g["group"], *(g["figure"][name] for name in ("value", "low", "high"))) for g in groups]
        parts.append(f"<details><summary>{escape(words)}</summary>{dots(rows, say)}</details>")
    return "".join(parts)


def _axes(report: Reply, word: Callable[[str], str]) -> list[str]:
    cells = report["axes"]
    if not cells:
        return []
    columns = list(dict.fromkeys(cell["attitude_words"] for cell in cells))
    rows: dict[str, list[Reply]] = {}
    for cell in cells:
        rows.setdefault(cell["tier_words"], []).insert(0, cell)
    body = [
        f"<tr><th>{escape(tier)}</th>{''.join(_cell(c, word) for c in reversed(rows[tier]))}</tr>"
        for tier in reversed(rows)
    ]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    return [
        f'<h2>{word("axes")}</h2><p class="soft">{word("axes_note")}</p>',
        f"<table><tr><th></th>{head}</tr>{''.join(body)}</table>",
    ]


def _cell(cell: Reply, word: Callable[[str], str]) -> str:
    rate = cell["churn_rate"]
    shade = 0.0 if rate is None else min(rate * 1.4, 0.55)
    facts = (
        ""
        if rate is None
        else f"{word('churn')} {rate:.1%} · {word('value')} "
        f"{format_figure('amount')(cell['value_per_customer'])}"
    )
    return (
        f'<td style="background:rgba(180,35,24,{shade:.2f})">'
        f"<b>{cell['customers']:,}</b> {escape(cell['words'])}"
        f'<div class="soft">{facts}</div></td>'
    )


def _flow(report: Reply, word: Callable[[str], str]) -> list[str]:
    flow = report["tier_flow"]
    if not flow:
        return []
    names = list(dict.fromkeys(name for one in flow for name in (one["from"], one["to"])))
    counts = {(one["from"], one["to"]): one["customers"] for one in flow}
    most = max(counts.values())
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in names)

    def cell(before: str, after: str) -> str:
        count = counts.get((before, after), 0)
        return f'<td class="n" style="background:rgba(47,111,143,{0.5 * count / most:.2f})">{count:,}</td>'

    rows = (f"<tr><th>{escape(a)}</th>{''.join(cell(a, b) for b in names)}</tr>" for a in names)
    return [
        f'<h2>{word("flow")}</h2><p class="soft">{word("flow_note")}</p>',
        f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>",
    ]


def _missing(report: Reply, word: Callable[[str], str]) -> list[str]:
    absent = [m for m in report["measures"] if m["missing_input"] is not None]
    if not absent:
        return []
    rows = "".join(
        f"<tr><th>{escape(m['words'])}</th><td>{escape(m['missing_input'])}</td></tr>" for m in absent
    )
    return [f"<h2>{word('missing')}</h2><table>{rows}</table>"]

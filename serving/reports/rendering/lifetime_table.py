"""Lifetime value of groups of customers, as tables of the report's page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby

from features.catalog.display_names import in_language
from serving.reports.measure_view import format_figure
from serving.schemas.lifetime_words import months_words
from serving.schemas.report_responses import LifetimeGroup, ReportReply


def lifetime_section(report: ReportReply, language: str) -> Iterator[str]:
    """A table for each way to cut the customers; nothing without lifetime value."""
    if not report.lifetime:
        return
    yield f"<h2>{in_language(language, 'Lifetime value', '顧客生涯価値（LTV）')}</h2>"
    yield f'<p class="soft">{escape(lifetime_note(report.lifetime, language))}</p>'
    amount = format_figure("amount", report.currency, language)
    months = sorted({one.months for one in report.lifetime})
    below = in_language(language, "each, and of all", "1名あたり・合計")
    heads = "".join(
        f'<th scope="col">{months_words(one, language)}<br><span class="soft">{below}</span></th>'
        for one in months
    )
    customers = in_language(language, "Customers", "顧客数")
    for _, groups in groupby(report.lifetime, key=lambda one: one.cut):
        rows = [list(mine) for _, mine in groupby(groups, key=lambda one: one.group)]
        yield f"<h3>{escape(rows[0][0].cut_words)}</h3><table><thead><tr><th></th>"
        yield f'<th scope="col">{customers}</th>{heads}</tr></thead><tbody>'
        for row in rows:
            cells = "".join(
                f'<td>{amount(one.per_customer)}<br><span class="soft">{amount(one.total)}</span></td>'
                for one in row
            )
            name = f'<th scope="row">{escape(row[0].group_words)}</th>'
            yield f"<tr>{name}<td>{row[0].customers:,}</td>{cells}</tr>"
        yield "</tbody></table>"


def lifetime_note(groups: list[LifetimeGroup], language: str) -> str:
    """What the figures are, the total with its interval, and over which months its level is not known."""
    amount = format_figure("amount", None, language)
    whole = [one for one in groups if one.cut == "all"]
    told = [
        in_language(
            language,
            f"{months_words(one.months, language)}: {amount(one.low)} to {amount(one.high)}",
            f"{months_words(one.months, language)}：{amount(one.low)}〜{amount(one.high)}",
        )
        for one in whole
    ]
    low = [months_words(one.months, language) for one in whole if one.evidence == "low"]
    text = in_language(
        language,
        f"Expected spend per customer. 80% interval of the total of all: {'; '.join(told)}.",
        f"1名あたりの予測購買額です。全体の合計の80%区間：{'、'.join(told)}。",
    )
    if low:
        text += in_language(
            language,
            f" Low evidence over {', '.join(low)}: no earlier customers' spend over so long is known yet.",
            f"{'、'.join(low)}の根拠は限定的です（この長さの実績がまだありません）。",
        )
    return text

"""The report as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from features.catalog.display_names import in_language, is_japanese
from serving.reports.lifetime_groups import JOINED
from serving.reports.measure_view import format_change, format_figure
from serving.reports.rendering.lifetime_table import lifetime_note, lifetime_tables, per_customer_text
from serving.schemas.expected_leavers import expected_leavers_words
from serving.schemas.report_responses import Figure, ReportReply
from serving.schemas.terms import months_words

if TYPE_CHECKING:
    from rich.table import Table

HEADERS = (
    ("Measure", "指標"),
    ("Value", "値"),
    ("95% interval", "95%区間"),
    ("Customers", "顧客数"),
    ("vs before", "前期差"),
    ("vs last year", "前年同期差"),
)


def show(report: ReportReply, language: str) -> None:
    """Print the measures of the period as a table, and below it which inputs are missing."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=report.period, title_justify="left")
    for place, header in enumerate(HEADERS):
        name = header[is_japanese(language)]
        side: Literal["left", "right"] = "left" if place == 0 else "right"
        table.add_column(name, justify=side, no_wrap=place > 0, overflow="fold")
    lacking = []
    for measure in report.measures:
        if measure.missing_input is not None:
            table.add_row(measure.words, "–", "", "", "", "")
            lacking.append(f"{measure.words}: {measure.missing_input}")
            continue
        rows = [(measure.words, measure.figure)] if measure.figure else []
        if measure.name == "tier_share":
            rows += [(f"{measure.words}: {group.group_words}", group.figure) for group in measure.groups]
        for words, figure in rows:
            table.add_row(words, *_texts(figure, measure.unit, report.currency, language))
    console = Console(highlight=False)
    for note in report.notes:
        console.print(f"[yellow]![/yellow] {escape(note)}")
    if report.expected_leavers is not None:
        console.print(expected_leavers_words(report.expected_leavers, language))
    if report.lifetime:
        console.print(_lifetime_table(report, language))
        amount = format_figure("amount", report.currency, language)
        console.print(lifetime_note(report.lifetime, amount, language), style="dim", markup=False)
    console.print(table)
    for line in lacking:
        console.print(line, style="dim", markup=False)


def _lifetime_table(report: ReportReply, language: str) -> Table:
    """Lifetime value a customer by tier and segment; months of joining are in the files."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        title=in_language(language, "Lifetime value", "顧客生涯価値（LTV）"),
        title_justify="left",
    )
    months = sorted({one.months for one in report.lifetime})
    heads = [months_words(one, language) for one in months]
    for place, name in enumerate(["", in_language(language, "Customers", "顧客数"), *heads]):
        table.add_column(name, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
    amount = format_figure("amount", report.currency, language)
    tables = lifetime_tables(report.lifetime)
    for mine in (row for cut, rows in tables.items() if cut != JOINED for row in rows):
        head = mine[0]
        cells = (per_customer_text(one, amount, language) for one in mine)
        name = head.group_words if head.cut == "all" else f"{head.cut_words}: {head.group_words}"
        table.add_row(escape(name), f"{head.customers:,}", *cells)
    return table


def _texts(figure: Figure, unit: str, currency: str | None, language: str) -> list[str]:
    format_number = format_figure(unit, currency, language)
    if figure.value is None:
        return ["–"] * 5
    interval = (
        ""
        if figure.low is None or figure.high is None
        else f"{format_number(figure.low)} – {format_number(figure.high)}"
    )
    return [
        format_number(figure.value),
        interval,
        f"{figure.customers:,}",
        *(
            "–" if comparison is None else format_change(unit, currency, language)(comparison.change)
            for comparison in (figure.against_previous, figure.against_last_year)
        ),
    ]

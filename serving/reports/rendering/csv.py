"""The report as CSV that opens right in a spreadsheet: one line per measure, group and span."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from features.catalog.display_names import in_language
from serving.schemas.lifetime_words import lifetime_words, shows_value
from serving.schemas.report_responses import Comparison, Figure, LifetimeGroup, MeasureReply, ReportReply

Value = str | float | None

BOM = "\ufeff"
HEADERS = (
    ("measure", "指標"),
    ("name", "名称"),
    ("cut", "切り口"),
    ("group", "区分"),
    ("span", "期間"),
    ("value", "値"),
    ("low", "下限（95%）"),
    ("high", "上限（95%）"),
    ("units", "件数"),
    ("customers", "顧客数"),
    ("previous", "前期"),
    ("change", "前期差"),
    ("last_year", "前年同期"),
    ("change_last_year", "前年同期差"),
    ("missing_input", "不足データ"),
)


def as_csv(report: ReportReply, language: str) -> str:
    """A heading, the lines of every measure, and those of lifetime value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([in_language(language, name, japanese) for name, japanese in HEADERS])
    for measure in report.measures:
        writer.writerows(_lines(measure, report.period))
    writer.writerows(_lifetime_lines(report.lifetime, language))
    return BOM + text.getvalue()


def _lines(measure: MeasureReply, period: str) -> Iterator[list[Value]]:
    head: list[Value] = [measure.name, measure.words]
    if measure.missing_input is not None:
        yield [*head, "all", "", period, *[""] * 9, measure.missing_input]
        return
    groups = [(group.cut, group.group, group.figure, group.by_month) for group in measure.groups]
    if measure.figure is not None:
        groups.insert(0, ("all", "", measure.figure, measure.by_month))
    for cut, group, figure, months in groups:
        place = [*head, cut, _harmless(group)]
        yield [*place, period, *_numbers(figure), ""]
        for month in months:
            yield [*place, month.month, *_numbers(month), ""]


def _lifetime_lines(groups: Sequence[LifetimeGroup], language: str) -> Iterator[list[Value]]:
    """The lifetime value of a customer of each group, and the ends of its range in lines of their own: the
    columns of ends are those of 95 % intervals. What people do not read is left out."""
    for one in groups:
        value = one.per_customer if shows_value(one.evidence) else None
        for end, amount in (("", value), ("_low", one.per_customer_low), ("_high", one.per_customer_high)):
            if amount is not None:
                name = f"lifetime_value_{one.months}_months{end}"
                head = [name, lifetime_words(one.months, end, language), one.cut, _harmless(one.group)]
                yield [*head, None, amount, None, None, None, one.customers, *[None] * 5]


def _numbers(figure: Figure) -> list[Value]:
    return [
        figure.value,
        figure.low,
        figure.high,
        figure.units,
        figure.customers,
        *_against(figure.against_previous),
        *_against(figure.against_last_year),
    ]


def _against(comparison: Comparison | None) -> tuple[Value, Value]:
    return (None, None) if comparison is None else (comparison.value, comparison.change)


def _harmless(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

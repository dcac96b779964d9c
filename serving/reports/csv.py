"""The report as CSV that opens right in a spreadsheet: one line per measure, group and span."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from features.catalog.display_names import in_language

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


def as_csv(report: dict[str, Any], language: str) -> str:
    """A heading and the lines of every measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([in_language(language, name, japanese) for name, japanese in HEADERS])
    for measure in report["measures"]:
        writer.writerows(_lines(measure, report["period"]))
    return BOM + text.getvalue()


def _lines(measure: dict[str, Any], period: str) -> Iterator[list[Any]]:
    head = [measure["name"], measure["words"]]
    if measure["missing_input"] is not None:
        yield [*head, "all", "", period, *[""] * 9, measure["missing_input"]]
        return
    groups = list(measure["groups"])
    if measure["figure"] is not None:
        groups.insert(
            0, {"cut": "all", "group": "", "figure": measure["figure"], "by_month": measure["by_month"]}
        )
    for group in groups:
        place = [*head, group["cut"], _harmless(group["group"])]
        yield [*place, period, *_cells(group["figure"]), ""]
        for month in group["by_month"]:
            yield [*place, month["month"], *_cells(month), ""]


def _cells(figure: dict[str, Any]) -> list[Any]:
    before, last_year = figure["against_previous"] or {}, figure["against_last_year"] or {}
    return [
        *(figure[name] for name in ("value", "low", "high", "units", "customers")),
        before.get("value"),
        before.get("change"),
        last_year.get("value"),
        last_year.get("change"),
    ]


def _harmless(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

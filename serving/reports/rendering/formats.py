"""The report as a file: HTML, CSV or JSON by the ending of its name."""

from __future__ import annotations

from pathlib import Path

from features.errors import UsageError
from serving.reports.rendering.csv import as_csv
from serving.reports.rendering.html import page
from serving.schemas.json_text import to_json
from serving.schemas.report_responses import ReportReply


def rendered(report: ReportReply, output: Path, language: str) -> bytes:
    """The content of the file; raises `UsageError` for an ending of another kind."""
    ending = output.suffix.lower()
    if ending == ".html":
        return page(report, language).encode("utf-8")
    if ending == ".csv":
        return as_csv(report, language).encode("utf-8")
    if ending == ".json":
        return (to_json(report) + "\n").encode("utf-8")
    raise UsageError(
        f"cannot tell in which format to write {output}: its name ends in none of .html, .csv and .json. "
        "Give it one of these endings."
    )

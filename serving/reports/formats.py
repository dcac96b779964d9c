"""The report as a file of the wanted kind, or as a table on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from features.catalog.display_names import is_japanese
from features.errors import UsageError
from serving.reports.csv import as_csv
from serving.reports.html import format_change, format_figure, page

Reply = dict[str, Any]


def rendered(answer: Reply, output: Path, language: str) -> bytes:
    """The content of a report's file, by the ending of its name."""
    ending = output.suffix.lower()
    if ending == ".html":
        return page(answer, language).encode("utf-8")
    if ending == ".csv":
        return as_csv(answer, language).encode("utf-8")
    if ending == ".json":
        return (json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
    raise UsageError(
        f"cannot tell in which format to write {output}: its name ends in none of .html, .csv and .json. "
        "Give it one of these endings."
    )


def show(answer: Reply, language: str) -> None:
    """Print the measures of the period as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    japanese = is_japanese(language)
    heads = ("指標", "値", "95%区間", "顧客数", "前期差", "前年同期差") if japanese else (
        "Measure", "Value", "95% interval", "Customers", "vs before", "vs last year",
    )  # fmt: skip
    table = Table(box=box.SIMPLE_HEAD, title=answer["period"], title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right", no_wrap=place > 0)
    lacking = []
    for measure in answer["measures"]:
        if measure["missing_input"] is not None:
            table.add_row(measure["words"], "–", "", "", "", "")
            lacking.append(f"{measure['words']}: {measure['missing_input']}")
            continue
        rows = [(measure["words"], measure["figure"])] if measure["figure"] else []
        if measure["name"] == "tier_share":
            rows += [
                (f"{measure['words']}: {group['group']}", group["figure"]) for group in measure["groups"]
            ]
        for words, figure in rows:
            table.add_row(words, *_cells(figure, measure["unit"]))
    console = Console(highlight=False)
    console.print(table)
    for line in lacking:
        console.print(line, style="dim", markup=False)


def _cells(figure: Reply, unit: str) -> list[str]:
    say = format_figure(unit)
    if figure["value"] is None:
        return ["–"] * 5
    interval = "" if figure["low"] is None else f"{say(figure['low'])} – {say(figure['high'])}"
    changes = [figure["against_previous"], figure["against_last_year"]]
    return [
        say(figure["value"]),
        interval,
        f"{figure['customers']:,}",
        *("–" if change is None else format_change(unit)(change["change"]) for change in changes),
    ]

"""The list and the plan as CSV that opens right in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from serving.presentation.columns import (
    COLUMNS,
    LIST_CSV,
    PLAN_CSV,
    PLAN_PART_OF_LIST_CSV,
    Cell,
    ListRow,
)
from serving.schemas.responses import ListedCustomer, PlanReply

BOM = "\ufeff"
"""The mark by which Excel knows UTF-8."""


def list_csv(customers: Iterable[ListedCustomer], language: str, *, with_plan: bool) -> Iterator[str]:
    """A heading and one line per customer; with the columns of the plan where there is one."""
    names = LIST_CSV + PLAN_PART_OF_LIST_CSV if with_plan else LIST_CSV
    return _lines(names, (ListRow(one, one.plan, language) for one in customers), language)


def plan_csv(answer: PlanReply, language: str) -> Iterator[str]:
    """A heading and one line per customer of `kizuna plan`."""
    return _lines(PLAN_CSV, (ListRow(one, one, language) for one in answer.customers), language)


def _lines(names: Sequence[str], rows: Iterable[ListRow], language: str) -> Iterator[str]:
    columns = [COLUMNS[name] for name in names]
    yield BOM + _line([column.heading(language) for column in columns])
    for row in rows:
        yield _line([_harmless(column.cell(row)) for column in columns])


def _line(cells: Sequence[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _harmless(cell: Cell) -> Cell:
    return harmless(cell) if isinstance(cell, str) else cell


def harmless(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

"""The list and the plan as CSV that opens right in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from serving.presentation.columns import (
    COLUMNS,
    LEFT_OUT_PART_OF_LIST_CSV,
    LIST_CSV,
    PLAN_CSV,
    PLAN_PART_OF_LIST_CSV,
    UPLIFT_PART_OF_LIST_CSV,
    Cell,
    ListColumn,
    ListRow,
)
from serving.presentation.lifetime_columns import lifetime_columns
from serving.schemas.responses import ListedCustomer, PlanReply

BOM = "\ufeff"
"""The mark by which Excel knows UTF-8."""


_NUMBER_LIKE = re.compile(r"0\d+|\d{16,}|\d+[eE][+-]?\d+|\d{1,4}[-/]\d{1,2}([-/]\d{1,4})?")
"""Identifiers that a spreadsheet takes for a number or a date and changes: 01332, 12E5, 3-4, 16 digits."""


def list_csv(
    customers: Iterable[ListedCustomer],
    language: str,
    *,
    with_plan: bool,
    with_uplift: bool = False,
    lifetime_months: Sequence[int] = (),
    spreadsheet: bool = False,
) -> Iterator[str]:
    """A heading and one line per customer; with the columns of the plan and of uplift where there are any,
    and those of lifetime value over these months.

    `spreadsheet`: identifiers that a spreadsheet would change are written so that it does not.
    """
    names = LIST_CSV + (UPLIFT_PART_OF_LIST_CSV if with_uplift else ())
    last = PLAN_PART_OF_LIST_CSV if with_plan else LEFT_OUT_PART_OF_LIST_CSV
    rows = (ListRow(one, one.plan, language) for one in customers)
    columns = [*_named(names), *lifetime_columns(lifetime_months), *_named(last)]
    return _lines(columns, rows, language, spreadsheet=spreadsheet)


def plan_csv(answer: PlanReply, language: str) -> Iterator[str]:
    """A heading and one line per customer of `kizuna plan`."""
    rows = (ListRow(one, one, language) for one in answer.customers)
    names = PLAN_CSV + (() if answer.uplift is None else UPLIFT_PART_OF_LIST_CSV)
    columns = [*_named(names), *lifetime_columns(answer.lifetime_months)]
    return _lines(columns, rows, language, spreadsheet=True)


def _named(names: Sequence[str]) -> list[ListColumn]:
    return [COLUMNS[name] for name in names]


def _lines(
    columns: Sequence[ListColumn], rows: Iterable[ListRow], language: str, *, spreadsheet: bool
) -> Iterator[str]:
    identifier = [column.name for column in columns].index("customer_id")
    yield BOM + _line([column.heading(language) for column in columns])
    for row in rows:
        cells = [_harmless(column.cell(row)) for column in columns]
        if spreadsheet:
            cells[identifier] = as_text(row.customer.customer_id)
        yield _line(cells)


def _line(cells: Sequence[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _harmless(cell: Cell) -> Cell:
    return harmless(cell) if isinstance(cell, str) else cell


def as_text(identifier: str) -> str:
    """An identifier that a spreadsheet shows as it is: 01332 as the formula `="01332"`, others unchanged."""
    return f'="{identifier}"' if _NUMBER_LIKE.fullmatch(identifier) else harmless(identifier)


def harmless(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text

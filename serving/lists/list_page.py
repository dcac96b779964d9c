"""A page of the list as people turn them: its customers, what the whole list adds up to, the pages around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.lists.cursor import Cursor
from serving.lists.filtered_rows import ListTotals
from serving.lists.filters import ListFilter
from serving.lists.score_reader import ScoreReader
from serving.schemas.responses import ListedCustomer, Provenance


@dataclass(frozen=True)
class ListPage:
    """Some customers of a list, with what the whole list adds up to."""

    source: Provenance
    customers: list[ListedCustomer]
    totals: ListTotals
    """Of everyone on the list, within its limit."""
    previous: str | None
    """The cursor of the page before; None on the first one."""
    following: str | None
    """The cursor of the page after; None on the last one."""
    is_planned: bool
    """Whether there is a plan for these scores."""


def list_page(
    reader: ScoreReader, choice: ListFilter, language: str, size: int, cursor: Cursor | None
) -> ListPage:
    """The page of so many customers that begins where the cursor says, or the first one.

    Places are those of the ranking of the scores: who fits may change with the plan while somebody turns
    pages, and nobody is shown twice for that.
    """
    filtered = reader.filtered.rows_of(choice)
    totals = reader.filtered.totals(choice)
    place, rank = (0, 0) if cursor is None else (cursor.place, cursor.rank)
    start = min(filtered.count_before(place), totals.customers)
    end = min(start + size, totals.customers)
    before = max(start - size, 0)

    def cursor_at(first: int, at_rank: int) -> str:
        after = int(filtered.places(first - 1, first)[0]) + 1 if first else 0
        return str(Cursor(reader.file, after, max(at_rank, 0), choice.fingerprint))

    rows = filtered.ranking[filtered.places(start, end)]
    return ListPage(
        source=reader.provenance,
        customers=list(reader.in_words(rows, language, np.arange(rank, rank + len(rows)) + 1)),
        totals=totals,
        previous=cursor_at(before, rank - (start - before) if before else 0) if start else None,
        following=cursor_at(end, rank + end - start) if end < totals.customers else None,
        is_planned=reader.plan is not None,
    )

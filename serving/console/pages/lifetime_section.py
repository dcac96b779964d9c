"""The lifetime value of groups of customers on the page Engagement, by one cut at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serving.console.visit import Visit
from serving.reports.lifetime_groups import EARLIER, JOINED
from serving.reports.rendering.lifetime_table import (
    lifetime_note,
    lifetime_tables,
    per_customer_text,
    total_text,
)
from serving.schemas.lifetime_words import shows_value
from serving.schemas.report_responses import LifetimeGroup, ReportReply

ALL = "all"


@dataclass(frozen=True)
class LifetimeRow:
    """One group: each amount for one customer, and for all of the group."""

    words: str
    customers: int
    amounts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LifetimeTable:
    """The groups of one cut, all customers first, the newest month of joining before the older ones."""

    cut: str
    cuts: dict[str, str]
    """What the customers can be cut by, with its words; empty where nothing makes two groups of them."""
    months: tuple[tuple[str, bool], ...]
    """Over how many months, and whether the evidence is low."""
    rows: tuple[LifetimeRow, ...]
    note: str


def lifetime_table(visit: Visit, report: ReportReply, chosen: str) -> LifetimeTable | None:
    """The table of the chosen cut, the first one where there is none; None without values."""
    tables = lifetime_tables(report.lifetime)
    if ALL not in tables:
        return None
    cuts = {cut: rows[0][0].cut_words for cut, rows in tables.items() if cut != ALL}
    cut = chosen if chosen in cuts else next(iter(cuts), ALL)
    groups = [] if cut == ALL else tables[cut]
    if cut == JOINED:
        groups = groups[::-1]
    return LifetimeTable(
        cut,
        cuts,
        tuple(
            (visit.formats.month_count(one.months), not shows_value(one.evidence)) for one in tables[ALL][0]
        ),
        tuple(_row(visit, row) for row in [*tables[ALL], *groups]),
        lifetime_note(report.lifetime, visit.formats.short_money, visit.language),
    )


def _row(visit: Visit, row: list[LifetimeGroup]) -> LifetimeRow:
    def amounts() -> Iterator[tuple[str, str]]:
        for one in row:
            yield (
                per_customer_text(one, visit.formats.money, visit.language),
                total_text(one, visit.formats.short_money, visit.language),
            )

    first = row[0]
    words = first.group_words
    if first.cut == JOINED and first.group != EARLIER:
        words = visit.formats.month(f"{first.group}-01")
    return LifetimeRow(words, first.customers, tuple(amounts()))

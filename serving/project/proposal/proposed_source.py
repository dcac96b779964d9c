"""A source for a table of one's own: its query, what each column was taken for, and rows as they are read."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from features.errors import ConfigurationError, DataError
from features.events.schema import REFUND
from features.events.validation import check
from features.ingestion.sampling import sample
from features.timeline import Timeline
from serving.project.proposal.column_roles import ColumnRoles, find_roles
from serving.project.proposal.data_files import DataTable
from serving.project.proposal.known_columns import INQUIRIES, NOT_DONE, TAKEN_BACK
from serving.project.recipes.export_files import literal

SHOWN = 3
"""Rows that are shown as they would be read."""


@dataclass(frozen=True)
class ReadRow:
    """A row as it would be read: the moment as text in the project's time zone."""

    customer: str
    moment: str
    kind: str
    value: float | None


@dataclass(frozen=True)
class ProposedSource:
    """What `kizuna init` proposes for one table."""

    table: DataTable
    roles: ColumnRoles
    query: str
    """Empty where no column is the customer or the moment."""
    rows: tuple[ReadRow, ...] = ()
    looked_at: int = 0
    refused: tuple[tuple[str, int], ...] = ()
    """Why rows of those looked at are not read, and how many."""
    problem: str = ""
    """Why the query cannot be used as it stands."""

    @property
    def ready(self) -> bool:
        """Whether the source can be read as it is written."""
        return bool(self.query and self.rows and not self.problem)


def propose(table: DataTable, folder: Path, timeline: Timeline, now: int) -> ProposedSource:
    """Tell the columns of a table apart, write its query, and read its first rows with it."""
    roles = find_roles(table)
    if not roles.complete:
        return ProposedSource(table, roles, "")
    query = query_of(table, roles)
    try:
        found = sample(f"select * from ({query}) limit 1000", folder, table.name)  # noqa: S608 (quoted names)
        events, refused = check(found, timeline, now, table.name)
    except (ConfigurationError, DataError) as error:
        return ProposedSource(table, roles, query, problem=error.message)
    reasons = Counter(refused.column("reason").to_pylist()) if refused.num_rows else Counter()
    shown = tuple(_row(row, timeline) for row in events.slice(0, SHOWN).to_pylist())
    return ProposedSource(table, roles, query, shown, found.num_rows, tuple(reasons.most_common()))


def query_of(table: DataTable, roles: ColumnRoles) -> str:
    """The SQL that makes events of a table, by what its columns are."""
    apart = _are_rows_of_their_own(table, roles)
    once = not apart and _repeats_a_total(table, roles)
    lines = not once and roles.number is not None and _has_lines(table, roles, apart)
    moment = quoted(roles.moment or "")
    if roles.time is not None:
        moment = f"{moment} || ' ' || {quoted(roles.time)}"
    state = quoted(roles.state or "")
    taken = f"regexp_matches({state}, {literal(TAKEN_BACK)}, 'i')"
    kind, value = _kind(table, roles), quoted(roles.amount) if roles.amount else ""
    number = "" if roles.number is None or lines else quoted(roles.number)
    if apart:
        kind = f"case when {taken} then '{REFUND}' else {kind} end"
        if value:
            value = f"case when {taken} then '-' || ltrim({value}, '-▲△ ') else {value} end"
        if number:
            number = f"{number} || case when {taken} then '-' || {state} else '' end"
    # A state may come later that is not among the first rows, so states are told by their words.
    done = f"not regexp_matches(coalesce({state}, ''), {literal(NOT_DONE)}, 'i')" if roles.state else ""
    where = f"where {done}" if done else ""
    qualify = (
        f"qualify row_number() over (partition by {quoted(roles.number or '')} "
        f"order by {quoted(roles.amount or '')} is null) = 1"
        if once
        else ""
    )
    source = f"from {table.call}"
    first = _select(roles, moment, kind, value, number)
    if not roles.state or apart or not value:
        return "\n".join(part for part in (first, source, where, qualify) if part)
    # The state of an order that was taken back: the order, and the money that went back when it was.
    when = f"coalesce({quoted(roles.cancelled_at)}, {moment})" if roles.cancelled_at else moment
    second = _select(
        roles, when, f"'{REFUND}'", f"'-' || {value}", f"{number} || '-{REFUND}'" if number else ""
    )
    parts = (first, source, where, qualify, "union all", second, source, f"where {taken}", qualify)
    return "\n".join(part for part in parts if part)


def _select(roles: ColumnRoles, moment: str, kind: str, value: str, number: str) -> str:
    named = {
        "occurred_at": moment,
        "kind": kind,
        "value": value,
        "channel": quoted(roles.channel) if roles.channel else "",
        "place": quoted(roles.place) if roles.place else "",
        "detail": quoted(roles.detail) if roles.detail else "",
        "event_id": number,
    }
    parts = [f"{quoted(roles.customer or '')} as customer_id"]
    return "select " + ",\n       ".join(
        [*parts, *(f"{sql} as {name}" for name, sql in named.items() if sql)]
    )


def _kind(table: DataTable, roles: ColumnRoles) -> str:
    if roles.kind is not None:
        return f"lower({quoted(roles.kind)})"
    if INQUIRIES.search(table.name):
        return "'ticket_opened'"
    if roles.amount is None:
        return "'visit'"
    amount = quoted(roles.amount)
    if any(re.match(r"\s*[-▲△(]", text) for text in table.values(roles.amount)):
        return f"case when regexp_matches({amount}, '^\\s*[-▲△(]') then '{REFUND}' else 'purchase' end"
    return "'purchase'"


def _are_rows_of_their_own(table: DataTable, roles: ColumnRoles) -> bool:
    """Whether what was taken back is a second row: of the same order, or with a negative amount."""
    if roles.state is None:
        return False
    back = [_was_taken_back(state) for state in table.cells(roles.state)]
    if roles.amount is not None and any(
        taken and re.match(r"\s*[-▲△(]", amount or "")
        for taken, amount in zip(back, table.cells(roles.amount), strict=True)
    ):
        return True
    if roles.number is None:
        return False
    numbers = list(zip(back, table.cells(roles.number), strict=True))
    others = {number for taken, number in numbers if not taken}
    return any(taken and number in others for taken, number in numbers)


def _repeats_a_total(table: DataTable, roles: ColumnRoles) -> bool:
    """Whether an order's lines all carry its total, or its first alone does."""
    if roles.number is None or roles.amount is None:
        return False
    totals: dict[str | None, list[str]] = {}
    for number, amount in zip(table.cells(roles.number), table.cells(roles.amount), strict=True):
        totals.setdefault(number, []).append((amount or "").strip())
    several = [texts for texts in totals.values() if len(texts) > 1]
    return bool(several) and all(len(set(texts) - {""}) <= 1 for texts in several)


def _has_lines(table: DataTable, roles: ColumnRoles, apart: bool) -> bool:
    """Whether one number is on several rows, so that it names no single event."""
    if roles.number is None:
        return False
    states = table.cells(roles.state) if roles.state and apart else [None] * len(table.rows)
    keys = Counter(
        (number, _was_taken_back(state))
        for number, state in zip(table.cells(roles.number), states, strict=True)
    )
    return any(count > 1 for count in keys.values())


def _was_taken_back(state: str | None) -> bool:
    return re.search(TAKEN_BACK, state or "", re.IGNORECASE) is not None


def _row(row: dict[str, object], timeline: Timeline) -> ReadRow:
    moment, value = row["occurred_at"], row["value"]
    instant = pa.scalar(moment, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py()
    return ReadRow(
        str(row["customer_id"]),
        timeline.local(instant).strftime("%Y-%m-%d %H:%M:%S"),
        str(row["kind"]),
        float(value) if isinstance(value, float) else None,
    )


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'

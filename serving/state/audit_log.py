"""The audit log: who changed what, and who asked the service for whom. Customers are named by key.

A service at work is asked thousands of times a second. A row therefore holds the calls of one caller and
action between two looks of the service: writing a row for each call would hold answers up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, func, insert, select

from serving.state.database import Database
from serving.state.tables import AUDIT, CALLS


@dataclass(frozen=True, eq=False)
class AccessRecord:
    """One call that asked for customers, by their keys; -1 for one who is not known."""

    at: int
    who: str
    action: str
    keys: NDArray[np.int64]


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit log: an action, or a call that asked for customers."""

    at: int
    who: str
    action: str
    customers: int
    """How many customers it was about."""
    details: str = ""


@dataclass(frozen=True)
class AuditPage:
    """A page of the audit log, newest first."""

    entries: tuple[AuditEntry, ...]
    older: int | None
    """Where the next page begins; None at the end of the log."""


SCANNED = 5_000
"""Rows that are looked through for one page: a filter that fits seldom gives a short page, not a slow one."""


def record_action(
    connection: Connection, who: str, action: str, now: int, *, customer: int | None = None, details: str = ""
) -> None:
    """Write what somebody changed, in the transaction of the change; customers are named by key only."""
    connection.execute(
        insert(AUDIT).values(
            at=now, who=who[:100], action=action, customer_key=customer, details=details[:1000]
        )
    )


def audit_entries(database: Database, *, customer: int | None = None, limit: int = 100) -> list[AuditEntry]:
    """The newest entries of both kinds, newest first; of one customer, those about them."""
    accesses = [
        AuditEntry(access.at, access.who, access.action, len(access.keys))
        for access in newest_accesses(database, customer=customer, limit=limit)
    ]
    columns = (AUDIT.c.at, AUDIT.c.who, AUDIT.c.action, AUDIT.c.customer_key, AUDIT.c.details)
    actions = select(*columns).order_by(AUDIT.c.id.desc()).limit(limit)
    if customer is not None:
        actions = actions.where(AUDIT.c.customer_key == customer)
    with database.reading() as connection:
        entries = [
            AuditEntry(at, who, action, 0 if key is None else 1, details)
            for at, who, action, key, details in connection.execute(actions)
        ]
    return sorted(accesses + entries, key=lambda entry: entry.at, reverse=True)[:limit]


def audit_page(
    database: Database, *, lookups: bool, who: str, action: str, before: int | None, limit: int
) -> AuditPage:
    """Changes, or calls that asked for customers, before a row of the log; of somebody, or of one kind.

    `action` is the beginning of an action's name. An entry of calls is what one caller asked between two
    looks of the service.
    """
    table = CALLS if lookups else AUDIT
    with database.reading() as connection:
        newest = (
            before
            if before is not None
            else (connection.execute(select(func.max(table.c.id))).scalar() or 0) + 1
        )
        oldest = max(0, newest - SCANNED)
        statement = select(table).where(table.c.id < newest, table.c.id >= oldest)
        if who:
            statement = statement.where(table.c.who == who)
        if action:
            statement = statement.where(table.c.action.startswith(action, autoescape=True))
        rows = connection.execute(statement.order_by(table.c.id.desc()).limit(limit + 1)).mappings().all()
    entries = tuple(_lookup_entry(row) if lookups else _action_entry(row) for row in rows[:limit])
    if len(rows) > limit:
        return AuditPage(entries, rows[limit - 1]["id"])
    return AuditPage(entries, oldest if oldest > 1 else None)


def record_accesses(records: Database, asked: Sequence[AccessRecord]) -> None:
    """Write down who asked for whom, in one step."""
    calls: dict[tuple[str, str], list[AccessRecord]] = {}
    for one in asked:
        calls.setdefault((one.who, one.action), []).append(one)
    newest_at = max(one.at for one in asked)
    rows = [
        {
            "newest_at": newest_at,
            "who": who,
            "action": action,
            "calls": len(own),
            "at": np.array([one.at for one in own], "<i8").tobytes(),
            "customers": np.array([len(one.keys) for one in own], "<i4").tobytes(),
            "keys": np.concatenate([one.keys for one in own]).astype("<i8").tobytes(),
        }
        for (who, action), own in calls.items()
    ]
    with records.writing() as connection:
        connection.execute(insert(CALLS), rows)


def newest_accesses(
    records: Database, *, customer: int | None = None, limit: int = 100
) -> list[AccessRecord]:
    """The newest calls that asked for customers; of one customer, those that asked for them."""
    found: list[AccessRecord] = []
    with records.writing() as connection:
        rows = connection.execution_options(yield_per=100).execute(select(CALLS).order_by(CALLS.c.id.desc()))
        for _, together in groupby(rows, key=itemgetter(1)):
            calls = [call for row in together for call in _calls(*row[2:], customer=customer)]
            found += sorted(calls, key=lambda call: call.at, reverse=True)
            if len(found) >= limit:
                break
    return found[:limit]


def _action_entry(row: RowMapping) -> AuditEntry:
    customers = 0 if row["customer_key"] is None else 1
    return AuditEntry(row["at"], row["who"], row["action"], customers, row["details"])


def _lookup_entry(row: RowMapping) -> AuditEntry:
    customers = int(np.frombuffer(row["customers"], "<i4").sum())
    return AuditEntry(row["newest_at"], row["who"], row["action"], customers)


def _calls(
    who: str,
    action: str,
    calls: int,
    at: bytes,
    customers: bytes,
    keys_of_all: bytes,
    *,
    customer: int | None,
) -> Iterator[AccessRecord]:
    """The calls of a row, those for one customer if one is given, newest first."""
    keys = np.frombuffer(keys_of_all, "<i8").astype(np.int64)
    if customer is not None and customer not in keys:
        return
    instants = np.frombuffer(at, "<i8", calls).tolist()
    ends = np.cumsum(np.frombuffer(customers, "<i4"))
    for instant, own in reversed(list(zip(instants, np.split(keys, ends[:-1]), strict=True))):
        if customer is None or customer in own:
            yield AccessRecord(instant, who, action, own)

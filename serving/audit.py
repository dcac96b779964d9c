"""Who asked the service for whom: customers by key, one row a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, insert, select

from serving.records import TABLES, Records

ASKED = Table(
    "asked",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("customers", Integer, nullable=False),
    Column("keys", LargeBinary, nullable=False),
)
"""`keys` are the customer keys of a call, eight bytes each."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One call that asked for customers, by their keys; -1 for one who is not known."""

    at: int
    who: str
    action: str
    keys: NDArray[np.int64]


def note(records: Records, asked: Sequence[Asked]) -> None:
    """Write down who asked for whom, in one step."""
    rows = [
        {
            "at": one.at,
            "who": one.who,
            "action": one.action,
            "customers": len(one.keys),
            "keys": one.keys.astype("<i8").tobytes(),
        }
        for one in asked
    ]
    with records.writing() as connection:
        connection.execute(insert(ASKED), rows)


def newest(records: Records, *, customer: int | None = None, limit: int = 100) -> list[Asked]:
    """The newest calls that asked for customers; of one customer, those that asked for them."""
    found = []
    with records.writing() as connection:
        rows = connection.execution_options(yield_per=1_000).execute(
            select(ASKED).order_by(ASKED.c.id.desc())
        )
        for row in rows.mappings():
            keys = np.frombuffer(row["keys"], dtype="<i8")
            if customer is None or customer in keys:
                found.append(Asked(row["at"], row["who"], row["action"], keys))
            if len(found) == limit:
                break
    return found

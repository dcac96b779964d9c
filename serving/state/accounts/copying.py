"""Accounts that go along into a package: who they are, their roles and the hashes of their passwords."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select

from serving.state.database import Database
from serving.state.tables import PEOPLE


@dataclass(frozen=True)
class CopiedAccount:
    """An account as another database takes it over: without one-time links, sessions and visits."""

    name: str
    name_key: str
    display_name: str
    role: str
    password_hash: str
    created_at: int


def accounts_to_copy(database: Database) -> list[CopiedAccount]:
    """The accounts that somebody can sign in with: neither disabled nor without a password."""
    columns = [PEOPLE.c[name] for name in CopiedAccount.__dataclass_fields__]
    can_sign_in = PEOPLE.c.disabled_at.is_(None) & (PEOPLE.c.password_hash != "")
    with database.reading() as connection:
        rows = connection.execute(select(*columns).where(can_sign_in).order_by(PEOPLE.c.id)).mappings()
        return [CopiedAccount(**row) for row in rows]


def copy_accounts(database: Database, accounts: Iterable[CopiedAccount]) -> None:
    """Add accounts of another project's database."""
    rows = [asdict(one) for one in accounts]
    if rows:
        with database.writing() as connection:
            connection.execute(insert(PEOPLE), rows)

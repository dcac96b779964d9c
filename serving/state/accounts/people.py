"""Accounts of people: names, roles, password hashes and one-time links."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from features.errors import UsageError
from serving.schemas.roles import ROLES, Role
from serving.state.accounts.sessions import end_sessions
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import PEOPLE

LONGEST_NAME = 60
RESERVED = frozenset({"command line", "local", "nobody", "unknown", "kizuna"})
"""Names that the audit log gives to those who are no person."""


@dataclass(frozen=True)
class Account:
    """The account of a person, without its secrets. Instants in microseconds UTC."""

    id: int
    name: str
    display_name: str
    role: Role
    created_at: int
    disabled_at: int | None
    last_sign_in_at: int | None
    has_password: bool
    link_expires_at: int | None
    """Until when the one-time link opens, by this machine's clock; None where there is none."""

    @property
    def shown_name(self) -> str:
        """The name as people read it."""
        return self.display_name or self.name

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None


def name_key(name: str) -> str:
    """A name as it is compared: `Hanako` and `ｈａｎａｋｏ` are one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def checked_name(name: str) -> str:
    """A name that an account can have; raises `UsageError` for others."""
    text = unicodedata.normalize("NFKC", name).strip()
    if not 1 <= len(text) <= LONGEST_NAME or not text.isprintable():
        raise UsageError(
            f"cannot make an account of this name: a name has 1 to {LONGEST_NAME} letters, digits and signs. "
            "Use another one.",
            field="name",
        )
    if name_key(text) in RESERVED:
        raise UsageError(
            f"cannot make an account named '{text}': the audit log uses that name. Use another one.",
            field="name",
        )
    return text


def checked_role(role: str) -> Role:
    """A role by its name; raises `UsageError` for an unknown one."""
    for known in ROLES:
        if role == known:
            return known
    raise UsageError(f"cannot give the role '{role}': the roles are {', '.join(ROLES)}.", field="role")


def add_account(
    database: Database,
    name: str,
    role: str,
    now: int,
    *,
    who: str,
    display_name: str = "",
    password_hash: str = "",
) -> Account:
    """Make an account; raises `UsageError` for a name in use, one that cannot be, and an unknown role."""
    text, given = checked_name(name), checked_role(role)
    taken = UsageError(
        f"cannot add '{text}': there is an account of that name. Choose another name, or change that one.",
        field="name",
    )
    row = {
        "name": text,
        "name_key": name_key(text),
        "display_name": display_name.strip()[:100],
        "role": given,
        "password_hash": password_hash,
        "created_at": now,
    }
    try:
        with database.writing() as connection:
            connection.execute(insert(PEOPLE).values(row))
            record_action(connection, who, "users add", now, details=f"{text} as {given}")
    except IntegrityError:
        raise taken from None
    return account(database, text)


def list_accounts(database: Database) -> list[Account]:
    """Every account, in the order in which they were made."""
    with database.reading() as connection:
        return [
            account_of_row(row) for row in connection.execute(select(PEOPLE).order_by(PEOPLE.c.id)).mappings()
        ]


def any_account(database: Database) -> bool:
    """Whether there is an account that is not disabled."""
    return database.first(select(PEOPLE.c.id).where(PEOPLE.c.disabled_at.is_(None))) is not None


def account(database: Database, name: str) -> Account:
    """The account of a name; raises `UsageError` where there is none."""
    found = find_account(database, name)
    if found is None:
        raise _unknown(name)
    return found


def find_account(database: Database, name: str) -> Account | None:
    """The account of a name, None where there is none."""
    row = database.first(select(PEOPLE).where(PEOPLE.c.name_key == name_key(name)))
    return None if row is None else account_of_row(row)


def password_hash_of(database: Database, name: str) -> str:
    """The hash of a person's password; empty where there is no such person, no password, or no way in."""
    row = database.first(
        select(PEOPLE.c.password_hash).where(
            PEOPLE.c.name_key == name_key(name), PEOPLE.c.disabled_at.is_(None)
        )
    )
    return "" if row is None else str(row["password_hash"])


def change_role(database: Database, name: str, role: str, now: int, *, who: str) -> Account:
    """Give a person another role; the last administrator keeps theirs."""
    given = checked_role(role)
    with database.writing() as connection:
        _lock_administrators(connection)
        found = account_in(connection, name)
        if found.role != given:
            connection.execute(update(PEOPLE).where(PEOPLE.c.id == found.id).values(role=given))
            if found.is_enabled and found.role == "administrator":
                _refuse_without_administrator(connection, found.name, "change the role of")
            record_action(connection, who, "users role", now, details=f"{found.name}: {found.role} → {given}")
    return account(database, name)


def disable(database: Database, name: str, now: int, machine_now: int, *, who: str) -> Account:
    """Let a person in no more and end their sessions; the last administrator stays."""
    with database.writing() as connection:
        _lock_administrators(connection)
        found = account_in(connection, name)
        if found.is_enabled:
            connection.execute(
                update(PEOPLE)
                .where(PEOPLE.c.id == found.id)
                .values(disabled_at=now, link_hash=None, link_expires_at=None)
            )
            if found.role == "administrator":
                _refuse_without_administrator(connection, found.name, "disable")
            end_sessions(connection, found.id, machine_now)
            record_action(connection, who, "users disable", now, details=found.name)
    return account(database, name)


def enable(database: Database, name: str, now: int, *, who: str) -> Account:
    """Let a person in again who was disabled; password and role are those of before."""
    with database.writing() as connection:
        found = account_in(connection, name)
        if not found.is_enabled:
            connection.execute(update(PEOPLE).where(PEOPLE.c.id == found.id).values(disabled_at=None))
            record_action(connection, who, "users enable", now, details=found.name)
    return account(database, name)


def set_password(
    database: Database,
    name: str,
    password_hash: str,
    now: int,
    machine_now: int,
    *,
    who: str,
    current_session: str = "",
) -> None:
    """Give a person this password and end their sessions, save the one with this token."""
    with database.writing() as connection:
        found = account_in(connection, name)
        connection.execute(
            update(PEOPLE)
            .where(PEOPLE.c.id == found.id)
            .values(password_hash=password_hash, link_hash=None, link_expires_at=None)
        )
        end_sessions(connection, found.id, machine_now, current=current_session)
        record_action(connection, who, "users password", now, details=found.name)


def replace_hash(database: Database, person: int, password_hash: str) -> None:
    """Keep a hash of the same password that was made with the parameters of today."""
    with database.writing() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.id == person).values(password_hash=password_hash))


def _lock_administrators(connection: Connection) -> None:
    """Let changes of administrators wait for each other: of two who demote each other one stays."""
    is_one = PEOPLE.c.role == "administrator"
    connection.execute(update(PEOPLE).where(is_one).values(role="administrator"))


def _refuse_without_administrator(connection: Connection, name: str, what: str) -> None:
    left = connection.execute(
        select(func.count())
        .select_from(PEOPLE)
        .where(PEOPLE.c.role == "administrator", PEOPLE.c.disabled_at.is_(None))
    ).scalar_one()
    if left == 0:
        raise UsageError(
            f"cannot {what} '{name}': nobody else is an administrator. Make another one first.", field="name"
        )


def account_in(connection: Connection, name: str) -> Account:
    """The account of a name, within a change; raises `UsageError` where there is none."""
    row = connection.execute(select(PEOPLE).where(PEOPLE.c.name_key == name_key(name))).mappings().first()
    if row is None:
        raise _unknown(name)
    return account_of_row(row)


def account_of_row(row: RowMapping) -> Account:
    """An account from a row of the table of people."""
    return Account(
        row["id"],
        row["name"],
        row["display_name"],
        row["role"],
        row["created_at"],
        row["disabled_at"],
        row["last_sign_in_at"],
        bool(row["password_hash"]),
        row["link_expires_at"],
    )


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"cannot find the account '{name}': there is none of that name. See `kizuna users list`.",
        field="name",
    )

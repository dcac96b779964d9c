"""One-time links with which people choose a password; only the hash of their token is stored."""

from __future__ import annotations

from sqlalchemy import select, update

from features.errors import UsageError
from serving.state.accounts.people import Account, account, account_in, account_of_row
from serving.state.accounts.sessions import digest, end_sessions, new_token
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import PEOPLE


def make_link(
    database: Database, name: str, now: int, machine_now: int, lasts: int, *, who: str
) -> tuple[Account, str]:
    """A one-time link with which a person chooses a password; an older one opens no more. Gives its token."""
    token = new_token()
    with database.writing() as connection:
        found = account_in(connection, name)
        if not found.is_enabled:
            raise UsageError(
                f"cannot make a link for '{found.name}': the account is disabled. Enable it first.",
                field="name",
            )
        connection.execute(
            update(PEOPLE)
            .where(PEOPLE.c.id == found.id)
            .values(link_hash=digest(token), link_expires_at=machine_now + lasts)
        )
        record_action(connection, who, "users link", now, details=found.name)
    return account(database, name), token


def account_of_link(database: Database, token: str, machine_now: int) -> Account:
    """Whose link this is; raises `UsageError` for one that opens nothing any more."""
    row = database.first(select(PEOPLE).where(PEOPLE.c.link_hash == digest(token)))
    found = None if row is None else account_of_row(row)
    if found is None or not found.is_enabled or (found.link_expires_at or 0) <= machine_now:
        raise UsageError(
            "cannot use this link: it was used already, or a day has passed. "
            "Ask an administrator for a new one.",
            field="link",
        )
    return found


def use_link(database: Database, token: str, password_hash: str, now: int, machine_now: int) -> Account:
    """Give the person of a one-time link this password and end their sessions; the link opens no more."""
    found = account_of_link(database, token, machine_now)
    with database.writing() as connection:
        used = connection.execute(
            update(PEOPLE)
            .where(PEOPLE.c.id == found.id, PEOPLE.c.link_hash == digest(token))
            .values(password_hash=password_hash, link_hash=None, link_expires_at=None)
        )
        if used.rowcount:
            end_sessions(connection, found.id, machine_now)
            record_action(connection, found.name, "users password", now, details=f"{found.name} by link")
    if used.rowcount == 0:
        account_of_link(database, token, machine_now)
    return found

"""Sessions of people who signed in: never the token itself, only its hash.

Instants are this machine's (`Workspace.machine_now`): a session ends by the clock on the wall also where a
project's time is simulated.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from serving.schemas.roles import Role
from serving.state.audit_log import record_action
from serving.state.database import DATABASE_ERRORS, Database
from serving.state.tables import PEOPLE, SESSIONS

MINUTE = 60_000_000
"""Microseconds."""
KEPT_FOR = 30 * 24 * 60 * MINUTE
"""How long an ended session is kept: an address from which somebody signed in lately is known."""
CLOCK_TOLERANCE = 5 * MINUTE
"""How far in the future a session may have begun: machines that share a database differ a little."""


@dataclass(frozen=True)
class PersonSession:
    """A session that is open. Instants in microseconds UTC."""

    id: int
    created_at: int
    last_seen_at: int
    expires_at: int
    address: str
    agent: str
    is_own: bool
    """Whether it is the one that asks."""


@dataclass(frozen=True)
class SignedIn:
    """Whose session a token opens."""

    person: int
    name: str
    display_name: str
    role: Role


def new_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """The hash of a token, which is all that is stored of it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def begin_session(
    database: Database,
    person: int,
    name: str,
    now: int,
    machine_now: int,
    lasts: int,
    *,
    address: str,
    agent: str,
    earlier: str = "",
) -> str:
    """Begin a session and give its token; the browser's `earlier` one ends, old ones are deleted.

    `now` is the project's instant, for the audit; the session itself goes by `machine_now`.
    """
    token = new_token()
    with database.writing() as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < machine_now - KEPT_FOR))
        if earlier:
            end_session(connection, earlier, machine_now)
        connection.execute(
            insert(SESSIONS).values(
                hash=digest(token),
                person=person,
                created_at=machine_now,
                last_seen_at=machine_now,
                expires_at=machine_now + lasts,
                address=address[:50],
                agent=agent[:200],
            )
        )
        connection.execute(update(PEOPLE).where(PEOPLE.c.id == person).values(last_sign_in_at=now))
        record_action(connection, name, "sign in", now, details=address)
    return token


def find_session(database: Database, token: str, now: int, idle: int) -> SignedIn | None:
    """Whose session a token opens at this instant; None for one that ended, or of a disabled person.

    Notes once a minute that it was seen.
    """
    row = database.first(
        select(SESSIONS.c.id, SESSIONS.c.last_seen_at, PEOPLE.c.id.label("person"), PEOPLE.c.name)
        .add_columns(PEOPLE.c.display_name, PEOPLE.c.role)
        .join(PEOPLE, PEOPLE.c.id == SESSIONS.c.person)
        .where(SESSIONS.c.hash == digest(token), PEOPLE.c.disabled_at.is_(None), _is_open(now, idle))
    )
    if row is None:
        return None
    if abs(now - row["last_seen_at"]) > MINUTE:
        # Who is signed in stays so while nothing can be written: the next visit notes it.
        with suppress(*DATABASE_ERRORS), database.writing() as connection:
            connection.execute(update(SESSIONS).where(SESSIONS.c.id == row["id"]).values(last_seen_at=now))
    return SignedIn(row["person"], row["name"], row["display_name"], row["role"])


def list_sessions(database: Database, person: int, now: int, idle: int, own: str = "") -> list[PersonSession]:
    """The open sessions of a person, the one that was seen last first."""
    statement = (
        select(SESSIONS)
        .where(SESSIONS.c.person == person, _is_open(now, idle))
        .order_by(SESSIONS.c.last_seen_at.desc(), SESSIONS.c.id.desc())
    )
    with database.reading() as connection:
        return [
            PersonSession(
                row["id"],
                row["created_at"],
                row["last_seen_at"],
                row["expires_at"],
                row["address"],
                row["agent"],
                bool(own) and row["hash"] == digest(own),
            )
            for row in connection.execute(statement).mappings()
        ]


def open_sessions(database: Database, now: int, idle: int) -> dict[int, int]:
    """How many open sessions each person has; those who have none are left out."""
    statement = select(SESSIONS.c.person, func.count()).where(_is_open(now, idle)).group_by(SESSIONS.c.person)
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def end_sessions(connection: Connection, person: int, now: int, *, current: str = "") -> int:
    """End the sessions of a person, save the one with this token; says how many."""
    statement = update(SESSIONS).where(SESSIONS.c.person == person, SESSIONS.c.ended_at.is_(None))
    if current:
        statement = statement.where(SESSIONS.c.hash != digest(current))
    return connection.execute(statement.values(ended_at=now)).rowcount


def end_every_session(database: Database, now: int) -> None:
    """End the sessions of everybody and close every one-time link, as in a database that was restored."""
    with database.writing() as connection:
        connection.execute(update(SESSIONS).where(SESSIONS.c.ended_at.is_(None)).values(ended_at=now))
        connection.execute(update(PEOPLE).values(link_hash=None, link_expires_at=None))


def end_session(connection: Connection, token: str, now: int) -> int:
    """End the session of a token; says how many that were."""
    return connection.execute(
        update(SESSIONS)
        .where(SESSIONS.c.hash == digest(token), SESSIONS.c.ended_at.is_(None))
        .values(ended_at=now)
    ).rowcount


def knows_address(database: Database, person: int, address: str) -> bool:
    """Whether a person signed in from an address lately."""
    return (
        database.first(
            select(SESSIONS.c.id).where(SESSIONS.c.person == person, SESSIONS.c.address == address[:50])
        )
        is not None
    )


def _is_open(now: int, idle: int) -> ColumnElement[bool]:
    """Neither ended nor expired nor idle. One from the future, after a clock was set back, is not open."""
    return (
        SESSIONS.c.ended_at.is_(None)
        & (SESSIONS.c.expires_at > now)
        & (SESSIONS.c.last_seen_at > now - idle)
        & (SESSIONS.c.created_at <= now + CLOCK_TOLERANCE)
    )

"""API keys: never the keys themselves, only their hashes and what they open.

A name can have several keys: the one in use, those that were rotated and open until their grace ends, and
those that open nothing any more.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from features.errors import UsageError
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import KEYS

SCOPES = ("read", "score", "write", "admin")


@dataclass(frozen=True)
class ApiKey:
    """An API key as it is stored. Instants in microseconds UTC."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created_at: int
    last_used_at: int | None
    revoked_at: int | None
    """In the future for one that was rotated and still opens."""
    hash: str = ""

    def opens(self, now: int) -> bool:
        """Whether it is valid at this instant."""
        return self.revoked_at is None or self.revoked_at > now


def add_key(database: Database, name: str, scopes: tuple[str, ...], now: int, *, who: str) -> str:
    """Make a key and return it; it is shown once, only its hash is stored."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise UsageError(
            f"cannot give a key the scope '{unknown[0]}': the scopes are {', '.join(SCOPES)}",
            field="scopes",
        )
    with database.writing() as connection:
        if connection.execute(select(KEYS.c.id).where(_opens(name, now))).first():
            raise UsageError(
                f"cannot add a key named '{name}': one with that name is in use. "
                "Choose another name, or revoke that one first.",
                field="name",
            )
        key = _insert(connection, name, scopes, now)
        record_action(connection, who, "keys add", now, details=name)
    return key


def rotate_key(database: Database, name: str, now: int, grace: int, *, who: str) -> str:
    """A new key of this name and its scopes; the one in use opens for `grace` microseconds more.

    Both happen together or not at all. Keys that were rotated before keep the end that they have.
    """
    with database.writing() as connection:
        in_use = (KEYS.c.name == name) & KEYS.c.revoked_at.is_(None)
        scopes = connection.execute(select(KEYS.c.scopes).where(in_use).order_by(KEYS.c.id)).scalars().first()
        if (
            scopes is None
            or connection.execute(update(KEYS).where(in_use).values(revoked_at=now + grace)).rowcount == 0
        ):
            raise _not_in_use("rotate", name)
        key = _insert(connection, name, tuple(scopes.split()), now)
        record_action(connection, who, "keys rotate", now, details=name)
    return key


def revoke_keys(database: Database, name: str, now: int, *, who: str) -> int:
    """Close every key of this name at once, those in their grace too; says how many."""
    with database.writing() as connection:
        closed = connection.execute(update(KEYS).where(_opens(name, now)).values(revoked_at=now)).rowcount
        if closed == 0:
            raise _not_in_use("revoke", name)
        record_action(connection, who, "keys revoke", now, details=name)
    return closed


def list_keys(database: Database) -> list[ApiKey]:
    """Every key there is or was, oldest first."""
    with database.reading() as connection:
        rows = connection.execute(select(KEYS).order_by(KEYS.c.id))
        return [
            ApiKey(number, name, tuple(scopes.split()), created_at, last_used_at, revoked_at, key_hash)
            for number, name, key_hash, scopes, created_at, last_used_at, revoked_at in rows
        ]


def any_key(database: Database) -> bool:
    """Whether there is a key in use."""
    return database.first(select(KEYS.c.id).where(KEYS.c.revoked_at.is_(None))) is not None


def record_key_use(database: Database, key_id: int, now: int) -> None:
    """Note when a key was used last."""
    with database.writing() as connection:
        connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(last_used_at=now))


def copy_keys(database: Database, keys: Iterable[ApiKey]) -> None:
    """Add keys of another project's database, by their hashes."""
    names = ("name", "hash", "created_at", "revoked_at")
    rows = [{name: getattr(key, name) for name in names} | {"scopes": " ".join(key.scopes)} for key in keys]
    if rows:
        with database.writing() as connection:
            connection.execute(insert(KEYS), rows)


def digest(key: str) -> str:
    """The hash of a key, which is all that is stored of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _opens(name: str, now: int) -> ColumnElement[bool]:
    return (KEYS.c.name == name) & or_(KEYS.c.revoked_at.is_(None), KEYS.c.revoked_at > now)


def _insert(connection: Connection, name: str, scopes: tuple[str, ...], now: int) -> str:
    key = "kz_" + secrets.token_urlsafe(32)
    connection.execute(
        insert(KEYS).values(name=name, hash=digest(key), scopes=" ".join(sorted(set(scopes))), created_at=now)
    )
    return key


def _not_in_use(what: str, name: str) -> UsageError:
    return UsageError(
        f"cannot {what} the key '{name}': no key in use has that name. "
        "See `kizuna keys list` for those there are.",
        field="name",
    )

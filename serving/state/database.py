"""Records of what people and the service did: which scores and champion are in use, keys, audit.

SQLite by default, any database SQLAlchemy knows by URL. Tables are append-only where history matters:
the newest row of `scores` and of `champions` is the one in use, so a swap is one insert and every earlier
answer can be shown again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    create_engine,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from features.errors import DataError, UsageError

SCOPES = ("read", "score", "write", "admin")

TABLES = MetaData()
SCORES = Table(
    "scores",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("file", String(200), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("model_version", String(50), nullable=False),
    Column("data_version", String(100), nullable=False),
    Column("customers", BigInteger, nullable=False),
    Column("scored_at", BigInteger, nullable=False),
)
CHAMPIONS = Table(
    "champions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("version", String(50), nullable=False),
    Column("fingerprint", String(12), nullable=False),
    Column("since", BigInteger, nullable=False),
)
KEYS = Table(
    "api_keys",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)
AUDIT = Table(
    "audit",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("customer_key", BigInteger),
    Column("details", String(1000), nullable=False, default=""),
)


@dataclass(frozen=True)
class ScoreFile:
    """One row of `scores`: a file of answers, and where they came from. Instants in microseconds UTC."""

    file: str
    as_of: int
    model_version: str
    data_version: str
    customers: int
    scored_at: int


@dataclass(frozen=True)
class ApiKey:
    """An API key as it is kept: never the key itself, only what it opens."""

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


class Database:
    """The database of a project; tables are made where they are missing."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        if target.drivername == "sqlite" and target.database:
            Path(target.database).parent.mkdir(parents=True, exist_ok=True)
        if target.drivername in ("postgresql", "postgres"):
            target = target.set(drivername="postgresql+psycopg")
        away = {"connect_timeout": 5} if target.drivername.startswith("postgresql") else {}
        # A connection that broke meanwhile is replaced, so that a database that was away is met again.
        self._engine = create_engine(target, pool_pre_ping=True, connect_args=away)
        if target.drivername == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        try:
            TABLES.create_all(self._engine)
        except DBAPIError as error:
            self.close()
            raise DataError(
                f"cannot open the records at {target.render_as_string()}: {error.orig}. "
                "Check that the database can be reached and written."
            ) from None

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are kept together, or not at all."""
        with self._engine.begin() as connection:
            yield connection

    def _newest(self, statement: Any) -> RowMapping | None:
        with self._engine.connect() as connection:
            return connection.execute(statement.limit(1)).mappings().first()

    # scores

    def use_scores(self, scores: ScoreFile) -> None:
        """Make these the current scores."""
        with self.writing() as connection:
            connection.execute(insert(SCORES).values(**vars(scores)))

    def scores(self) -> ScoreFile | None:
        """The scores in use."""
        return _score_file(self._newest(select(SCORES).order_by(SCORES.c.id.desc())))

    def score_file(self, file: str) -> ScoreFile | None:
        """The scores of this file, if they were ever in use."""
        return _score_file(
            self._newest(select(SCORES).where(SCORES.c.file == file).order_by(SCORES.c.id.desc()))
        )

    def scores_before(self, as_of: int) -> ScoreFile | None:
        """The newest scores of an earlier as-of date."""
        earlier = select(SCORES).where(SCORES.c.as_of < as_of)
        return _score_file(self._newest(earlier.order_by(SCORES.c.as_of.desc(), SCORES.c.id.desc())))

    # champions

    def use_champion(self, version: str, fingerprint: str, now: int) -> None:
        """Make this bundle the one in use."""
        with self.writing() as connection:
            connection.execute(insert(CHAMPIONS).values(version=version, fingerprint=fingerprint, since=now))

    def champion(self) -> tuple[str, str] | None:
        """Version and fingerprint of the bundle in use."""
        row = self._newest(select(CHAMPIONS).order_by(CHAMPIONS.c.id.desc()))
        return None if row is None else (row["version"], row["fingerprint"])

    # keys

    def add_key(self, name: str, scopes: tuple[str, ...], now: int) -> str:
        """Make a key and return it; it is shown once, only its hash is kept."""
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown:
            raise UsageError(
                f"cannot give a key the scope '{unknown[0]}': the scopes are {', '.join(SCOPES)}",
                field="scopes",
            )
        with self.writing() as connection:
            held = select(KEYS.c.id).where(KEYS.c.name == name, KEYS.c.revoked_at.is_(None))
            if connection.execute(held).first():
                raise UsageError(
                    f"cannot add a key named '{name}': one with that name is in use. "
                    "Choose another name, or revoke that one first.",
                    field="name",
                )
            key = "kz_" + secrets.token_urlsafe(32)
            connection.execute(
                insert(KEYS).values(
                    name=name, hash=digest(key), scopes=" ".join(sorted(set(scopes))), created_at=now
                )
            )
        return key

    def keys(self) -> list[ApiKey]:
        """Every key there is or was, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.id)).mappings()
            return [_key(row) for row in rows]

    def any_key(self) -> bool:
        """Whether there is a key in use."""
        return self._newest(select(KEYS.c.id).where(KEYS.c.revoked_at.is_(None))) is not None

    def key(self, text: str) -> ApiKey | None:
        """The valid key this text is, if any."""
        given = digest(text)
        with self._engine.connect() as connection:
            row = connection.execute(select(KEYS).where(KEYS.c.hash == given)).mappings().first()
        if row is None or not hmac.compare_digest(row["hash"], given) or row["revoked_at"] is not None:
            return None
        return _key(row)

    def key_used(self, key_id: int, now: int) -> None:
        with self.writing() as connection:
            connection.execute(update(KEYS).where(KEYS.c.id == key_id).values(last_used_at=now))

    def take_keys(self, keys: Iterable[ApiKey]) -> None:
        """Add keys of another project's records, by their hashes."""
        names = ("name", "hash", "created_at", "revoked_at")
        rows = [
            {name: getattr(key, name) for name in names} | {"scopes": " ".join(key.scopes)} for key in keys
        ]
        if rows:
            with self.writing() as connection:
                connection.execute(insert(KEYS), rows)

    def rotate_key(self, name: str, now: int, grace: int) -> str:
        """A new key of this name and its scopes; the old one opens for `grace` microseconds more."""
        old = [key for key in self.keys() if key.name == name and key.revoked_at is None]
        self.revoke_key(name, now + grace)
        return self.add_key(name, old[0].scopes, now)

    def revoke_key(self, name: str, now: int) -> None:
        with self.writing() as connection:
            live = (KEYS.c.name == name) & KEYS.c.revoked_at.is_(None)
            if connection.execute(update(KEYS).where(live).values(revoked_at=now)).rowcount == 0:
                raise UsageError(
                    f"cannot revoke the key '{name}': no key in use has that name. "
                    "See `kizuna keys list` for those there are.",
                    field="name",
                )

    # audit

    def note(self, who: str, action: str, now: int, customer: int | None = None, details: str = "") -> None:
        """Write one line into the audit log; customers are named by key only."""
        with self.writing() as connection:
            connection.execute(
                insert(AUDIT).values(at=now, who=who, action=action, customer_key=customer, details=details)
            )


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Let readers go on while one writes, and let writers wait for each other."""
    cursor = connection.cursor()
    cursor.execute("pragma busy_timeout = 10000")
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("pragma synchronous = normal")
    cursor.close()


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _score_file(row: RowMapping | None) -> ScoreFile | None:
    if row is None:
        return None
    return ScoreFile(**{name: row[name] for name in ScoreFile.__dataclass_fields__})


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(
        row["id"],
        row["name"],
        tuple(row["scopes"].split()),
        row["created_at"],
        row["last_used_at"],
        row["revoked_at"],
        row["hash"],
    )

"""The database of a project: what people and the service did. SQLite by default, any SQLAlchemy URL.

`tables.py` has the tables; `api_keys.py`, `scores/score_index.py`, `audit_log.py`, `outbox.py`, `backups.py`,
`campaign_index.py`, `uplift_index.py`, `playbook_versions.py` and others read and write them.
Tables are append-only where history matters: the newest row of `scores` and of `champions` is the one in
use, so a swap is one insert and every earlier answer can be shown again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection

from sqlalchemy import Connection, RowMapping, Select, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from features.errors import DataError
from serving.state.tables import TABLES

DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError,)
"""What a database that is away, locked or damaged raises."""


class Database:
    """The database of a project; tables are made where they are missing.

    With `lazily`, at the first use: a command that needs no database works while it is away.
    """

    def __init__(self, url: str, *, lazily: bool = False) -> None:
        target = make_url(url)
        if target.drivername in ("postgresql", "postgres"):
            target = target.set(drivername="postgresql+psycopg")
        away = {"connect_timeout": 5} if target.drivername.startswith("postgresql") else {}
        self.url = target
        # A connection that broke meanwhile is replaced, so that a database that was away is met again.
        self._engine = create_engine(target, pool_pre_ping=True, connect_args=away)
        if target.drivername == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
        self._prepared = False
        if not lazily:
            self._prepare()

    def _prepare(self) -> None:
        if self._prepared:
            return
        if self.url.drivername == "sqlite" and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            TABLES.create_all(self._engine)
        except DBAPIError as error:
            self.close()
            raise DataError(
                f"cannot open the records at {self.url.render_as_string()}: {error.orig}. "
                "Check that the database can be reached and written."
            ) from None
        self._prepared = True

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are kept together, or not at all."""
        self._prepare()
        with self._engine.begin() as connection:
            yield connection

    def lasting_connection(self) -> Connection:
        """A connection outside the pool that begins no transaction; whoever takes it closes it."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that changes nothing."""
        self._prepare()
        with self._engine.connect() as connection:
            yield connection

    def first(self, statement: Select[tuple[object, ...]]) -> RowMapping | None:
        """The first row of a query, None where it has none."""
        with self.reading() as connection:
            return connection.execute(statement.limit(1)).mappings().first()


def _prepare_sqlite(connection: SQLiteConnection, _: object) -> None:
    """Let readers go on while one writes, and let writers wait for each other."""
    cursor = connection.cursor()
    cursor.execute("pragma busy_timeout = 10000")
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("pragma synchronous = normal")
    cursor.close()

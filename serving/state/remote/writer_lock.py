"""The lock of those who write to a state in an object store: an advisory lock in PostgreSQL.

It ends with the connection, and so with the process, however that ends. A pool of connections that gives out
another one for each transaction (PgBouncer in that mode) cannot hold it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, text

from features.errors import DataError
from serving.state.database import DATABASE_ERRORS, Database

_TRY, _WAIT = text("select pg_try_advisory_lock(:number)"), text("select pg_advisory_lock(:number)")
_LET_GO = text("select pg_advisory_unlock(:number)")
_HELD = text(
    "select count(*) from pg_locks where locktype = 'advisory' and granted and pid = pg_backend_pid()"
)


class AdvisoryLock:
    """A lock that machines share by its name, the URL of the state."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        self._number = int.from_bytes(digest, "big", signed=True)

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """Wait for the lock, calling `waiting` first where another holds it; yields whether it still holds.

        Raises `DataError` where the database does not answer.
        """
        with self._connection() as connection:
            number = {"number": self._number}
            try:
                if not connection.execute(_TRY, number).scalar():
                    waiting()
                    connection.execute(_WAIT, number)
            except DATABASE_ERRORS as error:
                raise self._away() from error
            try:
                yield lambda: _holds(connection)
            finally:
                with suppress(*DATABASE_ERRORS):  # a connection that broke has let go already
                    connection.execute(_LET_GO, number)

    @contextmanager
    def tried(self) -> Iterator[bool]:
        """Take the lock without waiting; yields whether it was free, and holds it until the end if so.

        Raises `DataError` where the database does not answer.
        """
        number = {"number": self._number}
        with self._connection() as connection:
            try:
                taken = bool(connection.execute(_TRY, number).scalar())
            except DATABASE_ERRORS as error:
                raise self._away() from error
            try:
                yield taken
            finally:
                if taken:
                    with suppress(*DATABASE_ERRORS):
                        connection.execute(_LET_GO, number)

    def is_held(self) -> bool:
        """Whether anybody holds the lock now."""
        number = {"number": self._number}
        with self._connection() as connection:
            try:
                free = bool(connection.execute(_TRY, number).scalar())
            except DATABASE_ERRORS as error:
                raise self._away() from error
        return not free  # what was taken here ends with the connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._database.lasting_connection()
        except DATABASE_ERRORS as error:
            raise self._away() from error
        try:
            yield connection
        finally:
            with suppress(*DATABASE_ERRORS):
                connection.close()

    def _away(self) -> DataError:
        return DataError(
            f"cannot write to {self._name}: the database of the records, which holds the lock of its "
            "writers, does not answer. Start it, or correct `records` in kizuna.toml."
        )


def _holds(connection: Connection) -> bool:
    try:
        return bool(connection.execute(_HELD).scalar())
    except DATABASE_ERRORS:
        return False

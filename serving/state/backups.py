"""The archives that were written of a project, as its database knows them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import BACKUPS


@dataclass(frozen=True)
class BackupRecord:
    """An archive that was written; where it is now, nobody can say."""

    file: str
    at: int
    """Microseconds UTC."""
    data_version: str
    state: str
    """The state folder of the project that it was made from."""


def record_backup(database: Database, backup: BackupRecord, *, who: str) -> None:
    """Note an archive, and who wrote it."""
    with database.writing() as connection:
        connection.execute(insert(BACKUPS).values(**vars(backup)))
        record_action(connection, who, "backup", backup.at, details=backup.file)


def known_backups(database: Database) -> list[BackupRecord]:
    """Every archive that was ever written, oldest first."""
    with database.reading() as connection:
        columns = (BACKUPS.c.file, BACKUPS.c.at, BACKUPS.c.data_version, BACKUPS.c.state)
        rows = connection.execute(select(*columns).order_by(BACKUPS.c.id))
        return [BackupRecord(*row) for row in rows]

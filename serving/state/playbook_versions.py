"""The versions of `playbook.toml` as rows of the database: each text with who saved it, when and why.

The file is the playbook; a row is its memory. Rows are only added, numbered from 1 without a gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.exc import IntegrityError

from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import PLAYBOOK_VERSIONS

SAVED, RESTORED, OUTSIDE = "saved", "restored", "outside"
"""How a version came to be: saved or restored through Kizuna, or written into the file by somebody else."""
LONGEST_NOTE = 500


@dataclass(frozen=True)
class PlaybookVersion:
    """One version of the file."""

    number: int
    at: int
    """When it was saved; of one that was changed outside, when that was noticed. Microseconds UTC."""
    who: str
    """Who saved it; empty where nobody knows."""
    how: str
    """`saved`, `restored` or `outside`."""
    note: str
    fingerprint: str
    restored: int | None
    """The number of the version that it brought back."""


@dataclass(frozen=True)
class NewVersion:
    """What is to become the newest version."""

    text: str
    at: int
    who: str
    how: str
    note: str = ""
    restored: int | None = None


def fingerprint(content: bytes) -> str:
    """What tells a playbook's text from others: 16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def add_version(
    database: Database, new: NewVersion, write: Callable[[], None] | None = None
) -> PlaybookVersion | None:
    """Add the newest version, in one transaction with `write`, which puts the text in force.

    The row comes first and holds the place: what `write` raises takes it back. None, and nothing is written,
    where somebody else took the place.
    """
    newest = select(func.coalesce(func.max(PLAYBOOK_VERSIONS.c.number), 0))
    with database.reading() as connection:
        number = int(connection.execute(newest).scalar_one()) + 1
    version = PlaybookVersion(
        number,
        new.at,
        new.who[:100],
        new.how,
        new.note[:LONGEST_NOTE],
        fingerprint(new.text.encode()),
        new.restored,
    )
    try:
        with database.writing() as connection:
            connection.execute(insert(PLAYBOOK_VERSIONS).values(**vars(version), text=new.text))
            if new.who:
                said = f"version {number} ({version.fingerprint})" + (f": {version.note}" if new.note else "")
                record_action(connection, new.who, f"playbook {new.how}", new.at, details=said)
            if write is not None:
                write()
    except IntegrityError:
        return None
    return version


def versions(database: Database, limit: int | None = None) -> list[PlaybookVersion]:
    """The versions, the newest first."""
    columns = [column for column in PLAYBOOK_VERSIONS.c if column.name not in ("id", "text")]
    rows = select(*columns).order_by(PLAYBOOK_VERSIONS.c.number.desc()).limit(limit)
    with database.reading() as connection:
        return [_version(row) for row in connection.execute(rows).mappings()]


def newest_with(database: Database, fingerprints: Sequence[str]) -> int | None:
    """The number of the newest version whose text has one of these fingerprints, None where none has."""
    column = PLAYBOOK_VERSIONS.c
    query = select(func.max(column.number)).where(column.fingerprint.in_(fingerprints))
    with database.reading() as connection:
        number = connection.execute(query).scalar_one()
    return None if number is None else int(number)


def text_of_version(database: Database, number: int) -> str | None:
    """The text of a version, None where there is none of this number."""
    row = database.first(select(PLAYBOOK_VERSIONS.c.text).where(PLAYBOOK_VERSIONS.c.number == number))
    return None if row is None else str(row["text"])


def _version(row: RowMapping) -> PlaybookVersion:
    return PlaybookVersion(**row)

"""Filters of the list saved under a name, and what each person chose to see: rows of the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from features.errors import UsageError
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import PREFERENCES, SAVED_FILTERS


@dataclass(frozen=True)
class SavedFilterRecord:
    """One row of `saved_filters`."""

    id: int
    name: str
    filters: str
    """The fields of the filter as JSON."""
    who: str
    """Who saved it last."""
    saved_at: int


def saved_filters(database: Database) -> list[SavedFilterRecord]:
    """Every saved filter, by name."""
    with database.reading() as connection:
        rows = connection.execute(select(SAVED_FILTERS).order_by(SAVED_FILTERS.c.name)).mappings()
        return [_record(row) for row in rows]


def add_saved_filter(database: Database, name: str, filters: str, who: str, now: int) -> int:
    """Keep a filter under a new name and return its number; raises `UsageError` for a name that is taken."""
    try:
        with database.writing() as connection:
            values = {"name": name, "filters": filters, "who": who[:100], "saved_at": now}
            result = connection.execute(insert(SAVED_FILTERS).values(**values))
            record_action(connection, who, "filter save", now, details=name)
            return int(result.inserted_primary_key[0])  # type: ignore[index] # an insert of one row has one
    except IntegrityError:
        raise _taken(name) from None


def change_saved_filter(
    database: Database,
    number: int,
    who: str,
    now: int,
    *,
    name: str | None = None,
    filters: str | None = None,
) -> None:
    """Rename a saved filter, or replace what it holds.

    Raises `UsageError` for a name that is taken, and where the filter was deleted meanwhile.
    """
    given = {"name": name, "filters": filters}
    values = {column: value for column, value in given.items() if value is not None}
    try:
        with database.writing() as connection:
            chosen = SAVED_FILTERS.c.id == number
            changed = connection.execute(
                update(SAVED_FILTERS).where(chosen).values(**values, who=who[:100], saved_at=now)
            )
            if not changed.rowcount:
                raise _gone()
            what = "filter rename" if filters is None else "filter save"
            now_named = connection.execute(select(SAVED_FILTERS.c.name).where(chosen)).scalar_one()
            record_action(connection, who, what, now, details=now_named)
    except IntegrityError:
        raise _taken(name or "") from None


def delete_saved_filter(database: Database, number: int, who: str, now: int) -> str:
    """Delete a saved filter and return its name; raises `UsageError` where it was deleted before."""
    with database.writing() as connection:
        chosen = SAVED_FILTERS.c.id == number
        name = connection.execute(select(SAVED_FILTERS.c.name).where(chosen)).scalar_one_or_none()
        if name is None:
            raise _gone()
        connection.execute(delete(SAVED_FILTERS).where(chosen))
        record_action(connection, who, "filter delete", now, details=name)
        return str(name)


def preference(database: Database, who: str, name: str) -> str | None:
    """What a person chose under this name, None where they did not choose."""
    row = database.first(select(PREFERENCES).where(PREFERENCES.c.who == who, PREFERENCES.c.name == name))
    return None if row is None else str(row["value"])


def set_preference(database: Database, who: str, name: str, value: str) -> None:
    """Keep what a person chose, in the place of what they chose before."""
    with database.writing() as connection:
        # One statement: of two at once neither finds the other's row in its way.
        is_postgresql = connection.dialect.name == "postgresql"
        into = (postgresql.insert if is_postgresql else sqlite.insert)(PREFERENCES)
        connection.execute(
            into.values(who=who, name=name, value=value).on_conflict_do_update(
                index_elements=["who", "name"], set_={"value": value}
            )
        )


def _record(row: RowMapping) -> SavedFilterRecord:
    return SavedFilterRecord(**{name: row[name] for name in SavedFilterRecord.__dataclass_fields__})


def _taken(name: str) -> UsageError:
    return UsageError(
        f"cannot save the filter '{name}': there is one of that name already. Give another name.",
        field="name",
    )


def _gone() -> UsageError:
    return UsageError("cannot change this filter: it was deleted meanwhile. Save it again under a name.")

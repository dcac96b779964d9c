"""What campaigns are for, as rows of the database."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from features.errors import UsageError
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import CAMPAIGN_NOTES

LONGEST_NOTE = 500


def campaign_notes(database: Database) -> dict[str, str]:
    """The note of each campaign that has one, by its name."""
    with database.reading() as connection:
        rows = connection.execute(select(CAMPAIGN_NOTES.c.campaign, CAMPAIGN_NOTES.c.note))
        return {row.campaign: row.note for row in rows}


def checked_campaign_note(note: str) -> str:
    """A note without the spaces around it; raises `UsageError` for one that is too long."""
    plain = note.strip()
    if len(plain) > LONGEST_NOTE:
        raise UsageError(
            f"cannot keep this note: it has {len(plain):,} characters, more than {LONGEST_NOTE}. Shorten it.",
            field="note",
        )
    return plain


def save_campaign_note(database: Database, name: str, note: str, who: str, now: int) -> None:
    """Keep a campaign's note in the place of an earlier one; an empty one takes it away."""
    with database.writing() as connection:
        connection.execute(delete(CAMPAIGN_NOTES).where(CAMPAIGN_NOTES.c.campaign == name))
        if note:
            connection.execute(insert(CAMPAIGN_NOTES).values(campaign=name, note=note, who=who, at=now))
        record_action(connection, who, "campaign note", now, details=name)

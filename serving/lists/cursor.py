"""The cursor of a page of the list: where it ended, as an opaque text."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from features.errors import UsageError


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: in which scores, after how many of the ranking and of the list."""

    file: str
    place: int
    rank: int
    choice: str
    """The fingerprint of the list's filter."""

    def __str__(self) -> str:
        text = json.dumps([self.file, self.place, self.rank, self.choice])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @staticmethod
    def of_list(text: str, choice: str) -> Cursor:
        """The cursor of a list by the fingerprint of its filter; raises `UsageError` for that of another."""
        position = Cursor.read(text)
        if position.choice != choice:
            raise UsageError(
                "cannot go on from this cursor: it belongs to a list with other filters. "
                "Send the filters of the page before, or leave the cursor out to start again.",
                field="cursor",
            )
        return position

    @staticmethod
    def read(text: str) -> Cursor:
        """The cursor that this text is; raises `UsageError` for any other text."""
        try:
            file, place, rank, choice = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            texts = isinstance(file, str) and isinstance(choice, str)
            if texts and isinstance(place, int) and isinstance(rank, int) and place >= 0 <= rank:
                return Cursor(file, place, rank, choice)
        except (ValueError, TypeError, RecursionError, binascii.Error):
            pass
        raise UsageError(
            "cannot go on from this cursor: it is none that an answer gave. "
            "Send `next_cursor` of the page before as it was, or leave it out to start again.",
            field="cursor",
        )

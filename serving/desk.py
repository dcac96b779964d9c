"""What the running service holds: the project, its records, and the scores and champion in use.

New scores and a new champion are noticed within a second and loaded beside the old ones; a request keeps
what it began with, so no answer mixes two models.
"""

from __future__ import annotations

import threading
from pathlib import Path

from features.errors import KizunaError, ModelError
from features.store import EventStore
from serving.champion import Champion, in_use
from serving.records import Key, Records
from serving.replies import Replies
from serving.settings import read

NOTICE = 1_000_000
"""Microseconds after which the records are asked again."""

USED = 60_000_000
"""Microseconds between two notes of a key's last use."""


class Desk:
    """The open project of a service; opened by the first call that needs it."""

    def __init__(self, folder: Path, *, keys_needed: bool) -> None:
        self.keys_needed = keys_needed
        self.project = read(folder)
        self.records = Records(self.project.records)
        self._lock = threading.Lock()
        self._looked = -NOTICE
        self._replies: Replies | None = None
        self._file: tuple[str, int] | None = None
        self._champion: Champion | None = None
        self._pointer: tuple[str, str] | None = None
        self.trouble: str | None = None
        """Why newer scores or a newer champion could not be loaded."""

    def replies(self, now: int) -> Replies:
        """The scores in use."""
        self._look(now)
        if self._replies is None:
            raise ModelError(
                "cannot answer: nothing has been scored yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._replies

    def champion(self, now: int) -> Champion:
        """The model in use."""
        self._look(now)
        if self._champion is None:
            raise ModelError(
                "cannot predict: there is no champion yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._champion

    def store(self) -> EventStore:
        return EventStore(self.project.state)

    def key(self, text: str, now: int) -> Key | None:
        """The valid key this text is, if any; notes that it was used."""
        key = self.records.key(text)
        if key is not None and (key.last_used_at is None or now - key.last_used_at > USED):
            self.records.key_used(key, now)
        return key

    def _look(self, now: int) -> None:
        if now - self._looked < NOTICE:
            return
        with self._lock:
            if now - self._looked < NOTICE:
                return
            try:
                self._load()
                self.trouble = None
            except KizunaError as error:
                self.trouble = error.message
                if self._replies is None and self._champion is None:
                    raise
            self._looked = now

    def _load(self) -> None:
        pointer, current = self.records.champion(), self.records.scores()
        if pointer is not None and pointer != self._pointer:
            self._champion, self._pointer = in_use(self.records, self.project.state), pointer
        if current is None:
            return
        # Erasing a customer rewrites a file under its name: the moment of writing tells.
        file = self.project.scores / current.file
        written = file.stat().st_mtime_ns if file.exists() else 0
        if (current.file, written) != self._file:
            self._replies = Replies.current(self.records, self.project, self.store())
            self._file = (current.file, written)

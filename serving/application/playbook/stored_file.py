"""`playbook.toml` beside `kizuna.toml`: read with its fingerprint, and written in one step.

The file is the truth and the database its memory. What is saved goes this way: (1) the text that is in the
file, if nobody saved it through Kizuna, becomes a version of its own; (2) in one transaction the new
version's row is written, the file compared once more with what the editor had opened, the file replaced and
flushed to the disk, and then the row committed. A database that is away stops everything before the file is
touched. A file that cannot be written takes the row back. A process that ends after the file was replaced
and before the commit leaves the new text in force without its row: the next look makes it a version that was
changed outside, so that only who and why are lost, no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import ChangedMeanwhile, ConfigurationError
from serving.actions.playbook import FILE, default_kind, default_text
from serving.application.workspace import Workspace
from serving.state.atomic_write import in_one_step
from serving.state.playbook_versions import (
    OUTSIDE,
    NewVersion,
    PlaybookVersion,
    add_version,
    fingerprint,
    versions,
)

NO_FILE = ""
"""The fingerprint where there is no file."""
READABLE = 0o644
_ATTEMPTS = 5


@dataclass(frozen=True)
class StoredText:
    """What is in the file now."""

    file: Path
    content: bytes | None
    """None where there is no file."""

    @property
    def fingerprint(self) -> str:
        return NO_FILE if self.content is None else fingerprint(self.content)

    @property
    def text(self) -> str:
        """The text, empty where there is no file; raises `ConfigurationError` for one that is not UTF-8."""
        try:
            return "" if self.content is None else self.content.decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"cannot use {self.file}: it is not UTF-8. Save it as UTF-8.") from None


@dataclass(frozen=True, eq=False)
class PlaybookStore:
    """The playbook of a project: the file that holds, and its versions."""

    workspace: Workspace

    def read(self) -> StoredText:
        """What is in the file; raises `ConfigurationError` for one that cannot be read."""
        file = self.workspace.project.folder / FILE
        try:
            return StoredText(file, file.read_bytes())
        except FileNotFoundError:
            return StoredText(file, None)
        except OSError as error:
            raise ConfigurationError(
                f"cannot read {file}: {error.strerror}. Put a readable file there, or remove it."
            ) from None

    def text_that_holds(self, stored: StoredText) -> str:
        """The text of the file, or the default one that `kizuna plan` chooses where there is none."""
        if stored.content is not None:
            return stored.text
        reader = self.workspace.scores_or_none()
        if reader is None:
            return default_text(default_kind(self.workspace.project.churn.type, amounts=True))
        return default_text(default_kind(reader.bundle.churn.type, amounts=reader.scores.facts.amounts))

    def remember_outside_change(self) -> StoredText:
        """Make the text in the file a version, where it is not the newest one: somebody edited it by hand.

        Returns what is in the file.
        """
        database = self.workspace.database
        for _ in range(_ATTEMPTS):
            stored = self.read()
            newest = versions(database, 1)
            if stored.content is None or (newest and newest[0].fingerprint == stored.fingerprint):
                break
            if add_version(database, NewVersion(stored.text, self.workspace.clock(), "", OUTSIDE)):
                break
            # Somebody else added a version meanwhile: look again whether it is this one.
        return stored

    def put_in_force(self, new: NewVersion, opened: str) -> PlaybookVersion:
        """Write a text into the file as its newest version; the order is at the head of this module.

        Raises `ChangedMeanwhile` where the file is not the one that was `opened` (its fingerprint, `NO_FILE`
        where there was none), and `ConfigurationError` where it cannot be written; then nothing has changed.
        """
        self.remember_outside_change()

        def write() -> None:
            stored = self.read()
            if stored.fingerprint != opened:
                raise ChangedMeanwhile(FILE)
            _write(stored, new.text.encode())

        version = add_version(self.workspace.database, new, write)
        if version is None:
            raise ChangedMeanwhile(FILE)
        return version


def _write(stored: StoredText, content: bytes) -> None:
    file = stored.file.resolve()  # a link stays a link
    try:
        mode = READABLE if stored.content is None else file.stat().st_mode & 0o777
        with in_one_step(file, mode=mode) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {stored.file}: {error.strerror}. Nothing was saved. "
            "Let the service write into that folder, or edit the file by hand."
        ) from None

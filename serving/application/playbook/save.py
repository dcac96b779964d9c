"""Saving the playbook, and going back to an earlier version of it."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import ChangedMeanwhile, UsageError
from serving.actions.playbook import FILE, parse_all
from serving.application.permissions import Actor, use_case
from serving.application.playbook.project_check import ProjectCheck
from serving.application.playbook.stored_file import PlaybookStore
from serving.application.workspace import Workspace
from serving.presentation.text_diff import DiffLine, compare
from serving.state.playbook_versions import (
    LONGEST_NOTE,
    RESTORED,
    SAVED,
    NewVersion,
    PlaybookVersion,
    fingerprint,
    text_of_version,
)


@dataclass(frozen=True)
class SavedPlaybook:
    """What became of a text: the version that is in force now, None where it was in force already."""

    version: PlaybookVersion | None


@dataclass(frozen=True)
class PlaybookConflict:
    """Two texts that were made of the same one: that of the file now, and one that could not be saved."""

    stored: str
    """Empty where the file is gone."""
    fingerprint: str
    """That of the file now: who saves with it has seen the other text."""
    difference: tuple[DiffLine, ...]
    """From the text of the file to the one that could not be saved."""


@use_case("edit_playbook")
def save_playbook(
    workspace: Workspace, actor: Actor, text: str, opened: str, note: str = ""
) -> SavedPlaybook:
    """Write a text into `playbook.toml` in one step and keep it as a version; no plan is made by it.

    `opened` is the fingerprint of the file that the editor began with, empty where there was none. Raises
    `ChangedMeanwhile` where somebody else changed it since, and `ConfigurationError` for a text that cannot
    be used, with its line, and for a file that cannot be written. Then nothing has changed.
    """
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise UsageError(
            f"cannot keep this note: it is longer than {LONGEST_NOTE} characters. Shorten it.", field="note"
        )
    return _save(workspace, opened, NewVersion(text, workspace.clock(), actor.name, SAVED, note))


@use_case("edit_playbook")
def restore_version(workspace: Workspace, actor: Actor, number: int, opened: str) -> SavedPlaybook:
    """Write the text of an earlier version again, as a new version. Raises as `save_playbook` does."""
    text = text_of_version(workspace.database, number)
    if text is None:
        raise UsageError(
            f"cannot go back to version {number} of the playbook: there is none of that number. "
            "The list of versions has those there are.",
            field="number",
        )
    new = NewVersion(text, workspace.clock(), actor.name, RESTORED, restored=number)
    return _save(workspace, opened, new)


@use_case("edit_playbook")
def playbook_conflict(workspace: Workspace, actor: Actor, text: str) -> PlaybookConflict:
    """What stands between a text and the file, for who could not save it."""
    stored = PlaybookStore(workspace).read()
    difference = compare(stored.text, _with_newlines_of(stored.text, text))
    return PlaybookConflict(stored.text, stored.fingerprint, tuple(difference))


@use_case("edit_playbook")
def text_difference(workspace: Workspace, actor: Actor, text: str) -> tuple[DiffLine, ...]:
    """What an edited text changes of the one that holds: the file's, or the default where there is none."""
    store = PlaybookStore(workspace)
    holds = store.text_that_holds(store.read())
    return tuple(compare(holds, _with_newlines_of(holds, text)))


def _save(workspace: Workspace, opened: str, new: NewVersion) -> SavedPlaybook:
    store = PlaybookStore(workspace)
    stored = store.read()
    if stored.fingerprint != opened:
        raise ChangedMeanwhile(FILE)
    text = _with_newlines_of(stored.text, new.text)
    _refuse_unusable(workspace, text)
    if fingerprint(text.encode()) == stored.fingerprint:
        return SavedPlaybook(None)
    return SavedPlaybook(store.put_in_force(NewVersion(**vars(new) | {"text": text}), opened))


def _refuse_unusable(workspace: Workspace, text: str) -> None:
    file, refusals = parse_all(text, FILE)
    if file is not None and not refusals:
        refusals, _ = ProjectCheck(workspace).refusals(file)
    if file is None or refusals:
        raise refusals[0]


def _with_newlines_of(stored: str, text: str) -> str:
    """A text with the line ends of the stored one, as a browser sends its own; the last line is ended."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = plain if plain.endswith("\n") or not plain else f"{plain}\n"
    return plain.replace("\n", "\r\n") if "\r\n" in stored else plain

"""The versions of the playbook: the list, and one of them with its difference to the present text."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.playbook.stored_file import PlaybookStore
from serving.application.workspace import Workspace
from serving.presentation.text_diff import DiffLine, compare
from serving.state.playbook_versions import PlaybookVersion, text_of_version, versions


@dataclass(frozen=True)
class PlaybookVersions:
    """The versions, the newest first."""

    versions: tuple[PlaybookVersion, ...]
    in_force: str
    """The fingerprint of the file now, empty where there is none: a version without it is an earlier one."""


@dataclass(frozen=True)
class PlaybookVersionText:
    """One version, and what it would change of the present text."""

    version: PlaybookVersion
    text: str
    difference: tuple[DiffLine, ...]
    """From the present text to this version; empty where they are the same."""
    in_force: str
    """The fingerprint of the file now, which `restore_version` asks for."""


@use_case("read_report")
def playbook_versions(workspace: Workspace, actor: Actor, limit: int | None = None) -> PlaybookVersions:
    """Every text that the playbook had, with who saved it, when and why.

    A text that somebody wrote into the file by hand becomes a version at this look.
    """
    stored = PlaybookStore(workspace).remember_outside_change()
    return PlaybookVersions(tuple(versions(workspace.database, limit)), stored.fingerprint)


@use_case("read_report")
def playbook_version(workspace: Workspace, actor: Actor, number: int) -> PlaybookVersionText:
    """The text of one version, and its difference to now; raises `UsageError` for an unknown number."""
    version = next((one for one in versions(workspace.database) if one.number == number), None)
    text = text_of_version(workspace.database, number)
    if version is None or text is None:
        raise UsageError(
            f"cannot show version {number} of the playbook: there is none of that number. "
            "The list of versions has those there are.",
            field="number",
        )
    stored = PlaybookStore(workspace).read()
    return PlaybookVersionText(version, text, tuple(compare(stored.text, text)), stored.fingerprint)

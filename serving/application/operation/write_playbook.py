"""Writing the default playbook, to edit it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import UsageError
from serving.actions.playbook import FILE, default_text
from serving.application.permissions import Actor, use_case
from serving.application.workspace import ProjectFolder


@dataclass(frozen=True)
class WrittenPlaybook:
    """The playbook that was written."""

    file: Path


@use_case("edit_playbook")
def write_playbook(
    place: ProjectFolder, actor: Actor, file: Path | None = None, *, kind: str = "contract"
) -> WrittenPlaybook:
    """Write the default playbook of a kind into the folder, or to this file; one that is there stays."""
    target = file or place.folder / FILE
    try:
        with target.open("x", encoding="utf-8") as unwritten:
            unwritten.write(default_text(kind))
    except FileExistsError:
        raise UsageError(
            f"cannot write {target}: it is there already. Edit it, or name another file."
        ) from None
    except FileNotFoundError:
        raise UsageError(
            f"cannot write {target}: there is no folder {target.parent}. Make it first."
        ) from None
    return WrittenPlaybook(target)

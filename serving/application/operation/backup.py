"""One consistent archive of a project, made while others read and write; and a project made from one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from features.storage.linked_folder import linked_folder
from serving.actions.playbook import FILE as PLAYBOOK
from serving.application.erasure_lists import update_lists
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.project.language import FILE as SETTINGS
from serving.project.places import places_elsewhere, tracking_database
from serving.project.settings import Project
from serving.state.archive import PASSING, STORE, Manifest, write_archive
from serving.state.backups import BackupRecord, record_backup
from serving.state.remote.state_files import open_state_files


@dataclass(frozen=True)
class Backup:
    """An archive that was written."""

    file: Path
    size: int
    """Bytes."""
    data_version: str
    not_included: tuple[str, ...]
    """Databases and servers outside the project: they are backed up by their own means."""


@use_case("operate")
def backup(workspace: Workspace, actor: Actor, file: Path, progress: Progress | None = None) -> Backup:
    """Write events, records, models, scores, plans and settings into one archive.

    The events are of one version; who writes waits for the moment in which that version is linked. The list
    of erased customers is put beside the archive too, as hashes, and follows later erasures.
    """
    project, now, file = workspace.project, workspace.clock(), file.absolute()
    project.state.mkdir(parents=True, exist_ok=True)
    open_state_files(project, everything=True)
    if progress:
        progress("taking the events", 0.0)
    with linked_folder(project.state) as linked:
        data_version = workspace.store.link_version(linked)
        if progress:
            progress("writing the archive", 0.2)
        manifest = Manifest(now, data_version, str(project.folder), str(project.state.resolve()))
        size = write_archive(file, manifest, list(_parts(project, linked)))
    record = BackupRecord(str(file), now, data_version, manifest.state)
    record_backup(workspace.database, record, who=actor.name)
    update_lists(workspace)
    return Backup(file, size, data_version, places_elsewhere(project))


def _parts(project: Project, linked: Path) -> Iterator[tuple[str, Path]]:
    """What an archive is made of, each part under its name.

    Databases come before the files that their rows name: those files are never changed, only added.
    """
    database, folder = tracking_database(project), project.folder
    yield from _present(("state/kizuna.db", project.state / "kizuna.db"))
    if database is not None and database.is_file() and database.is_relative_to(folder.resolve()):
        yield f"project/{database.relative_to(folder.resolve()).as_posix()}", database
    for part in STORE:
        yield from _present((f"state/{part}", linked / part))
    for path in sorted(project.state.iterdir()):
        passing = path.name.startswith((".", "arriving-")) or path.name.endswith(PASSING)
        if path.name not in (*STORE, "kizuna.db") and not passing:
            yield f"state/{path.name}", path
    simulated = project.settings.simulated
    for name in (SETTINGS, PLAYBOOK, *(() if simulated is None else (simulated.now,))):
        yield from _present((f"project/{name}", folder / name))
    for path in sorted((folder / "mlruns").glob("*")):
        if path.resolve() != database and not path.name.startswith(".") and not path.name.endswith(PASSING):
            yield f"project/mlruns/{path.name}", path


def _present(part: tuple[str, Path]) -> Iterator[tuple[str, Path]]:
    if part[1].exists():
        yield part

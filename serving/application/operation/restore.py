"""A project made from an archive; who was erased since it was written stays erased."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import DataError, UsageError
from features.event_store import EventStore
from features.privacy.suppression_list import FILE as ERASED
from serving.application.data.erase import erase
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, ProjectFolder, Workspace, open_workspace
from serving.project.places import places_elsewhere
from serving.project.settings import read
from serving.state.accounts.sessions import end_every_session
from serving.state.archive import Manifest, extracted, list_beside
from serving.state.audit_log import record_action
from serving.state.backups import BackupRecord, record_backup


@dataclass(frozen=True)
class Restoration:
    """A project that was made from an archive."""

    folder: Path
    made_at: int
    """When the archive was written, in microseconds UTC."""
    data_version: str
    """Of the archive; erasures applied since make another."""
    erased: int
    """Customers who were erased since the archive was written, and were erased again."""
    not_included: tuple[str, ...]
    """Databases and servers outside the project, which were not in the archive."""


@use_case("operate")
def restore(
    place: ProjectFolder,
    actor: Actor,
    file: Path,
    *,
    without_erasures: str | None = None,
    progress: Progress | None = None,
) -> Restoration:
    """Make a project in a new or empty folder from an archive, and apply every erasure made since.

    Who was erased is known from the project that the archive was made from, or from the list beside the
    archive. Where neither is there, it takes a reason (`without_erasures`), which the audit log keeps. An
    archive of a state in an object store is refused, with words on how to unpack it.
    """
    folder = place.folder.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"cannot restore into {folder}: it is not empty. Name a folder that is new or empty."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    if progress:
        progress("reading the archive", 0.0)
    with extracted(file, folder) as (manifest, content):
        erasures = None if without_erasures is not None else _newest_list(file, manifest)
        made = content / "project"
        project = read(made)
        if project.state_url is not None:
            raise UsageError(
                f"cannot restore {file}: its kizuna.toml keeps the state in {project.state_url}, where the "
                "state in use may be. Unpack the archive with `tar -xzf`, and let `state` in "
                "project/kizuna.toml name the unpacked folder. Customers who were erased since are in the "
                f"archive: put {project.state_url}/{ERASED}, the list of their hashes, into that folder, and "
                "erase them again."
            )
        if not project.state.resolve().is_relative_to(made.resolve()):
            raise UsageError(
                f"cannot restore {file}: its kizuna.toml keeps the state in {project.state}, outside the "
                "project. Restore by hand, or back up a project with a relative `state`."
            )
        project.state.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(content / "state", project.state)
        workspace = open_workspace(project, place.clock)
        with workspace.database:
            if workspace.store.version != manifest.data_version:
                raise DataError(
                    f"cannot restore {file}: its events have the version {workspace.store.version}, and "
                    f"{manifest.data_version} was written. Use another archive."
                )
            again = [] if erasures is None else _erase_again(workspace, actor, erasures, progress)
            if not project.settings.records:  # else the database is the one in use, not of the archive
                end_every_session(workspace.database, workspace.machine_now)
            _record(workspace, actor, file, manifest, without_erasures, len(again))
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    return Restoration(
        folder, manifest.made_at, manifest.data_version, len(again), places_elsewhere(read(folder))
    )


def _newest_list(file: Path, manifest: Manifest) -> bytes:
    """The suppression list as it is now: the project's own, else the one beside the archive."""
    state = Path(manifest.state)
    if (state / ERASED).is_file():
        return (state / ERASED).read_bytes()
    beside = list_beside(file)
    if beside.is_file():
        return beside.read_bytes()
    if (Path(manifest.project) / "kizuna.toml").is_file() and state.is_dir():
        return b"{}"  # the project is there, and nobody was ever erased from it
    raise UsageError(
        f"cannot restore {file}: who was erased since it was written is not known, because the project in "
        f"{manifest.project} is not there, and neither is {beside}. Put that file beside the archive, or "
        "restore with --without-erasures REASON.",
        field="without_erasures",
    )


def _erase_again(workspace: Workspace, actor: Actor, erasures: bytes, progress: Progress | None) -> list[str]:
    """Erase everyone of the restored project who is on the list; afterwards the list is the project's."""
    target = workspace.project.state / ERASED
    target.write_bytes(erasures)
    erased = workspace.store.erased.names_erased(_named(workspace.store))
    for number, customer_id in enumerate(erased):
        if progress:
            progress("erasing again who was erased since", number / len(erased))
        erase(workspace, actor, customer_id)
    return erased


def _named(store: EventStore) -> Iterator[str]:
    """Everyone whom the store names: its customers, and those of refused rows."""
    customers = store.customers
    known = {name for name in customers.names(np.arange(len(customers))).to_pylist() if name is not None}
    for row in store.quarantined().column("row").to_pylist():
        try:
            name = json.loads(row).get("customer_id")
        except (ValueError, AttributeError):
            continue
        if name is not None:
            known.add(str(name))
    yield from sorted(known)


def _record(
    workspace: Workspace, actor: Actor, file: Path, manifest: Manifest, reason: str | None, erased: int
) -> None:
    """The audit log says what was restored; the archive stays known to the restored project."""
    now = workspace.clock()
    record = BackupRecord(str(file.absolute()), manifest.made_at, manifest.data_version, manifest.state)
    record_backup(workspace.database, record, who=actor.name)
    what = f"{erased} erased again" if reason is None else f"without erasures: {reason}"
    with workspace.database.writing() as connection:
        record_action(connection, actor.name, "restore", now, details=f"{file.name}; {what}")

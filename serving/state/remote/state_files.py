"""The copy on this machine of the files of a state in an object store, all but the tables of events.

Score files, plans, reports, campaigns, bundles and the rest are read, memory-mapped and written where they
always were, in `Project.state`. Where the state is a URL that is a folder of copies: what is written goes to
the store first (`in_one_step`, `share`), what is deleted goes there too (`delete`), and `pull` brings in what
others wrote. The store away, what is here stays in use. Without a URL all of this does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from features.storage.backends.storage import open_storage
from features.storage.linked_folder import sweep_linked_folders

if TYPE_CHECKING:
    from serving.project.settings import Project

BELOW = "files"
"""Where in the store these files lie, beside the tables."""
NOTES = ".stored"
"""The folder that says of each copy which content of the store it has."""
OWN = ("events", "customers", "aliases", "quarantine", "erased.json", "jobs")
"""What of a state is not copied: the tables, and the logs and locks of this machine's jobs."""
PASSING = (".lock", "-wal", "-shm", "-journal", ".db")
ON_DEMAND = ("scores/",)
"""Files that are fetched when they are first read: there is one for each night."""
_OPEN: dict[Path, StateFiles] = {}
"""By folder, those of this process: what writes a file knows its path alone."""


class StateFiles:
    """The files of one state in an object store and their copies in a folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._storage = open_storage(url).below(BELOW)

    def pull(self, *, everything: bool = False) -> None:
        """Fetch what others wrote since, and delete what they deleted; with `everything`, all there is."""
        # What is here is looked at first: a file that is written meanwhile is in neither list.
        here = set(self._names())
        there = {file.name: file.tag for file in self._storage.files()}
        for name, tag in there.items():
            wanted = name in here or everything or not name.startswith(ON_DEMAND)
            if wanted and (name not in here or self._noted(name) != tag):
                self._fetch(name)
        for name in here - there.keys():
            if self._noted(name) is not None:  # else it is written here and not shared yet
                (self.folder / name).unlink(missing_ok=True)
                self._note(name).unlink(missing_ok=True)

    def push(self) -> None:
        """Write to the store what was written here by other means than `in_one_step`."""
        for name in self._names():
            file = self.folder / name
            with suppress(FileNotFoundError):
                if self._noted(name) is None or self._changed(name, file):
                    self.upload(name, file)

    def upload(self, name: str, content: Path) -> None:
        """Write a file to the store under its name; `content` becomes the copy here."""
        tag = self._storage.upload(name, content)
        self._take_note(name, tag, content)

    def delete(self, name: str) -> None:
        """Delete a file in the store and its copy here."""
        self._storage.delete([name])
        (self.folder / name).unlink(missing_ok=True)
        self._note(name).unlink(missing_ok=True)

    def fetch(self, name: str) -> None:
        """Fetch a file that is not here; none in the store is none here."""
        if not (self.folder / name).exists():
            with suppress(FileNotFoundError):
                self._fetch(name)

    def names_in_store(self) -> list[str]:
        """Every file that the store has."""
        return [file.name for file in self._storage.files()]

    def delete_old_versions(self) -> str | None:
        """Delete what a bucket with versioning keeps of these files; says what could not be deleted."""
        return self._storage.delete_old_versions()

    def _fetch(self, name: str) -> None:
        target = self.folder / name
        tag = self._storage.download(name, target)
        self._take_note(name, tag, target)

    def _names(self) -> Iterator[str]:
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if is_shared(name) and path.is_file():
                yield name

    def _note(self, name: str) -> Path:
        return self.folder / NOTES / f"{name}.json"

    def _take_note(self, name: str, tag: str, content: Path) -> None:
        note, known = self._note(name), content.stat()
        note.parent.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_suffix(f".{known.st_ino}")
        unfinished.write_text(json.dumps({"tag": tag, "size": known.st_size, "written": known.st_mtime_ns}))
        unfinished.replace(note)

    def _read_note(self, name: str) -> dict[str, str | int]:
        try:
            noted: dict[str, str | int] = json.loads(self._note(name).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return noted

    def _noted(self, name: str) -> str | None:
        tag = self._read_note(name).get("tag")
        return None if tag is None else str(tag)

    def _changed(self, name: str, file: Path) -> bool:
        noted, known = self._read_note(name), file.stat()
        return (noted.get("size"), noted.get("written")) != (known.st_size, known.st_mtime_ns)


def is_shared(name: str) -> bool:
    """Whether a file of the state folder belongs to the state, and not to this machine alone."""
    parts = name.split("/")
    return (
        parts[0] not in OWN
        and not any(part.startswith((".", "arriving-")) for part in parts)
        and not name.endswith(PASSING)
    )


def open_state_files(project: Project, *, everything: bool = False) -> StateFiles | None:
    """The copies of a project's state, brought up to date; None where the state is a folder.

    What killed backups left among them is deleted. Raises `StoreAway` or `ConfigurationError` where the store
    cannot be read.
    """
    if project.state_url is None:
        return None
    sweep_linked_folders(project.state)
    files = _OPEN.get(project.state)
    if files is None:
        project.state.mkdir(parents=True, exist_ok=True)
        files = _OPEN[project.state] = StateFiles(project.state, project.state_url)
    files.pull(everything=everything)
    return files


def share(path: Path) -> None:
    """Write a file, or every file below a folder, of the state to the store where there is one."""
    found = _files_of(path)
    if found is not None:
        files = found[0]
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                files.upload(file.relative_to(files.folder).as_posix(), file)


def share_first(file: Path, content: Path) -> None:
    """Write what is about to become a file of the state to the store, where there is one."""
    found = _files_of(file)
    if found is not None:
        found[0].upload(found[1], content)


def share_everything(project: Project) -> None:
    """Write to the store what was written into the state since, where there is a store."""
    files = _OPEN.get(project.state)
    if files is not None:
        files.push()


def fetch(file: Path) -> Path:
    """A file of the state, fetched from the store where it is not here; the path itself."""
    found = _files_of(file)
    if found is not None:
        found[0].fetch(found[1])
    return file


def delete(file: Path) -> None:
    """Delete a file of the state, here and in the store."""
    found = _files_of(file)
    if found is not None:
        found[0].delete(found[1])
    file.unlink(missing_ok=True)


def _files_of(path: Path) -> tuple[StateFiles, str] | None:
    """The copies among which a path lies, and its name there; None for one that is not shared."""
    for folder, files in _OPEN.items():
        if path.is_relative_to(folder):
            name = path.relative_to(folder).as_posix()
            return (files, name) if is_shared(name) else None
    return None

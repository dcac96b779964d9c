"""Facts that the metadata of each sorted run holds: its digest, its oldest and its newest engagement."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from features.storage.backends.local_folder import LocalFolder
from features.storage.backends.object_file import footer
from features.storage.damage import newest_files, reading
from features.storage.delta_table import File, Lake, TableVersion
from features.storage.sorted_run import engagement_edges

MOST_FILES = 10_000
"""Files whose facts a process keeps."""
AT_A_TIME = 8
"""Footers in an object store that are read at a time."""
_FACTS: dict[tuple[str, str], Mapping[str, str]] = {}
"""Of each table's folder and file. A written file never changes, and stores are opened for each request."""


class RunFacts:
    """The facts of a table's files, each file read once by a process: a written file never changes."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._folder = lake, lake.storage.location

    def of(self, snapshot: TableVersion, fact: str) -> list[int]:
        """A fact from the metadata of each file that has it."""
        self._read_ahead(snapshot)
        return [int(value) for file in snapshot.files if (value := self._fact(file, fact))]

    def newest(self, snapshot: TableVersion, until: int | None) -> int | None:
        """The newest engagement event; with `until`, of those too that were retracted at or after it."""
        return max([*self.of(snapshot, "newest"), *self._edges_of_retracted(snapshot, until)], default=None)

    def oldest(self, snapshot: TableVersion, until: int | None) -> int | None:
        """The oldest engagement event, as `newest`."""
        return min([*self.of(snapshot, "oldest"), *self._edges_of_retracted(snapshot, until)], default=None)

    def _edges_of_retracted(self, snapshot: TableVersion, until: int | None) -> list[int]:
        """The first and the last engagement event among those of each file that counted at `until`."""
        edges = []
        for file in snapshot.files if until is not None else ():
            if self._fact(file, "retracted"):
                with newest_files(self._lake), reading(path := self._lake.run_file(file)):
                    edges += engagement_edges(path, until)
        return edges

    def _read_ahead(self, snapshot: TableVersion) -> None:
        """Read the footers of files in an object store side by side: each takes as long as the way there."""
        unknown = [file for file in snapshot.files if (self._folder, file.path) not in _FACTS]
        if len(unknown) > 1 and not isinstance(self._lake.storage, LocalFolder):
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                list(pool.map(self._fact, unknown, repeat("")))

    def _fact(self, file: File, fact: str) -> str:
        known = _FACTS.get((self._folder, file.path))
        if known is None:
            with newest_files(self._lake), reading(path := self._lake.run_file(file)):
                noted = footer(path).metadata or {}
            known = {
                name.decode(): text.decode() for name, text in noted.items() if name.startswith(b"kizuna.")
            }
            if len(_FACTS) >= MOST_FILES:
                _FACTS.clear()
            _FACTS[self._folder, file.path] = known
        return known.get(f"kizuna.{fact}", "")

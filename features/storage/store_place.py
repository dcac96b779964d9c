"""Where a store lies, and what differs between a folder and an object store: turns and working files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa

from features.storage.backends.local_folder import LocalFolder
from features.storage.backends.storage import Storage, open_storage
from features.storage.delta_table import Lake
from features.storage.writer_turn import Progress, RemoteTurn, Repair, WriterLock, turn

_PROBED: set[str] = set()
"""The object stores that this process has seen to refuse a second conditional write."""


class StorePlace:
    """A folder, or an object store by its URL; `writers` is the lock of who writes to the latter."""

    def __init__(self, location: Path | str, writers: WriterLock | None = None) -> None:
        self.storage: Storage = open_storage(location)
        self.writers = writers
        self._turn = None if isinstance(self.storage, LocalFolder) else RemoteTurn(self.storage, writers)

    @property
    def name(self) -> str:
        """The absolute folder, or the URL."""
        return str(self.storage.folder.absolute()) if self._turn is None else self.storage.location

    def table(self, name: str, schema: pa.Schema, *, buckets: int | None = None) -> Lake:
        """A table of the store; a commit or a deletion is refused where the lock for writing was lost."""
        check = None if self._turn is None else self._turn.check
        return Lake(self.storage.below(name), schema, buckets=buckets, check=check)

    def turn(
        self, repair: Repair, progress: Progress | None, purpose: str = ""
    ) -> AbstractContextManager[str]:
        """The lock for writing, waited for; yields the name of this run (`writer_turn`)."""
        if self._turn is None:
            return turn(self.storage.folder, repair, progress, purpose)
        return self._remote_turn(self._turn, repair, progress, purpose)

    @contextmanager
    def _remote_turn(
        self, remote: RemoteTurn, repair: Repair, progress: Progress | None, purpose: str
    ) -> Iterator[str]:
        if self.writers is not None and self.storage.location not in _PROBED:
            self.storage.probe()
            _PROBED.add(self.storage.location)
        with remote.begin(repair, progress, purpose) as run:
            try:
                yield run
            finally:
                self.storage.forget_copies()

"""Folders of hard links to one version of the tables, or of copies of it, while a backup reads them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".backup-"


@contextmanager
def linked_folder(state: Path) -> Iterator[Path]:
    """A temporary folder in the state folder, deleted afterwards; its lock says that it is in use."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=state))
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not folder.is_dir():
                continue  # swept before it was locked
            yield folder
            return
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def sweep_linked_folders(state: Path) -> None:
    """Delete the folders of killed backups: links and copies in them keep rows of erased customers.

    Nobody holds their lock any more, because it ends with the process.
    """
    for folder in state.glob(f"{PREFIX}*"):
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # its backup just deleted it, or it is no folder
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # a backup that runs
        finally:
            os.close(handle)

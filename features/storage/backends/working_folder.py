"""A working folder of one process on this machine, for copies of files that lie in an object store.

Its lock ends with the process, so that what a killed one left (it may hold rows of customers who are erased
since) is deleted by the next that works here. `TMPDIR` says where such folders lie.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import tempfile
import weakref
from pathlib import Path

PREFIX = "kizuna-work-"


class WorkingFolder:
    """A folder that is made when it is first used, and deleted with this object or its process."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        if self._path is None:
            home = Path(tempfile.gettempdir()) / f"kizuna-{getpass.getuser()}"
            home.mkdir(mode=0o700, exist_ok=True)
            _sweep(home)
            self._path, handle = _locked_folder(home)
            weakref.finalize(self, _delete, self._path, handle)
        return self._path

    def empty(self) -> None:
        """Delete what it holds."""
        if self._path is not None:
            for inner in self._path.iterdir():
                if inner.is_dir():
                    shutil.rmtree(inner, ignore_errors=True)
                else:
                    inner.unlink(missing_ok=True)


def _locked_folder(home: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.is_dir():
            return path, handle
        os.close(handle)  # swept before it was locked


def _delete(path: Path, handle: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(handle)


def _sweep(home: Path) -> None:
    for path in home.glob(f"{PREFIX}*"):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue  # deleted meanwhile
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue  # of a process that runs
        finally:
            os.close(handle)

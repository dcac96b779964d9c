"""A working folder of one process on this machine, for copies of files that lie in an object store.

Its lock ends with the process, so that what a killed one left (it may hold rows of customers who are erased
since) is deleted by the next that works here. `TMPDIR` says where such folders lie.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from features.errors import ConfigurationError

PREFIX = "kizuna-work-"


class WorkingFolder:
    """A folder that is made when it is first used, and deleted with this object or its process."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The folder; raises `ConfigurationError` where another user could read what lies in it."""
        if self._path is None:
            home = _home()
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


def _home() -> Path:
    """The folder of this user's working folders, named by the number: a container's user may have no name."""
    home = Path(tempfile.gettempdir()) / f"kizuna-{os.getuid()}"
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    known = home.lstat()
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.getuid():
        raise ConfigurationError(
            f"cannot keep copies of the state in {home}: it is no folder that this user made. Delete "
            "it, or let TMPDIR name a folder of your own."
        )
    return home


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

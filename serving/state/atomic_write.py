"""Files that people take away or the service reads: written whole, in one step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import UsageError
from serving.state.remote.state_files import share_first


@contextmanager
def in_one_step(file: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Where to write what shall become `file`: what was there stays until the new content is whole.

    It is readable by everyone unless `mode` says otherwise, and lasts through a power cut. A file of a state
    in an object store goes there first. Raises `UsageError` for a folder that is not there.
    """
    if not file.parent.is_dir():
        raise UsageError(
            f"cannot write {file}: there is no folder {file.parent}. Make it, or give another --output."
        )
    handle, name = tempfile.mkstemp(prefix=".", suffix=file.suffix, dir=file.parent)
    temporary = Path(name)
    try:
        yield temporary
        os.fsync(handle)
        os.fchmod(handle, mode)
        share_first(file, temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)  # still there only when it did not become the file
        os.close(handle)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Folders of files that people take away: complete or not at all, and in the place of an earlier one."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import UsageError
from serving.state.atomic_write import sync_folder

ABANDONED_SECONDS = 86_400
"""Age of an unfinished folder from which on its run is taken for dead: a killed one leaves it."""


@contextmanager
def folder_in_one_step(folder: Path, ours: re.Pattern[str]) -> Iterator[Path]:
    """An empty folder to fill with files, which then becomes `folder`: until then an earlier one stays.

    Its files must be named as `ours` says, and so must those of an earlier folder, which is deleted then.
    Raises `UsageError` where it holds anything else, is no folder, or has no parent folder.
    """
    folder = folder.absolute()
    _refuse(folder, ours)
    token = uuid.uuid4().hex[:12]
    unfinished, earlier = (folder.with_name(f".{folder.name}.{token}.{end}") for end in ("new", "old"))
    unfinished.mkdir()
    _sweep(folder, unfinished)
    try:
        yield unfinished
        for file in unfinished.iterdir():
            if not ours.fullmatch(file.name):
                file.unlink()  # what a worker that was killed has not finished
        sync_folder(unfinished)
        _refuse(folder, ours)
        # A folder that is not empty cannot be replaced by a rename: between these two there is none.
        if folder.exists():
            folder.rename(earlier)
        unfinished.rename(folder)
        sync_folder(folder.parent)
    finally:
        if earlier.exists() and not folder.exists():
            earlier.rename(folder)
        for left in (unfinished, earlier):
            shutil.rmtree(left, ignore_errors=True)


def _refuse(folder: Path, ours: re.Pattern[str]) -> None:
    if not folder.parent.is_dir():
        raise UsageError(
            f"cannot write {folder}: there is no folder {folder.parent}. Make it, or give another --output."
        )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"cannot write the folder {folder}: there is a file of that name. Give another --output."
        )
    entries = list(folder.iterdir()) if folder.is_dir() else []
    foreign = sorted(one.name for one in entries if not ours.fullmatch(one.name) or one.is_dir())
    if foreign:
        raise UsageError(
            f"cannot write the folder {folder}: it holds {foreign[0]}, which is none of its files, and would "
            "be deleted. Give another --output."
        )


def _sweep(folder: Path, newest: Path) -> None:
    """Delete what killed runs left beside a folder long ago, by the clock of the file system."""
    now = newest.stat().st_mtime
    name = re.compile(re.escape(f".{folder.name}.") + r"[0-9a-f]{12}\.new")
    for left in folder.parent.iterdir():
        if name.fullmatch(left.name):
            with suppress(FileNotFoundError):  # of a run that ended just now
                if now - left.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

"""The folder in which the counts of several worker processes meet, removed however the service ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from serving.state.process_lock import is_locked, locked

PREFIX = "kizuna-metrics-"
LOCK = "service.lock"
"""The file in it that the service holds locked as long as it lives."""
JUST_MADE = 60
"""Seconds within which a folder may not have its lock yet."""


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """A new folder for counts; it goes with the block, also where SIGTERM or SIGHUP ends the process."""
    handlers = {one: signal.signal(one, _end) for one in (signal.SIGTERM, signal.SIGHUP)}
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        lock = locked(folder / LOCK)
        remove_left_behind(folder.parent, folder.stat().st_mtime)
        try:
            yield folder
        finally:
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for one, handler in handlers.items():
            signal.signal(one, handler)


def remove_left_behind(place: Path, now: float) -> None:
    """Remove the folders of services that were killed: those of this user that no process holds.

    `now` is in seconds, as files are dated.
    """
    for folder in place.glob(f"{PREFIX}*"):
        try:
            seen = folder.stat()
            is_old = seen.st_mtime < now - JUST_MADE
            if seen.st_uid != os.getuid() or not is_old or is_locked(folder / LOCK):
                continue
            if any(
                _lives(int(number)) for file in folder.iterdir() for number in re.findall(r"\d+", file.stem)
            ):
                continue  # workers outlive a service that was killed, for a moment
        except OSError:  # another service removes it
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

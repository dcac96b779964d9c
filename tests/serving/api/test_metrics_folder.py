"""The folder of the counts of several workers goes with the service, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.api.metrics_folder import LOCK, PREFIX, remove_left_behind
from serving.state.process_lock import locked

HOLDS = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from serving.api.metrics_folder import metrics_folder
with metrics_folder() as folder:
    (folder / "counter_1.db").write_text("")
    print(folder, flush=True)
    sys.stdin.read()
"""


def folder_of(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a folder, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    return process, folder


def aged(folder: Path) -> None:
    """Let a folder be two minutes old."""
    before = time.time() - 120
    os.utime(folder, (before, before))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_folder_is_removed_by_every_signal_that_can_be_caught(
    tmp_path: Path, number: signal.Signals
) -> None:
    process, folder = folder_of(tmp_path)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert not folder.exists()


def test_the_next_start_removes_the_folder_of_a_service_that_was_killed(tmp_path: Path) -> None:
    killed, left = folder_of(tmp_path)
    running, held = folder_of(tmp_path)
    killed.kill()
    killed.communicate(timeout=30)
    (left / "counter_1.db").unlink()  # process 1 lives everywhere
    (left / "counter_999999999.db").write_text("")
    for folder in (left, held):
        aged(folder)
    remove_left_behind(tmp_path, time.time())
    assert not left.exists()
    assert held.exists()
    running.communicate("", timeout=30)


def test_a_folder_without_a_lock_goes_once_it_is_old_and_its_processes_are_gone(tmp_path: Path) -> None:
    names = ("empty", "dead", "alive", "new", "locked")
    empty, dead, alive, new, held = (tmp_path / f"{PREFIX}{name}" for name in names)
    other = tmp_path / "something-else"
    for folder in (empty, dead, alive, new, held, other):
        folder.mkdir()
    (dead / "histogram_999999999.db").write_text("")
    (alive / f"counter_{os.getpid()}.db").write_text("")
    lock = locked(held / LOCK)
    for folder in (empty, dead, alive, held, other):
        aged(folder)
    remove_left_behind(tmp_path, time.time())
    assert [folder.exists() for folder in (empty, dead, alive, new, held, other)] == [
        False,
        False,
        *[True] * 4,
    ]
    os.close(lock)

"""Folders of hard links that backups read: those of killed backups are deleted by the next one who writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from features.storage.linked_folder import linked_folder
from features.storage.writer_turn import turn

BACKUP = """
import sys, time
from pathlib import Path
from features.storage.linked_folder import linked_folder
with linked_folder(Path(sys.argv[1])) as folder:
    (folder / "rows").write_text("rows of everybody")
    print(folder, flush=True)
    time.sleep(600)
"""


def write(state: Path) -> None:
    with turn(state, lambda _: None, None):
        pass


def test_the_folder_of_a_killed_backup_is_deleted_by_the_next_who_writes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BACKUP, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as backup:
        assert backup.stdout is not None
        folder = Path(backup.stdout.readline().strip())
        write(tmp_path)
        assert (folder / "rows").is_file(), "the backup still reads it"
        os.kill(backup.pid, signal.SIGKILL)
    assert (folder / "rows").is_file()
    write(tmp_path)
    assert not folder.exists()


def test_the_folder_is_deleted_when_the_backup_ends(tmp_path: Path) -> None:
    with linked_folder(tmp_path) as folder:
        write(tmp_path)
        assert folder.is_dir()
    assert list(tmp_path.glob(".backup-*")) == []

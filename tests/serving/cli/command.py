"""A command in this process: its exit code and what it printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.cli.main import main


def run(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command in a project."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *arguments])
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err

"""A project of a few rows, and its commands run in this process."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving.cli.main import main

HEAD = 'timezone = "UTC"\n'


@dataclass(frozen=True)
class SmallProject:
    """A folder with a kizuna.toml."""

    folder: Path

    def write(self, name: str, *lines: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *words: str) -> Any:
        """The JSON answer of a command that must succeed."""
        code, answer = self.try_run(*words)
        assert code == 0, answer
        return json.loads(answer)

    def refused(self, *words: str) -> str:
        """The error of a command that must be refused."""
        code, answer = self.try_run(*words)
        assert code not in (0, 1), answer
        return answer

    def try_run(self, *words: str) -> tuple[int, str]:
        """The exit code of a command, and what it answered or said."""
        answer, said = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with redirect_stdout(answer), redirect_stderr(said), pytest.raises(SystemExit) as left:
            main(["-C", str(self.folder), "--json", *words])
        code = left.value.code
        shown = answer if code == 0 else said
        shown.seek(0)
        return (code if isinstance(code, int) else 1), shown.read()

    def findings(self, *words: str) -> dict[str, dict[str, Any]]:
        """What `doctor` finds, by name; of several with one name the first."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.run("doctor", *words)["findings"]:
            found.setdefault(one["name"], one)
        return found

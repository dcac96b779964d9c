"""A project of small files, run through the command in process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from features.event_store import EventStore
from serving.cli.main import main


class CommandProject:
    """A project of CSV files, run through the command."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.capsys = path, capsys
        self.sources: list[str] = []

    def source(self, name: str, query: str, **settings: object) -> None:
        more = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        self.sources = [text for text in self.sources if f'"{name}"' not in text.splitlines()[1]]
        self.sources.append(f'[[sources]]\nname = "{name}"\nquery = """{query}"""\n{more}')
        (self.path / "kizuna.toml").write_text('timezone = "UTC"\n' + "".join(self.sources))

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["-C", str(self.path), *arguments])
        out, err = self.capsys.readouterr()
        return int(end.value.code or 0), out, err

    def ingest(self, *options: str, code: int = 0) -> dict[str, dict[str, Any]]:
        ended, out, err = self.run("--json", "ingest", *options)
        assert ended == code, err
        return {one["source"]: one for one in json.loads(out)["sources"]}

    @property
    def store(self) -> EventStore:
        return EventStore(self.path / "state")

    def events(self) -> list[tuple[str, str, float | None]]:
        """Customer, kind and value of every event, sorted."""
        found = []
        for history in self.store.histories():
            names = self.store.customers.names(history.keys).to_pylist()
            for customer, name in enumerate(names):
                for row in range(history.offsets[customer], history.offsets[customer + 1]):
                    value = float(history.values[row])
                    kind = history.kind_names[history.kinds[row]]
                    found.append((name, kind, None if value != value else value))
        return sorted(found, key=str)

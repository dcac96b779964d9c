"""A small simulated service, ingested and scored by a bundle made in seconds, and its plan as rows."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.simulation.simulate import simulate
from serving.cli.main import main
from tests.serving import shop

DATES = ("2024-12-01", "2025-01-01")
TO_CARRY = ("touch", "action", "action_channel", "owner", "deadline", "hook_sentences")
"""What only a planned customer has."""


def simulated(folder: Path, customers: int = 300, edit: Callable[[str], str] = str, now: str = "") -> Path:
    """A simulated service of twelve months, ingested and scored; `edit` changes its kizuna.toml before."""
    simulate(folder, customers=customers, months=12, seed=1)
    change(folder, edit)
    if now:
        (folder / "now.txt").write_text(now, encoding="utf-8")
    shop.ingest(folder)
    shop.learned(folder).save(folder / "bundle")
    shop.score_all(folder, folder / "bundle", dates=DATES)
    return folder


def change(folder: Path, edit: Callable[[str], str]) -> None:
    """Rewrite a project's kizuna.toml."""
    file = folder / "kizuna.toml"
    file.write_text(edit(file.read_text(encoding="utf-8")), encoding="utf-8")


def copied(service: Path, folder: Path) -> Path:
    """A copy of a service, to do with as one likes."""
    return Path(shutil.copytree(service, folder))


def kizuna(folder: Path, *words: str) -> int:
    """The exit code of a command, run in this process."""
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *words])
    return int(ended.value.code or 0)


def answer(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, Any]:
    """What a command answers with `--json`."""
    capsys.readouterr()
    assert kizuna(folder, "--json", *words) == 0
    return dict(json.loads(capsys.readouterr().out))


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """The last line of what a refused command says."""
    capsys.readouterr()
    assert kizuna(folder, *words) in (3, 4)
    return capsys.readouterr().err.splitlines()[-1]


def plan_of(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, dict[str, Any]]:
    """Everybody's part of the plan, by customer."""
    rows = answer(capsys, folder, "plan", "--limit", "5000")["customers"]
    return {row["customer_id"]: row for row in rows}


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of a file by their headings."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))

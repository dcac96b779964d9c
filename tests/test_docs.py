"""The documentation says what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from docs.generate import settings_page
from docs.picture_texts import RECORD, shown_texts, stale_pictures

ROOT = Path(__file__).parent.parent
KIZUNA = str(Path(sys.executable).parent / "kizuna")


def test_every_setting_has_its_meaning() -> None:
    rows = [line.split("|") for line in settings_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row[1].strip() for row in rows if not row[3].strip()] == []


def test_the_architecture_names_modules_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {word for word in text.replace("`", " ").split() if word.endswith(".py") and "/" in word}
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_help_answers_without_loading_anything_heavy() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", KIZUNA, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in shown.stderr.splitlines() if "|" in line}
    assert "click" in loaded
    heavy = {
        "numpy",
        "numba",
        "pandas",
        "pyarrow",
        "duckdb",
        "lightgbm",
        "mlflow",
        "bentoml",
        "shap",
        "sklearn",
    }
    assert loaded & heavy == set()


def test_a_picture_of_the_readme_is_stale_once_a_text_in_it_reads_otherwise() -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    assert {f"docs/pictures/{name}" for name in record} == set(
        re.findall(r"docs/pictures/console-\w+\.png", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    assert record["console-today.png"]["today.figures"] == "Key figures"
    earlier = {name: dict(shown) for name, shown in record.items()}
    earlier["console-today.png"]["today.figures"] = "Main figures"
    assert stale_pictures(earlier) == ["docs/pictures/console-today.png shows earlier words of today.figures"]


def test_texts_with_values_are_found_among_those_that_can_be_seen() -> None:
    visible = ["Scores as of 2 Jan 2018 · ", "model 1", "somebody's figures"]
    assert set(shown_texts("today", visible)) == {"today.as_of", "today.model"}

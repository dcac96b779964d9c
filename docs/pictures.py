"""Draws the pictures of the README from the demonstration project as it is scored now."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parent.parent
KIZUNA = str(Path(sys.executable).parent / "kizuna")
COLUMNS = 118


def draw(name: str, title: str, *words: str) -> None:
    """Runs a command as on a terminal and saves what it shows as SVG."""
    shown = subprocess.run(
        [KIZUNA, *words],
        cwd=ROOT,
        env={"PATH": "", "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown.rstrip()))
    PICTURES.mkdir(exist_ok=True)
    console.save_svg(str(PICTURES / name), title=title)


def main() -> None:
    """Draws the list and the reasons of its first customer."""
    asked = [KIZUNA, "--json", "at-risk", "--limit", "1"]
    listed = json.loads(subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    first = listed["customers"][0]["customer_id"]
    draw("at-risk.svg", "kizuna at-risk --limit 8", "at-risk", "--limit", "8")
    draw("explain.svg", f"kizuna explain {first}", "explain", first)


if __name__ == "__main__":
    main()

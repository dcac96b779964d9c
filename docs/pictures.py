"""Draws the pictures of the README from the demonstration project as it is scored now.

Lists are drawn as a terminal shows them; pages of the console are photographed in Chromium.
"""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from docs.picture_texts import RECORD, Record, shown_texts

PICTURES = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parent.parent
KIZUNA = str(Path(sys.executable).parent / "kizuna")
COLUMNS = 118
CHROMIUM = "/usr/bin/chromium"
PAGE = {"width": 1280, "height": 800}


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


@contextmanager
def console() -> Iterator[str]:
    """The address of the demonstration's console while it runs."""
    with subprocess.Popen(
        [KIZUNA, "serve", "--open", "--port", "0"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as service:
        first = "" if service.stderr is None else service.stderr.readline()
        found = re.search(r"http://[^ ]+", first)
        if found is None:
            sys.exit(f"the service did not start: {first}")
        try:
            wait_for(found[0])
            yield found[0]
        finally:
            service.send_signal(signal.SIGTERM)


def wait_for(address: str, seconds: float = 60.0) -> None:
    """Returns once the service at an address answers."""
    ends = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 (our own address)
                return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


VISIBLE = """() => {
    const found = [], nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
        const around = document.createRange();
        around.selectNode(nodes.currentNode);
        const box = around.getBoundingClientRect(), parent = nodes.currentNode.parentElement;
        const isInside = box.width > 1 && box.right > 0 && box.bottom > 0 && box.top < innerHeight;
        if (isInside && parent.checkVisibility()) found.push(nodes.currentNode.textContent);
    }
    return found;
}"""
"""The texts within the window."""


def photograph(pages: dict[str, str]) -> Record:
    """Saves pages of the console as PNG, each under its name; returns the texts that each shows."""
    shown = {}
    with console() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=PAGE, locale="en-GB")  # type: ignore[arg-type]
        for name, path in pages.items():
            page.goto(f"{address}{path}", wait_until="networkidle")
            page.screenshot(path=PICTURES / name)
            texts = name.removeprefix("console-").removesuffix(".png")
            shown[name] = shown_texts(texts, page.evaluate(VISIBLE))
        browser.close()
    return shown


def main() -> None:
    """Draws the console with the first customer of the list, and the list on the terminal."""
    asked = [KIZUNA, "--json", "at-risk", "--limit", "1"]
    listed = json.loads(subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    first = listed["customers"][0]["customer_id"]
    draw("at-risk.svg", "kizuna at-risk --limit 8", "at-risk", "--limit", "8")
    shown = photograph(
        {
            "console-today.png": "/",
            "console-list.png": "/list",
            "console-customer.png": f"/customer?{urlencode({'id': first})}",
        }
    )
    RECORD.write_text(json.dumps(shown, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

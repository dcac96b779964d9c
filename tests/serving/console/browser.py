"""A real browser for the console's tests: Debian's Chromium, driven by Playwright, watched for errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
NO_CHROMIUM = f"Chromium is not installed at {CHROMIUM}"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium asks nobody else for anything."""
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"


@dataclass
class Watched:
    """A page of the browser, with what went wrong on it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Requests to another host than the service."""

    def open(self, path: str) -> int:
        """Go to a path of the console; says the status of its answer."""
        response = self.page.goto(f"{self.address}{path}")
        assert response is not None
        return response.status

    def violations(self) -> list[str]:
        """What axe-core finds wrong for people who cannot see, point or tell colours apart."""
        # Evaluated by the debugger, as the page's own policy lets no other script in.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser,
    port: int,
    language: str = "en",
    *,
    javascript: bool = True,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    cookies: Mapping[str, str] | None = None,
) -> Iterator[Watched]:
    """A new visitor of the service at a port of this machine, watched for errors.

    Without `cookies`, those of a person who signed in elsewhere, nobody is signed in.
    """
    context = browser.new_context(
        locale={"en": "en-GB", "ja": "ja-JP"}[language],
        viewport={"width": width, "height": height},
        java_script_enabled=javascript,
        color_scheme="dark" if dark else "light",
    )
    for name, value in (cookies or {}).items():
        context.add_cookies([{"name": name, "value": value, "url": f"http://127.0.0.1:{port}"}])
    page = context.new_page()
    page.set_default_timeout(20_000)
    watched = Watched(page, f"http://127.0.0.1:{port}")

    def noticed(address: str) -> None:
        if urlsplit(address).netloc != urlsplit(watched.address).netloc:
            watched.elsewhere.append(address)

    page.on("console", lambda said: watched.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("request", lambda request: noticed(request.url))
    try:
        yield watched
    finally:
        context.close()

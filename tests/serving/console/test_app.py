"""Tests of the console over HTTP: headers, forms without a token, pages that are not there."""

from __future__ import annotations

import http.client

from serving.application.permissions import OPEN_CONSOLE
from serving.console.rendering import static_address
from serving.console.routes import ROUTES
from tests.serving.running import Server


def answer(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
    finally:
        connection.close()


def test_every_page_lets_nothing_in_from_elsewhere(console: Server) -> None:
    for route in ROUTES:
        _, headers, text = answer(console, "GET", route.path)
        assert headers["content-security-policy"].startswith("default-src 'self';"), route.path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "<style" not in text
        assert " style=" not in text
        assert "onclick" not in text


def test_a_form_without_the_token_of_its_page_changes_nothing(console: Server) -> None:
    for route in ROUTES:
        if route.submit is not None and route.permission in OPEN_CONSOLE.permissions:
            for body in (b"", b"csrf=", b"csrf=0000"):
                status, _, text = answer(console, "POST", route.path, body)
                assert status == 403, route.path
                assert "expired" in text


def test_a_form_from_a_page_of_another_site_is_refused(console: Server) -> None:
    for route in ROUTES:
        if route.submit is not None:
            status, _, _ = answer(console, "POST", route.path, b"", origin="http://elsewhere.example")
            assert status == 403


def test_a_page_that_takes_no_form_says_so(console: Server) -> None:
    assert answer(console, "POST", "/", b"")[0] in (403, 405)


def test_static_files_are_kept_by_browsers_and_little(console: Server) -> None:
    scripts = 0
    for name in ("console.css", "console.js", "htmx-4.0.1.min.js", "icon.svg"):
        status, headers, text = answer(console, "GET", static_address(name))
        assert status == 200
        assert "immutable" in headers["cache-control"]
        scripts += len(text) if name.endswith(".js") else 0
    assert scripts <= 60_000
    assert answer(console, "GET", "/static/../visit.py")[0] == 404

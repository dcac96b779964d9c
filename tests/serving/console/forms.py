"""Sending the forms of the console over HTTP, with the cookie and the token of a visitor."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from serving.application.permissions import OPEN_CONSOLE
from serving.console.visitors import VISIT_COOKIE, Visitor
from tests.serving.running import Server

Form = Mapping[str, str | Sequence[str]]


def send(server: Server, path: str, form: Form) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of a posted form, sent by a new visitor of an open service."""
    visitor = Visitor(OPEN_CONSOLE, "a secret of this test", is_signed_in=False)
    body = urlencode({**form, "csrf": visitor.csrf_token}, doseq=True)
    headers = {
        "cookie": f"{VISIT_COOKIE}={visitor.secret}",
        "content-type": "application/x-www-form-urlencoded",
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()

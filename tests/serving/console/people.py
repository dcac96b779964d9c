"""People of the console's tests: a shop with an account for each role, and a browser without a screen."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from serving.application.access.people import add_person
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.project.clock import project_clock, system_clock
from serving.project.settings import read

PASSWORD = "seven lanterns over the bay"
PEOPLE = {"hanako": "administrator", "yumi": "analyst", "taro": "marketer", "ken": "viewer"}
"""One person of each role."""
NAMES = {role: name for name, role in PEOPLE.items()}


@contextmanager
def project_of(folder: Path) -> Iterator[Workspace]:
    """The project of a folder, for use cases that a test calls itself."""
    project = read(folder)
    workspace = open_workspace(project, project_clock(project), system_clock)
    try:
        yield workspace
    finally:
        workspace.database.close()


def add_people(folder: Path) -> None:
    """Make an account for each role."""
    with project_of(folder) as workspace:
        for name, role in PEOPLE.items():
            add_person(workspace, COMMAND_LINE, name, role, password=PASSWORD)


@dataclass(frozen=True)
class Shown:
    """What the console answered."""

    status: int
    headers: Mapping[str, str]
    cookies: SimpleCookie
    text: str

    @property
    def token(self) -> str:
        """The CSRF token of the first form on the page."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class Client:
    """Keeps cookies as a browser does, follows nothing by itself."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Shown:
        return self._send("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Shown:
        """Send a form as it is given, with its token or without."""
        content = urlencode(fields).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, content, kind | headers)

    def submit(self, path: str, **fields: str) -> Shown:
        """Open a page and send its form with the token of this browser."""
        token = self.get("/account" if "kizuna_session" in self.cookies else path).token
        return self.post(path, {"csrf": token, **fields})

    def sign_in(self, name: str, password: str = PASSWORD) -> Shown:
        token = self.get("/sign-in").token
        return self.post("/sign-in", {"csrf": token, "name": name, "password": password, "next": "/"})

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Shown:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            cookies = SimpleCookie()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    cookies.load(value)
            shown = Shown(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                cookies,
                response.read().decode(),
            )
        finally:
            connection.close()
        for name, morsel in cookies.items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
        return shown

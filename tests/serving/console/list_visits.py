"""Visits to the list by people of any role, without a service around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import ImmutableMultiDict

from serving.api.live_state import ServiceState
from serving.api.streaming import csv_response
from serving.api.worker_pool import WorkerPools
from serving.application.permissions import Role, person
from serving.cli.context import CliContext
from serving.console.host import ConsoleHost
from serving.console.rendering import render
from serving.console.visit import Page, Visit
from serving.console.visitors import Visitor, new_secret
from serving.project.language import Language
from serving.project.settings import read

SHELL = {
    "menu": [],
    "other_language_address": "/",
    "is_open": False,
    "project_title": "shop",
    "list_visited": None,
    "simulated_now": None,
    "notice": None,
}


@contextmanager
def hosting(folder: Path) -> Iterator[ConsoleHost]:
    """The console of a project, in this process."""
    now = CliContext(folder).now
    state, pools = ServiceState(read(folder), lambda: now, open_without_keys=True), WorkerPools()
    try:
        yield ConsoleHost(
            state,
            pools.short,
            pools.long,
            lambda _: True,
            lambda lines, name: csv_response(lines, name, pools.short),
        )
    finally:
        state.close()


def visiting(
    host: ConsoleHost,
    address: str,
    role: Role = "marketer",
    language: Language = "en",
    form: list[tuple[str, str]] | None = None,
) -> Visit:
    """A visit by a signed-in person, whose form was checked already."""
    parts = urlsplit(address)
    query = ImmutableMultiDict(parse_qsl(parts.query, keep_blank_values=True))
    visitor = Visitor(person("ann", role), new_secret(), is_signed_in=True, role=role)
    return Visit(host, visitor, language, parts.path, query, ImmutableMultiDict(form or []))


def html(visit: Visit, page: Page) -> str:
    """The page as it is sent."""
    return render(visit, page, SHELL)

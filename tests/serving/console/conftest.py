"""The console of one shop, and one browser, for the whole session."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.serving.console.browser import CHROMIUM, NO_CHROMIUM, chromium
from tests.serving.console.people import NAMES, Client, add_people
from tests.serving.running import Server, serving


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing its tests are skipped, and fail under CI.

    Closed before tests of other folders: Playwright keeps an event loop running in this thread meanwhile,
    and nothing else could start one.
    """
    if not CHROMIUM.exists():
        assert "KIZUNA_CI" not in os.environ, NO_CHROMIUM
        pytest.skip(NO_CHROMIUM)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def console(started_shop: Path) -> Iterator[Server]:
    """The open service of a shop with a campaign; not to be changed."""
    with serving(started_shop) as running:
        yield running


@pytest.fixture(scope="session")
def staffed_shop(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a person of each role (`people.PEOPLE`)."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("staffed") / "shop"))
    add_people(folder)
    return folder


@pytest.fixture(scope="session")
def staffed(staffed_shop: Path) -> Iterator[Server]:
    """The service of the shop whose people sign in."""
    with serving(staffed_shop) as running:
        yield running


@pytest.fixture
def clients(staffed: Server) -> Callable[[str], Client]:
    """A browser without a screen in which a person, by name or role, is signed in; each person once."""

    def signed_in(who: str) -> Client:
        client = Client(staffed.port)
        assert client.sign_in(NAMES.get(who, who)).status == 303
        return client

    return signed_in

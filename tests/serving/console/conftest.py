"""The console of one shop, and one browser, for the whole session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.serving.console.browser import CHROMIUM, NO_CHROMIUM, chromium
from tests.serving.running import Server, serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where it is missing its tests are skipped, and fail under CI."""
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

"""What holds for every page of the console, in a real browser and in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from serving.application.permissions import OPEN_CONSOLE
from serving.console.routes import ROUTES
from tests.serving.console.browser import visiting
from tests.serving.running import Server

PATHS = tuple(
    route.path for route in ROUTES if route.menu is not None and route.permission in OPEN_CONSOLE.permissions
)
"""Pages of the menu as an open service has it; `test_access_page` opens those of administrators."""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_error_asks_nobody_else_and_is_accessible(
    browser: Browser, console: Server, path: str, language: str
) -> None:
    with visiting(browser, console.port, language) as visitor:
        visitor.open(path)
        assert visitor.page.locator("html").get_attribute("lang") == language
        assert visitor.page.locator("h1").count() == 1
        assert visitor.violations() == []
        assert (visitor.errors, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("path", PATHS)
def test_a_page_works_without_javascript_on_a_phone(browser: Browser, console: Server, path: str) -> None:
    with visiting(browser, console.port, javascript=False, width=400) as visitor:
        visitor.open(path)
        assert visitor.page.locator("main h1").is_visible()
        links = visitor.page.locator("nav a")
        assert links.count() >= 1
        width = visitor.page.locator("html").bounding_box()
        assert width is not None
        assert width["width"] <= 400, "nothing is wider than the screen"


def test_the_language_is_the_browsers_until_another_is_chosen(browser: Browser, console: Server) -> None:
    with visiting(browser, console.port, "ja") as visitor:
        visitor.open("/")
        visitor.page.get_by_role("link", name="English").click()
        assert visitor.page.locator("html").get_attribute("lang") == "en"
        visitor.open("/")
        assert visitor.page.locator("html").get_attribute("lang") == "en"

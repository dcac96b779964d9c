"""What holds for every page of the console, in a real browser and in both languages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from serving.application.permissions import COMMAND_LINE, OPEN_CONSOLE
from serving.application.playbook.save import save_playbook
from serving.application.playbook.show import show_playbook
from serving.console.routes import ROUTES
from serving.state.job_index import JobRecord, add_job
from tests.serving.console.browser import visiting
from tests.serving.console.made_card import CARD
from tests.serving.console.people import NAMES, Client, add_people, project_of
from tests.serving.running import Server, serving
from training.bundle.model_card_file import save_model_card
from training.bundle.promotions import PROMOTIONS
from training.registry.gates import GateDecision
from training.registry.promotion_log import log_promotion

MENU = tuple(
    route.path for route in ROUTES if route.menu is not None and route.permission in OPEN_CONSOLE.permissions
)
"""Pages of the menu as an open service has it."""
STRANGER = {"/sign-in": 200, "/sign-in?next=%2Fcustomer%3Fid%3Dc0003": 200, "/welcome?link=made-up": 422}
"""Pages of the entrance, with their status."""
ADMINISTRATOR = (
    *("/sign-out", "/account", "/access", "/access/person?name=ken", "/access/person?name=hanako"),
    *("/access/keys", "/access/audit", "/access/audit?of=lookups", "/models", "/models?version=1"),
    *("/models/confirm?version=1", "/models/confirm", "/jobs", "/jobs?id=ab", "/runs"),
    *(
        "/list?tiers=casual",
        "/list?min_probability=0.999999",
        "/customer?id=c0003",
        "/customer?id=c0003&kind=purchase",
    ),
    *("/campaign?name=spring", "/campaigns/start?tiers=casual", "/campaigns/preview?customers=40&control=50"),
    *("/playbook/edit", "/playbook/edit?version=1", "/playbook/version?number=1"),
    *("/engagement?months=6",),
)
TROUBLE = {
    "/customer?id=nobody": 404,
    "/customer?id=c0003&since=soon": 422,
    "/campaign?name=winter": 404,
    "/list?tiers=wrong": 422,
    "/jobs?id=00": 404,
    "/runs?id=7": 422,
    "/runs?id=x": 422,
    "/access/person?name=nobody": 422,
    "/playbook/version?number=999": 422,
}
"""Pages that say what is wrong, as an administrator sees them, with their status."""
FORBIDDEN = ("/access", "/models", "/campaigns/start", "/playbook/edit")
"""Pages that a viewer may not see."""
NO_PAGES = {"/list.csv", "/engagement.csv", "/campaign/do", "/playbook/save", "/playbook/restore"}
"""Files, and addresses of forms that send on to another page."""
WITH_A_JOB = {"/playbook/preview"}
"""Opened by `test_playbook_page` once its job is done."""


@dataclass(frozen=True)
class Place:
    """A service with a campaign, models, a failed job, versions of the playbook and a person of each role."""

    server: Server
    cookies: Mapping[str, Mapping[str, str]]
    """Of those who are signed in, by role."""


@pytest.fixture(scope="module")
def place(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("pages") / "shop"))
    add_people(folder)
    save_model_card(folder / "state", CARD)
    for version in ("1", "2"):
        decision = GateDecision(True, (), ("few customers left",), {})
        log = folder / "state" / PROMOTIONS
        log_promotion(log, decision, decided_at="2024-05-01", version=version, run="made-up")
    with project_of(folder) as workspace:
        add_job(workspace.database, JobRecord("ab", "plan", "{}", "hanako", "person", (), 1), "plan", 1)
        shown = show_playbook(workspace, COMMAND_LINE, "en")
        save_playbook(workspace, COMMAND_LINE, f"{shown.text}\n# Checked.\n", shown.fingerprint, "checked")
    with serving(folder) as server:
        cookies: dict[str, Mapping[str, str]] = {"stranger": {}}
        for role in ("administrator", "viewer"):
            client = Client(server.port)
            assert client.sign_in(NAMES[role]).status == 303
            cookies[role] = client.cookies
        yield Place(server, cookies)


PAGES = (
    *((path, "stranger", status) for path, status in STRANGER.items()),
    *((path, "administrator", 200) for path in ADMINISTRATOR),
    *((path, "administrator", status) for path, status in TROUBLE.items()),
    *((path, "viewer", 403) for path in FORBIDDEN),
)


def test_every_page_is_opened_here() -> None:
    opened = {urlsplit(path).path for path in (*MENU, *STRANGER, *ADMINISTRATOR)}
    assert {route.path for route in ROUTES} - opened - NO_PAGES - WITH_A_JOB == set()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", MENU)
def test_a_page_has_no_error_asks_nobody_else_and_is_accessible(
    browser: Browser, console: Server, path: str, language: str
) -> None:
    with visiting(browser, console.port, language) as visitor:
        visitor.open(path)
        assert visitor.page.locator("html").get_attribute("lang") == language
        assert visitor.page.locator("h1").count() == 1
        assert visitor.violations() == []
        assert (visitor.errors, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("path", "who", "status"), PAGES)
def test_a_page_about_something_one_of_administrators_and_one_of_trouble_too(
    browser: Browser, place: Place, path: str, who: str, status: int, language: str
) -> None:
    with visiting(browser, place.server.port, language, cookies=place.cookies[who]) as visitor:
        assert visitor.open(path) == status
        assert visitor.page.locator("html").get_attribute("lang") == language
        assert visitor.page.locator("h1").count() == 1
        assert visitor.violations() == []
        told = [f"status of {status}" in one for one in visitor.errors]
        assert told == ([] if status == 200 else [True]), visitor.errors
        assert visitor.elsewhere == []


@pytest.mark.parametrize("path", MENU)
def test_a_page_works_without_javascript_on_a_phone(browser: Browser, console: Server, path: str) -> None:
    with visiting(browser, console.port, javascript=False, width=400) as visitor:
        visitor.open(path)
        assert visitor.page.locator("main h1").is_visible()
        links = visitor.page.locator("nav a")
        assert links.count() >= 1
        width = visitor.page.locator("html").bounding_box()
        assert width is not None
        assert width["width"] <= 400, "nothing is wider than the screen"


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("who", ["stranger", "administrator", "viewer"])
def test_other_pages_work_without_javascript_on_a_phone(
    browser: Browser, place: Place, who: str, language: str
) -> None:
    cookies = place.cookies[who]
    wide = []
    with visiting(
        browser, place.server.port, language, javascript=False, width=400, cookies=cookies
    ) as visitor:
        for path, opened_by, status in PAGES:
            if opened_by == who:
                assert visitor.open(path) == status, path
                assert visitor.page.locator("main h1").is_visible(), path
                width = visitor.page.locator("html").bounding_box()
                if width is None or width["width"] > 400:
                    wide.append(path)
    assert wide == [], "nothing is wider than the screen"


def test_the_language_is_the_browsers_until_another_is_chosen(browser: Browser, console: Server) -> None:
    with visiting(browser, console.port, "ja") as visitor:
        visitor.open("/")
        visitor.page.get_by_role("link", name="English").click()
        assert visitor.page.locator("html").get_attribute("lang") == "en"
        visitor.open("/")
        assert visitor.page.locator("html").get_attribute("lang") == "en"

"""Tests of what pages offer: a button that a text names is there, or the page says who has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from serving.console.routes import ROUTES
from serving.console.texts import texts
from serving.project.language import Language
from serving.schemas.roles import ROLES
from tests.serving.console.people import Client
from tests.serving.running import Server

SignedIn = Callable[[str], Client]
QUOTED = {"en": re.compile("“([^”]+)”"), "ja": re.compile("「([^」]+)」")}
COMMAND = "kizuna users add NAME --role administrator"


def sentences(page: str) -> list[str]:
    """The texts between the tags of a page."""
    return [unescape(words).strip() for words in re.findall(r">([^<]+)<", page) if words.strip()]


def visitor(who: str, console: Server, clients: SignedIn) -> Client:
    return Client(console.port) if who == "open" else clients(who)


@pytest.mark.parametrize("who", ["open", *ROLES])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_button_that_a_page_names_is_on_it(
    console: Server, clients: SignedIn, who: str, language: Language
) -> None:
    client, place = visitor(who, console, clients), 0 if language == "en" else 1
    labels = {words[place] for words in texts().values()}
    roles = [texts()[f"shell.who_{role}"][place] for role in ROLES]
    for route in (one for one in ROUTES if one.menu is not None):
        shown = client.get(f"{route.path}?language={language}")
        if shown.status != 200:
            continue
        said = sentences(shown.text)
        for sentence in said:
            for name in QUOTED[language].findall(sentence):
                says_who = any(role in sentence.lower() for role in roles)
                assert name not in labels or name in said or says_who, (route.path, sentence)


@pytest.mark.parametrize("who", ["open", *ROLES])
def test_who_may_not_edit_or_start_reads_who_may(console: Server, clients: SignedIn, who: str) -> None:
    client = visitor(who, console, clients)
    is_allowed = who in ("marketer", "administrator")
    playbook = client.get("/playbook").text
    assert ("A marketer or an administrator can edit the playbook." in playbook) is not is_allowed
    assert (COMMAND in playbook) is (who == "open")
    the_list = sentences(client.get("/list").text)
    assert ("Start campaign" in the_list) is is_allowed
    assert ("Draft campaign" in the_list) is (who in ("open", "analyst"))
    start = client.get("/campaigns/start").text
    if who != "viewer":
        assert ("A marketer or an administrator can start it." in start) is not is_allowed
        assert ("<h1>Start a campaign</h1>" in start) is is_allowed


@pytest.mark.parametrize("who", ["open", *ROLES])
def test_a_list_without_a_plan_offers_to_make_one_or_says_who_can(
    console: Server, clients: SignedIn, who: str
) -> None:
    client = visitor(who, console, clients)
    for page in (client.get("/list").text, client.get("/list", hx_request="true").text):
        assert "These scores have no plan yet" in page
        may_run = who in ("open", "analyst", "administrator")
        assert ('name="kind" value="plan"' in page) is may_run
        assert ("An analyst or an administrator can make one." in page) is not may_run


def test_before_the_first_report_its_button_computes_and_afterwards_recomputes(console: Server) -> None:
    said = sentences(Client(console.port).get("/engagement?language=ja").text)
    assert "集計する" in said
    assert "集計し直す" not in said


@pytest.mark.parametrize("path", ["/sign-in", "/playbook/edit", "/access", "/models/confirm"])
def test_an_open_console_says_that_a_page_needs_accounts(console: Server, path: str) -> None:
    shown = Client(console.port).get(path)
    assert (shown.status, "Only after signing in" in shown.text) == (403, True)
    assert "Ask an administrator" not in shown.text

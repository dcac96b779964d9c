"""The pages of access: people, their links, keys shown once, and the audit log page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from serving.state.audit_log import AccessRecord, record_accesses, record_action
from serving.state.database import Database
from tests.serving.console.browser import visiting
from tests.serving.console.people import PASSWORD, Client, project_of
from tests.serving.running import Server

SignedIn = Callable[[str], Client]


def send(client: Client, path: str, **fields: str) -> str:
    """Send a form and give the text of the page that answers it."""
    shown = client.post(path, {"csrf": client.get("/account").token, **fields})
    if shown.status == 303:
        shown = client.get(shown.headers["location"])
    return shown.text


def test_a_person_is_added_changed_disabled_and_enabled(clients: SignedIn) -> None:
    client = clients("administrator")
    client.headers["accept-language"] = "en"
    page = send(client, "/access", name="rin", role="viewer", display_name="<b>Rin</b>")
    link = re.search(r'value="http://127\.0\.0\.1:\d+/welcome\?link=([\w-]+)"', page)
    assert link is not None, page
    assert "&lt;b&gt;Rin&lt;/b&gt;" in page
    assert "No password yet" in client.get("/access/person?name=rin").text
    stranger = Client(client.port)
    token = stranger.get(f"/welcome?link={link[1]}").token
    chosen = {"csrf": token, "link": link[1], "password": PASSWORD, "again": PASSWORD}
    assert stranger.post("/welcome", chosen).status == 303
    assert "Role of rin changed" in send(client, "/access/person", do="role", name="rin", role="analyst")
    assert stranger.get("/").status == 200
    assert "signed out everywhere" in send(client, "/access/person", do="sign_out", name="rin")
    assert stranger.get("/").status == 303
    assert "Account of rin disabled" in send(client, "/access/person", do="disable", name="rin")
    assert stranger.sign_in("rin").status == 401
    assert "Account of rin enabled" in send(client, "/access/person", do="enable", name="rin")
    assert stranger.sign_in("rin").status == 303
    assert "there is an account of that name" in send(client, "/access", name="RIN", role="viewer")
    send(client, "/access/person", do="disable", name="rin")


def test_the_last_administrator_is_told_why_nothing_changed(clients: SignedIn) -> None:
    client = clients("administrator")
    client.headers["accept-language"] = "ja"
    for change in ({"do": "disable"}, {"do": "role", "role": "viewer"}):
        page = send(client, "/access/person", name="hanako", **change)
        assert "ほかに管理者がいません。先に別の管理者を決めてください。" in page
    assert client.get("/access").status == 200


def test_a_key_is_shown_once_rotated_and_revoked(clients: SignedIn) -> None:
    client = clients("administrator")
    client.headers["accept-language"] = "en"
    page = send(client, "/access/keys", do="add", name="crm", scope="read")
    key = re.search(r'value="(kz_[\w-]+)"', page)
    assert key is not None
    assert key[1] not in client.get("/access/keys").text
    assert "one with that name is in use" in send(client, "/access/keys", do="add", name="crm", scope="read")
    assert "at least one scope" in send(client, "/access/keys", do="add", name="other")
    rotated = send(client, "/access/keys", do="rotate", name="crm")
    assert re.search(r'value="(kz_[\w-]+)"', rotated)
    assert "until " in rotated
    assert "Key “crm” revoked" in send(client, "/access/keys", do="revoke", name="crm")
    assert "no key in use has that name" in send(client, "/access/keys", do="revoke", name="crm")


def test_ones_own_password_is_changed_with_the_present_one(clients: SignedIn) -> None:
    own, other = clients("analyst"), clients("analyst")
    own.headers["accept-language"] = "en"
    form = {"do": "password", "current": PASSWORD, "password": "nine boats under it", "again": "x"}
    assert "do not match" in send(own, "/account", **form)
    form["again"] = form["password"]
    assert "the present one is wrong" in send(own, "/account", **{**form, "current": "wrong"})
    assert "fewer than 12" in send(own, "/account", **{**form, "password": "short", "again": "short"})
    assert "Your password was changed" in send(own, "/account", **form)
    assert other.get("/").status == 303
    back = {"do": "password", "current": form["password"], "password": PASSWORD, "again": PASSWORD}
    assert "Your password was changed" in send(own, "/account", **back)


def test_the_audit_is_read_page_by_page_and_filtered(clients: SignedIn, staffed_shop: Path) -> None:
    client = clients("administrator")
    client.headers["accept-language"] = "en"
    with project_of(staffed_shop) as workspace:
        now = workspace.clock()
        with workspace.database.writing() as connection:
            for number in range(120):
                record_action(connection, "crm <i>", "campaign start", now, details=f"campaign {number}")
        record_accesses(workspace.database, [AccessRecord(now, "crm <i>", "score", np.arange(7))])
    seen: list[str] = []
    address: str | None = "/access/audit?who=crm+%3Ci%3E"
    pages = 0
    while address is not None and pages < 9:
        text = client.get(address).text
        seen += re.findall(r"campaign (\d+)<", text)
        found = re.search(r'href="(/access/audit\?[^"]*before=\d+)"', text)
        address = None if found is None else found[1].replace("&amp;", "&")
        pages += 1
    assert seen == [str(number) for number in reversed(range(120))]
    assert "crm &lt;i&gt;" in client.get("/access/audit").text
    assert "No entries match" in client.get("/access/audit?who=zork").text
    assert "No entries match" in client.get("/access/audit?action=100%25").text
    assert "started a campaign" in client.get("/access/audit?action=campaign").text
    lookups = client.get("/access/audit?of=lookups&who=crm+%3Ci%3E").text
    assert '<td class="n">7</td>' in lookups
    for odd in ("before=x", "before=-1", "before=99999999999999999999", "of=zork"):
        assert client.get(f"/access/audit?{odd}").status == 200


def test_a_filter_that_fits_seldom_looks_through_a_bounded_part_of_the_log(tmp_path: Path) -> None:
    from serving.state import audit_log

    with Database(f"sqlite:///{tmp_path}/kizuna.db") as records:
        with records.writing() as connection:
            record_action(connection, "seldom", "restore", 1)
            for number in range(audit_log.SCANNED):
                record_action(connection, "often", "score", 2 + number)
        first = audit_log.audit_page(records, lookups=False, who="seldom", action="", before=None, limit=50)
        assert (first.entries, first.older) == ((), 2)
        second = audit_log.audit_page(
            records, lookups=False, who="seldom", action="", before=first.older, limit=50
        )
        assert ([one.who for one in second.entries], second.older) == (["seldom"], None)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_pages_of_access_are_accessible_and_ask_nobody_else(
    browser: Browser, staffed: Server, language: str
) -> None:
    with visiting(browser, staffed.port, language) as visitor:
        visitor.open("/sign-in")
        visitor.page.locator("#name").fill("hanako")
        visitor.page.locator("#password").fill(PASSWORD)
        visitor.page.locator("main button").click()
        for path in ("/access", "/access/person?name=ken", "/access/keys", "/access/audit", "/account"):
            visitor.open(path)
            assert visitor.page.locator("h1").count() == 1
            assert visitor.violations() == [], path
        visitor.open("/access/person?name=nobody+else")
        assert visitor.page.locator("h1").is_visible()
        assert [one for one in visitor.errors if "422" not in one] == []
        assert visitor.elsewhere == []

"""Tests of the console with addresses, headers and forms that none of its pages makes: refused, no fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.serving.console.people import Client
from tests.serving.running import Server

SignedIn = Callable[[str], Client]
NO_ADDRESS = "http://["
"""What no library can take apart: a bracket that is never closed."""


@pytest.mark.parametrize("address", ["//[", "//[::1", "http://["])
def test_an_address_to_go_on_to_that_is_none_leads_to_the_first_page(staffed: Server, address: str) -> None:
    client = Client(staffed.port)
    page = client.get(f"/sign-in?next={address}")
    assert (page.status, 'name="next" value="/"' in page.text) == (200, True)


def test_what_htmx_says_of_its_page_may_be_no_address(staffed: Server) -> None:
    shown = Client(staffed.port).get("/", hx_request="true", hx_current_url=NO_ADDRESS)
    assert (shown.status, shown.headers["hx-redirect"]) == (401, "/sign-in?next=")


def test_a_form_from_an_origin_that_is_none_is_refused(clients: SignedIn) -> None:
    client = clients("viewer")
    sent = client.post("/account", {"csrf": client.get("/account").token}, origin=NO_ADDRESS)
    assert sent.status == 403


@pytest.mark.parametrize("do", ["replace", "rename", "delete"])
def test_a_saved_filter_of_a_number_that_no_database_keeps_is_refused(clients: SignedIn, do: str) -> None:
    client = clients("marketer")
    sent = client.submit("/list", do=do, saved="9" * 30, name="mine")
    assert (sent.status, "asks for nothing that the list knows" in sent.text) == (422, True)


def test_a_notice_that_no_page_left_is_not_shown(clients: SignedIn) -> None:
    client = clients("viewer")
    client.cookies["kizuna_notice"] = "n=%5B%22account.signed_out_elsewhere%22%2C+%7B%22key%22%3A+1%7D%5D"
    assert client.get("/account").status == 200


def test_a_browser_with_an_empty_cookie_gets_one_and_can_sign_in(staffed: Server) -> None:
    client = Client(staffed.port, cookies={"kizuna_visit": ""})
    assert client.sign_in("ken").status == 303


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_an_unknown_address_is_a_page_for_a_browser_and_json_for_a_program(
    staffed: Server, clients: SignedIn
) -> None:
    signed_in = clients("marketer").get("/kampanien", **BROWSER)
    assert (signed_in.status, signed_in.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in signed_in.text
    assert "/campaigns" in signed_in.text, "in the frame, with the menu"
    stranger = Client(staffed.port).get("/kampanien", accept_language="ja", **BROWSER)
    assert stranger.status == 404
    assert 'name="password"' in stranger.text
    assert 'class="side"' not in stranger.text
    program = Client(staffed.port).get("/kampanien", accept="*/*")
    assert (program.status, program.headers["content-type"]) == (401, "application/json")


def test_an_open_console_says_of_a_mistyped_address_that_there_is_no_such_page(console: Server) -> None:
    shown = Client(console.port).get("/lisst", **BROWSER)
    assert (shown.status, "Page not found" in shown.text) == (404, True)
    assert 'href="/list"' in shown.text, "in the frame, with the menu"


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/metrics", "/v1/campaigns/x"])
def test_the_api_answers_json_to_a_browser_too(staffed: Server, path: str) -> None:
    answered = Client(staffed.port).get(path, **BROWSER)
    assert (answered.status, answered.headers["content-type"]) == (401, "application/json")


def test_a_part_that_cannot_be_had_is_a_sentence_with_a_way_out(clients: SignedIn) -> None:
    part = clients("viewer").get(
        "/jobs?id=none", hx_request="true", hx_current_url="http://127.0.0.1/jobs?id=none", **BROWSER
    )
    assert part.status == 404
    assert part.text.startswith('<p class="notice bad" role="alert">')
    assert '<a href="/jobs?id=none">Reload the page</a>' in part.text


def test_a_fault_behind_a_page_is_a_page_and_behind_a_part_a_sentence(
    staffed: Server, staffed_shop: Path, clients: SignedIn
) -> None:
    marketer = clients("marketer")
    with closing(sqlite3.connect(staffed_shop / "state" / "kizuna.db")) as records:
        with records:
            records.execute(
                "insert into jobs (id, kind, arguments, who, who_kind, permissions, created_at, state, step,"
                " share, result, error) values ('torn', 'report', '{', '', 'person', '[]', 0, 'done', '', 0,"
                " '', '')"
            )
        try:
            page = marketer.get("/jobs?id=torn", accept_language="ja", **BROWSER)
            part = marketer.get(
                "/jobs?id=torn", hx_request="true", hx_current_url="http://x/list?rank=1", **BROWSER
            )
        finally:
            with records:
                records.execute("delete from jobs where id = 'torn'")
    assert (page.status, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "エラーが発生しました" in page.text
    assert '<a class="button" href="/jobs?id=torn">ページを再読み込みする</a>' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert (part.status, part.text.count("<p")) == (500, 1)
    assert '<a href="/list?rank=1">Reload the page</a>' in part.text
    assert marketer.get("/jobs?id=torn", **BROWSER).status == 404

"""Tests of the console with addresses, headers and forms that none of its pages makes: refused, no fault."""

from __future__ import annotations

from collections.abc import Callable

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

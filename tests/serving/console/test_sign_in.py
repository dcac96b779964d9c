"""Signing in to the console over HTTP: cookies, tokens of forms, sessions that end, proxies, bad days."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from serving.application.access.people import (
    change_role,
    disable_person,
    enable_person,
    invite_person,
    sign_out_person,
)
from serving.application.permissions import COMMAND_LINE
from serving.console.pages.sign_in import own_path
from serving.console.routes import ROUTES
from tests.serving.console.browser import visiting
from tests.serving.console.people import PASSWORD, Client, add_people, project_of
from tests.serving.running import Server, serving

SignedIn = Callable[[str], Client]
ELSEWHERE = "console.shop.example"


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page_and_back(staffed: Server) -> None:
    client = Client(staffed.port)
    shown = client.get("/account?language=en")
    assert (shown.status, shown.headers["location"]) == (303, "/sign-in?next=%2Faccount%3Flanguage%3Den")
    page = client.get(shown.headers["location"])
    assert "There is no account yet" not in page.text
    sent = {"csrf": page.token, "name": "ken", "password": PASSWORD, "next": "/account?language=en"}
    signed_in = client.post("/sign-in", sent)
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/account?language=en")
    assert client.get("/account").status == 200
    assert client.get("/sign-in").headers["location"] == "/"


def test_what_htmx_asks_for_after_a_session_ended_opens_the_sign_in_page_as_a_whole(staffed: Server) -> None:
    shown = Client(staffed.port).get("/", hx_request="true", hx_current_url="http://x/account?a=1")
    assert (shown.status, shown.headers["hx-redirect"]) == (401, "/sign-in?next=%2Faccount%3Fa%3D1")


def test_a_wrong_password_is_said_in_both_languages_and_keeps_the_name(staffed: Server) -> None:
    for language, said in (
        ("en", "the name or the password is wrong"),
        ("ja", "名前またはパスワードが違います"),
    ):
        client = Client(staffed.port, headers={"accept-language": language})
        shown = client.sign_in("zork<b>", "wrong")
        assert shown.status == 401
        assert said in shown.text
        assert "zork&lt;b&gt;" in shown.text
        assert "kizuna_session" not in client.cookies


def test_the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(staffed: Server) -> None:
    client = Client(staffed.port)
    cookie = client.sign_in("ken").cookies["kizuna_session"]
    assert (bool(cookie["httponly"]), cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    assert not cookie["domain"]
    assert not cookie["secure"], "browsers keep no secure cookie over http, and this machine has no https"


def test_off_this_machine_the_cookie_is_secure_and_without_https_nobody_signs_in(staffed: Server) -> None:
    plain = Client(staffed.port, headers={"host": ELSEWHERE})
    assert "not encrypted" in plain.get("/sign-in?language=en").text
    refused = plain.sign_in("ken")
    assert (refused.status, "kizuna_session" in str(refused.cookies)) == (400, False)
    https = Client(staffed.port, headers={"host": ELSEWHERE, "origin": f"https://{ELSEWHERE}"})
    assert "not encrypted" not in https.get("/sign-in?language=en").text
    cookie = https.sign_in("ken").cookies["__Host-kizuna_session"]
    assert (bool(cookie["secure"]), bool(cookie["httponly"]), cookie["path"]) == (True, True, "/")
    assert https.get("/").status == 200


def test_a_session_planted_before_is_not_the_one_after_signing_in(staffed: Server) -> None:
    planted = Client(staffed.port)
    planted.sign_in("ken")
    token = planted.cookies["kizuna_session"]
    victim = Client(staffed.port, {"kizuna_session": token})
    victim.cookies["kizuna_session"] = "made-up"
    victim.sign_in("taro")
    assert victim.cookies["kizuna_session"] not in ("made-up", token)
    assert Client(staffed.port, {"kizuna_session": "made-up"}).get("/").status == 303


def test_a_form_with_the_token_of_another_session_changes_nothing(clients: SignedIn) -> None:
    own, other = clients("viewer"), clients("marketer")
    token = other.get("/account").token
    assert own.post("/sign-out", {"csrf": token}).status == 403
    assert own.get("/account").status == 200
    assert own.post("/sign-out", {"csrf": own.get("/account").token}).status == 303


def test_signing_out_takes_a_form_and_ends_the_session(clients: SignedIn) -> None:
    client = clients("viewer")
    token = client.cookies["kizuna_session"]
    assert client.get("/sign-out").status == 303
    assert client.get("/account").status == 200, "a link does not sign out"
    shown = client.post("/sign-out", {"csrf": client.get("/account").token})
    assert (shown.status, shown.headers["location"]) == (303, "/sign-in")
    assert "kizuna_session" not in client.cookies
    assert Client(client.port, {"kizuna_session": token}).get("/").status == 303


def test_a_person_who_is_disabled_signed_out_or_given_another_role_is_met_within_seconds(
    staffed: Server, staffed_shop: Path, clients: SignedIn
) -> None:
    client, second = clients("viewer"), clients("viewer")
    with project_of(staffed_shop) as workspace:
        assert client.get("/access").status == 403
        change_role(workspace, COMMAND_LINE, "ken", "administrator")
        try:
            staffed.wait_for(lambda: client.get("/access").status == 200, 10)
        finally:
            change_role(workspace, COMMAND_LINE, "ken", "viewer")
        staffed.wait_for(lambda: client.get("/access").status == 403, 10)
        sign_out_person(workspace, COMMAND_LINE, "ken")
        staffed.wait_for(lambda: client.get("/").status == second.get("/").status == 303, 10)
        client = clients("viewer")
        disable_person(workspace, COMMAND_LINE, "ken")
        try:
            staffed.wait_for(lambda: client.get("/").status == 303, 10)
        finally:
            enable_person(workspace, COMMAND_LINE, "ken")


def test_a_key_does_not_open_the_console_and_a_session_does_not_open_the_api(
    staffed: Server, clients: SignedIn
) -> None:
    cookie = {"cookie": f"kizuna_session={clients('administrator').cookies['kizuna_session']}"}
    status, body = staffed.post("/v1/score", {"customer_ids": ["c0003"]}, cookie)
    assert (status, body["error"]["code"]) == (401, "no_key")
    assert Client(staffed.port, headers={"authorization": "Bearer kz_x"}).get("/").status == 303
    assert any("people sign in, in spite of --open" in line for line in staffed.log)


def test_the_page_behind_a_one_time_link_sets_a_password_once(staffed: Server, staffed_shop: Path) -> None:
    with project_of(staffed_shop) as workspace:
        link = invite_person(workspace, COMMAND_LINE, "emi", "viewer", display_name="<i>Emi</i>")
    client = Client(staffed.port, headers={"accept-language": "en"})
    page = client.get(f"/welcome?link={link.token}")
    assert (page.status, "&lt;i&gt;Emi&lt;/i&gt;" in page.text) == (200, True)
    form = {"csrf": page.token, "link": link.token, "password": PASSWORD, "again": PASSWORD}
    assert "do not match" in client.post("/welcome", {**form, "again": "x"}).text
    assert "fewer than 12 characters" in client.post("/welcome", {**form, "password": "x", "again": "x"}).text
    assert client.post("/welcome", form).status == 303
    assert client.get("/account").status == 200
    assert "it was used already" in Client(staffed.port).get(f"/welcome?link={link.token}&language=en").text
    with project_of(staffed_shop) as workspace:
        disable_person(workspace, COMMAND_LINE, "emi")


@pytest.mark.parametrize(
    "address",
    ["", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "/a\r\nb", "javascript:x"],
)
def test_signing_in_goes_on_to_own_pages_only(address: str) -> None:
    assert own_path(address) == "/"


def test_after_signing_in_the_page_of_before_is_shown() -> None:
    assert own_path("/customer?id=c%200003&language=ja") == "/customer?id=c%200003&language=ja"
    assert own_path("/sign-out") == "/"


def test_a_trusted_proxy_names_people_and_from_others_the_header_is_ignored(
    staffed: Server, scored_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(scored_template, tmp_path / "shop"))
    toml = folder / "kizuna.toml"
    settings = toml.read_text()
    add_people(folder)
    named = {"x-forwarded-user": "taro"}
    assert Client(staffed.port, headers=named).get("/").status == 303, "nobody is trusted by default"
    toml.write_text(
        settings
        + '\n[console]\ntitle = "Shop"\ntrusted_proxies = ["127.0.0.1"]\nrole_header = "X-Groups"\n'
        + 'roles = { "crm-team" = "marketer" }\n'
    )
    with serving(folder) as running:
        assert Client(running.port).get("/").status == 303, "a proxy that names nobody"
        shown = Client(running.port, headers={**named, "x-groups": "staff, crm-team"}).get("/account")
        assert shown.status == 200
        assert "taro" in shown.text
        assert "Shop" in shown.text
        stranger = Client(running.port, headers={"x-forwarded-user": "eve", "accept-language": "en"})
        assert (stranger.get("/").status, "have no role here" in stranger.get("/").text) == (403, True)
        boss = Client(running.port, headers={"x-forwarded-user": "ken", "x-groups": "administrator"})
        assert boss.get("/access").status == 200


def test_a_database_that_is_away_is_said_on_a_page(staffed: Server, staffed_shop: Path) -> None:
    client = Client(staffed.port, headers={"accept-language": "en"})
    client.sign_in("ken")
    blocker = sqlite3.connect(staffed_shop / "state" / "kizuna.db", isolation_level=None)
    blocker.execute("alter table people rename to people_away")
    try:
        fresh = Client(staffed.port, {"kizuna_session": "unknown"}, {"accept-language": "en"})
        for shown in (fresh.get("/"), fresh.get("/sign-in")):
            assert shown.status == 503
            assert "Nothing was changed; try again in a moment." in shown.text
            assert shown.headers["content-type"].startswith("text/html")
    finally:
        blocker.execute("alter table people_away rename to people")
        blocker.close()
    assert Client(staffed.port).sign_in("ken").status == 303, "once it is back"


def test_without_any_account_the_sign_in_page_says_how_the_first_one_is_made(
    scored_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(scored_template, tmp_path / "shop"))
    with serving(folder) as running:
        assert Client(running.port).get("/").status == 200, "open to this machine"
        assert Client(running.port, headers={"host": ELSEWHERE}).get("/").status == 303
        page = Client(running.port, headers={"host": ELSEWHERE}).get("/sign-in").text
        assert "kizuna users add NAME --role administrator" in page
        add_people(folder)
        running.wait_for(lambda: Client(running.port).get("/").status == 303, 10)
        assert running.post("/v1/score", {"customer_ids": ["c0003"]})[0] == 401, "the API too"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_people_sign_in_and_out_in_a_browser(browser: Browser, staffed: Server, language: str) -> None:
    with visiting(browser, staffed.port, language) as visitor:
        page = visitor.page
        visitor.open("/account")
        assert visitor.violations() == []
        page.locator("#name").fill("hanako")
        page.locator("#password").fill("not this one")
        page.locator("main button").click()
        assert page.get_by_role("alert").is_visible()
        assert visitor.violations() == []
        assert page.locator("#name").input_value() == "hanako"
        page.locator("#password").fill(PASSWORD)
        page.locator("main button").click()
        page.wait_for_url("**/account")
        page.locator(".account summary").click()
        assert visitor.violations() == []
        page.locator(".account-menu button").click()
        page.wait_for_url("**/sign-in")
        visitor.open("/account")
        assert "/sign-in?next=" in page.url
        # The browser itself writes down that an answer had the status 401.
        assert [one for one in visitor.errors if "401" not in one] == []
        assert visitor.elsewhere == []


def test_every_page_but_the_entrance_sends_a_stranger_to_sign_in(staffed: Server) -> None:
    client = Client(staffed.port)
    for route in ROUTES:
        if route.permission != "sign_in":
            for shown in (client.get(route.path), client.post(route.path, {})):
                assert (shown.status, shown.headers.get("location", "")[:9]) == (303, "/sign-in?"), route

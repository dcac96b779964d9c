"""Roles × pages × forms: every page and form of the console, for each role and for nobody; and the audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from serving.actions.playbook import default_text
from serving.application.permissions import GRANTS, OPEN_CONSOLE
from serving.console.routes import ROUTES, PageRoute
from serving.schemas.roles import ROLES, Role
from serving.state.audit_log import AuditEntry, audit_page
from tests.serving.console.people import PASSWORD, Client, Shown, project_of
from tests.serving.running import Server

SignedIn = Callable[[str], Client]
FORMS: dict[str, Mapping[str, str]] = {
    "/sign-in": {"name": "hanako", "password": "not this one"},
    "/sign-out": {},
    "/welcome": {"link": "made up", "password": PASSWORD, "again": PASSWORD},
    "/access": {"name": "mei", "role": "viewer"},
    "/access/person": {"do": "role", "name": "ken", "role": "viewer"},
    "/access/keys": {"do": "add", "name": "roles", "scope": "read"},
    "/account": {"do": "sign_out_elsewhere"},
    "/jobs": {"kind": "made up"},
    "/customer": {"action": "refuse", "token": "roles-and-pages-0001"},
    "/list": {"do": "save", "name": "roles"},
    "/playbook/edit": {"text": "no playbook"},
    "/playbook/preview": {"text": "no playbook"},
    "/playbook/save": {"text": default_text("shop"), "note": "roles"},
    "/playbook/restore": {"number": "999"},
    "/campaigns/preview": {"name": "roles", "do": "draft"},
    "/campaign/do": {"do": "made up"},
}
"""A form of every page that takes one, such that an administrator may send it."""
SILENT = {
    *("/welcome", "/access/person", "/jobs", "/campaign/do"),
    *("/playbook/edit", "/playbook/preview", "/playbook/restore"),
}
"""Forms above that change nothing: a made-up link, job or version, and the role that a person has already."""
QUERIES = {
    "/access/person": "?name=ken",
    "/customer": "?id=c0003",
    "/campaign": "?name=spring",
    "/campaign/do": "?name=spring",
}
"""What a page or a form is about."""
SUBMITS = [route for route in ROUTES if route.submit is not None]


def may(role: Role, route: PageRoute) -> bool:
    return role in GRANTS[route.permission].roles


def send(client: Client, token: str, route: PageRoute) -> Shown:
    """Send the form of a page."""
    return client.post(route.path + QUERIES.get(route.path, ""), {"csrf": token, **FORMS.get(route.path, {})})


def entries(folder: Path) -> list[AuditEntry]:
    """What people changed, newest first; what they read the service writes down a little later."""
    with project_of(folder) as workspace:
        database = workspace.database
        return list(audit_page(database, lookups=False, who="", action="", before=None, limit=10_000).entries)


def test_every_form_of_the_console_is_tested_here() -> None:
    missing = {route.path for route in SUBMITS} - set(FORMS)
    assert missing == set(), "add a form of the page to FORMS"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_its_pages_and_no_other(clients: SignedIn, role: Role) -> None:
    client = clients(role)
    menu = client.get("/account").text
    for route in ROUTES:
        if route.path in ("/sign-out", "/sign-in", "/welcome"):
            continue
        shown = client.get(route.path + QUERIES.get(route.path, ""))
        if may(role, route):
            assert shown.status in (200, 303, 404, 422), (route.path, shown.status)
        else:
            assert shown.status == 403, route.path
            assert "Your role does not include" in shown.text or "現在のロールでは" in shown.text
        if route.menu is not None:
            assert (f'<li><a href="{route.path}"' in menu) is may(role, route), route.path


@pytest.mark.parametrize("role", [role for role in ROLES if role != "administrator"])
def test_a_form_that_a_role_may_not_send_changes_nothing_and_is_not_in_the_audit(
    clients: SignedIn, staffed_shop: Path, role: Role
) -> None:
    client = clients(role)
    token = client.get("/account").token
    before = entries(staffed_shop)
    for route in SUBMITS:
        if not may(role, route):
            assert send(client, token, route).status == 403, route.path
    assert entries(staffed_shop) == before


def test_a_stranger_can_send_no_form_but_those_of_the_entrance(staffed: Server, staffed_shop: Path) -> None:
    client = Client(staffed.port)
    token = client.get("/sign-in").token
    before = entries(staffed_shop)
    for route in SUBMITS:
        if route.permission != "sign_in":
            shown = send(client, token, route)
            assert (shown.status, shown.headers["location"][:9]) == (303, "/sign-in?"), route.path
    assert entries(staffed_shop) == before


@pytest.mark.parametrize(
    "route", [one for one in SUBMITS if one.path in set(FORMS) - SILENT], ids=lambda one: one.path
)
def test_everything_that_a_person_does_is_in_the_audit(
    clients: SignedIn, staffed_shop: Path, route: PageRoute
) -> None:
    client = clients("administrator")
    token = client.get("/account").token
    before = len(entries(staffed_shop))
    send(client, token, route)
    after = entries(staffed_shop)
    assert len(after) > before, f"a form of {route.path} left no entry"
    assert after[0].who == "hanako"
    assert PASSWORD not in str(after)
    assert FORMS[route.path].get("password", PASSWORD) not in str(after)


def test_whoever_opens_an_open_console_has_no_keys_accounts_promotion_and_erasure(console: Server) -> None:
    client = Client(console.port)
    closed = {"promote", "erase", "operate", "manage_access", "own_account", "sign_in"}
    assert OPEN_CONSOLE.permissions.isdisjoint(closed)
    for route in ROUTES:
        if route.permission in closed:
            assert client.get(route.path).status == 403, route.path

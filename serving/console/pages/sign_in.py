"""Signing in and out, and choosing a password with a one-time link."""

from __future__ import annotations

from urllib.parse import urlsplit

from features.errors import RequestRefused, UsageError
from serving.application.access import own_account, sign_in
from serving.application.permissions import NOBODY_YET
from serving.console.visit import Answer, Page, Redirect, SignedInTo, SignedOut, Visit
from serving.presentation.messages.catalog import translated

START = "/"


def show_sign_in(visit: Visit) -> Answer:
    """The sign-in page; who is signed in goes on."""
    target = own_path(visit.query.get("next", ""))
    return Redirect(target) if visit.visitor.is_signed_in else _sign_in_page(visit, target)


def submit_sign_in(visit: Visit) -> Answer:
    """Name and password were sent."""
    target, name = own_path(visit.form.get("next", "")), visit.form.get("name", "")
    who = visit.visitor
    if not who.is_https:
        return _sign_in_page(visit, target, name, status=400)
    try:
        session = sign_in.sign_in(
            visit.shared, NOBODY_YET, name, visit.form.get("password", ""), who.place, earlier=who.token
        )
    except RequestRefused as error:
        problem = translated(error.message, visit.language)
        return _sign_in_page(visit, target, name, problem, error.status)
    return SignedInTo(target, session.token)


def show_sign_out(_: Visit) -> Answer:
    """Signing out takes a form: a link in a message must not do it."""
    return Redirect(START)


def submit_sign_out(visit: Visit) -> Answer:
    """End the session."""
    own_account.sign_out(visit.shared, visit.actor, visit.visitor.token)
    return SignedOut()


def show_welcome(visit: Visit) -> Answer:
    """The page behind a one-time link; raises `UsageError` for one that opens nothing any more."""
    return _welcome_page(visit, visit.query.get("link", ""))


def submit_welcome(visit: Visit) -> Answer:
    """A password was chosen."""
    token, password, again = (visit.form.get(one, "") for one in ("link", "password", "again"))
    if not visit.visitor.is_https:
        return _welcome_page(visit, token, status=400)
    if password != again:
        return _welcome_page(visit, token, visit.text("sign_in.not_the_same"), 422)
    try:
        session = sign_in.use_link(
            visit.shared, NOBODY_YET, token, password, visit.visitor.place, earlier=visit.visitor.token
        )
    except UsageError as error:
        if error.field != "password":
            raise
        return _welcome_page(visit, token, translated(error.message, visit.language), error.status)
    return SignedInTo(START, session.token)


def own_path(address: str) -> str:
    """An address to go on to if it is a page of this console, else the first page."""
    try:
        parts = urlsplit(address)
    except ValueError:  # such as //[
        return START
    is_own = address.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in address
    is_plain = address.isprintable() and not address.startswith(("//", "/sign-"))
    return address if is_own and is_plain else START


def _sign_in_page(
    visit: Visit, target: str, name: str = "", problem: str | None = None, status: int = 200
) -> Page:
    return Page(
        "sign_in.html",
        {
            "target": target,
            "name": name,
            "problem": problem,
            "is_https": visit.visitor.is_https,
            "needs_first_account": sign_in.needs_first_account(visit.shared, NOBODY_YET),
        },
        status,
    )


def _welcome_page(visit: Visit, token: str, problem: str | None = None, status: int = 200) -> Page:
    owner = sign_in.link_owner(visit.shared, NOBODY_YET, token)
    return Page(
        "welcome.html",
        {
            "token": token,
            "owner": owner,
            "problem": problem,
            "is_https": visit.visitor.is_https,
        },
        status,
    )

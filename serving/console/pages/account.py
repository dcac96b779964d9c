"""One's own account: the password and the open sessions."""

from __future__ import annotations

from features.errors import RequestRefused, UsageError
from serving.application.access import own_account
from serving.console.browsers import browser_name
from serving.console.visit import Answer, Page, Redirect, Visit
from serving.presentation.messages.catalog import translated

PATH = "/account"


def show_account(visit: Visit) -> Answer:
    """Name, role, password and sessions."""
    return _page(visit)


def submit_account(visit: Visit) -> Answer:
    """Another password, or the end of the sessions elsewhere."""
    if visit.form.get("do") == "sign_out_elsewhere":
        ended = own_account.sign_out_elsewhere(visit.shared, visit.actor, visit.visitor.token)
        return Redirect(PATH, "account.signed_out_elsewhere", {"count": ended.sessions})
    current, new, again = (visit.form.get(one, "") for one in ("current", "password", "again"))
    if new != again:
        return _page(visit, {"again": visit.text("sign_in.not_the_same")}, 422)
    who = visit.visitor
    try:
        own_account.change_own_password(
            visit.shared, visit.actor, current, new, token=who.token, address=who.place.address
        )
    except (UsageError, RequestRefused) as error:
        field = error.field if error.field in ("current", "password") else "current"
        return _page(visit, {field: translated(error.message, visit.language)}, error.status)
    return Redirect(PATH, "account.password_changed")


def _page(visit: Visit, problems: dict[str, str] | None = None, status: int = 200) -> Page:
    own = own_account.own_account(visit.shared, visit.actor, visit.visitor.token)
    return Page(
        "account_page.html", {"own": own, "problems": problems or {}, "browser_name": browser_name}, status
    )

"""The list that a browser looked at last, kept in a cookie: the menu and customers' pages lead back to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from serving.console.visit import Page
from serving.lists.list_address import is_filter

COOKIE = "kizuna_list"
PATH = "/list"
LONGEST = 3_000
"""Characters of a kept address; browsers drop cookies of more than 4 kB."""
MOST_DIGITS = 9
OWN = ("rows", "saved")
"""What a list's address has besides its filters."""


@dataclass(frozen=True)
class ListVisited:
    """A list with its filters."""

    address: str
    customers: int


def list_visited(request: Request) -> ListVisited | None:
    """The last list of this browser; None where there is none, or where the cookie is not one of ours."""
    kept = dict(parse_qsl(request.cookies.get(COOKIE, ""), keep_blank_values=True))
    query, customers = kept.get("query", ""), kept.get("customers", "")
    if not (customers.isascii() and customers.isdecimal() and len(customers) <= MOST_DIGITS):
        return None
    return ListVisited(f"{PATH}?{query}" if query else PATH, int(customers))


def remember_list(response: Response, page: Page) -> None:
    """Keep the address of a list that is shown, until the browser is closed; one too long forgets it."""
    if page.address is None or page.listed is None:
        return
    written = parse_qsl(page.address.partition("?")[2])
    # What somebody wrote for a campaign goes with them through the list, and is not kept for later.
    query = urlencode([(name, value) for name, value in written if is_filter(name) or name in OWN])
    value = urlencode({"query": query, "customers": page.listed})
    if len(value) > LONGEST:
        forget_list(response)
        return
    response.set_cookie(COOKIE, value, httponly=True, samesite="lax")


def forget_list(response: Response) -> None:
    """Let the next person of this browser begin with the whole list."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")

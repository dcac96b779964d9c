"""The pages of the console: where each is, who may see it, and what answers it.

To add one, add its handler in `pages/`, its template, its texts and its line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.application.permissions import Permission
from serving.console.pages.at_risk_list import FILE, PATH, at_risk_list, change_list, list_file
from serving.console.pages.customer import customer, customer_form
from serving.console.pages.jobs import show_jobs, start_job
from serving.console.pages.today import today
from serving.console.visit import Answer, Visit


@dataclass(frozen=True)
class PageRoute:
    """One address of the console."""

    path: str
    permission: Permission
    """Without it the page is not shown; the use cases behind it check theirs besides."""
    show: Callable[[Visit], Answer]
    """Answers GET."""
    submit: Callable[[Visit], Answer] | None = None
    """Answers a posted form."""
    menu: str | None = None
    """The key of its words in the menu, None for a page that is not in it."""
    is_long: bool = False
    """Whether it may take many seconds, so that it is made in the pool of long work."""


ROUTES: tuple[PageRoute, ...] = (
    PageRoute("/", "read_report", today, menu="shell.today"),
    PageRoute(PATH, "read_customer", at_risk_list, change_list, menu="list.title"),
    PageRoute(FILE, "download", list_file),
    PageRoute("/jobs", "read_report", show_jobs, start_job),
    PageRoute("/customer", "read_customer", customer, customer_form, menu="shell.customer"),
)  # fmt: skip

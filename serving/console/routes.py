"""The pages of the console: where each is, who may see it, and what answers it.

To add one, add its handler in `pages/`, its template, its texts and its line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.application.permissions import Permission
from serving.console.pages import access, account
from serving.console.pages import playbook as rules
from serving.console.pages.at_risk_list import FILE, PATH, at_risk_list, change_list, list_file
from serving.console.pages.campaign_start import campaign_preview, campaign_start, submit_campaign
from serving.console.pages.campaigns import campaign_list, do_with_campaign, one_campaign, to_campaign
from serving.console.pages.customer import customer, customer_form
from serving.console.pages.data import data
from serving.console.pages.engagement import engagement, engagement_csv
from serving.console.pages.jobs import show_jobs, start_job
from serving.console.pages.models import confirm_model, models
from serving.console.pages.runs import PATH as RUNS
from serving.console.pages.runs import show_runs
from serving.console.pages.sign_in import (
    show_sign_in,
    show_sign_out,
    show_welcome,
    submit_sign_in,
    submit_sign_out,
    submit_welcome,
)
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


ENTRANCE: tuple[PageRoute, ...] = (
    PageRoute("/sign-in", "sign_in", show_sign_in, submit_sign_in),
    PageRoute("/sign-out", "own_account", show_sign_out, submit_sign_out),
    PageRoute("/welcome", "sign_in", show_welcome, submit_welcome),
)
"""Pages of who comes and goes."""
ACCESS: tuple[PageRoute, ...] = (
    PageRoute(access.PEOPLE, "manage_access", access.show_people, access.submit_person, menu="shell.access"),
    PageRoute(access.PERSON, "manage_access", access.show_person, access.submit_change),
    PageRoute(access.KEYS, "manage_access", access.show_keys, access.submit_key),
    PageRoute(access.AUDIT, "manage_access", access.show_audit),
    PageRoute(account.PATH, "own_account", account.show_account, account.submit_account),
)
ROUTES: tuple[PageRoute, ...] = (
    *ENTRANCE,
    PageRoute("/", "read_report", today, menu="shell.today"),
    PageRoute(PATH, "read_customer", at_risk_list, change_list, menu="list.title"),
    PageRoute(FILE, "download", list_file),
    PageRoute("/customer", "read_customer", customer, customer_form, menu="shell.customer"),
    PageRoute("/campaigns", "read_report", campaign_list, menu="campaigns.title"),
    PageRoute("/campaigns/start", "draft_campaign", campaign_start),
    PageRoute("/campaigns/preview", "draft_campaign", campaign_preview, submit_campaign, is_long=True),
    PageRoute("/campaign", "read_report", one_campaign),
    PageRoute("/campaign/do", "read_report", to_campaign, do_with_campaign, is_long=True),
    PageRoute("/engagement", "read_report", engagement, menu="engagement.title"),
    PageRoute("/engagement.csv", "read_report", engagement_csv),
    PageRoute("/playbook", "read_report", rules.playbook, menu="playbook.title"),
    PageRoute("/playbook/edit", "edit_playbook", rules.editor, rules.check),
    PageRoute("/playbook/preview", "edit_playbook", rules.computed_preview, rules.start_preview),
    PageRoute("/playbook/save", "edit_playbook", rules.to_playbook, rules.save),
    PageRoute("/playbook/version", "read_report", rules.version),
    PageRoute("/playbook/restore", "edit_playbook", rules.to_playbook, rules.restore),
    PageRoute("/models", "read_model", models, menu="models.title"),
    PageRoute("/models/confirm", "promote", confirm_model),
    PageRoute("/data", "analyse", data, menu="data.title"),
    PageRoute("/jobs", "read_report", show_jobs, start_job),
    PageRoute(RUNS, "read_report", show_runs),
    *ACCESS,
)  # fmt: skip

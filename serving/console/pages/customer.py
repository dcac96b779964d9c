"""One customer: risk and why, what to do, everything that happened, and notes of contacts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from features.errors import DataError, UnknownCustomer, UsageError
from serving.application.customers.overview import customer_overview
from serving.application.customers.record_contact import record_contact
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.customers.score_history import score_history
from serving.application.customers.take_back_note import take_back_note
from serving.application.customers.timeline import customer_timeline
from serving.console.visit import Answer, Fields, Page, PageValues, Redirect, Visit
from serving.lists.customers.timeline_rows import TimelineFilter
from serving.presentation.charts.score_chart import score_chart
from serving.presentation.messages.catalog import translated
from serving.schemas.customer_responses import NotedContact

PATH = "/customer"
TEMPLATE = "customer.html"
NARROWED_BY = ("indicator", "kind", "channel", "since", "until")


@dataclass(frozen=True)
class FormProblem:
    """What is wrong with a posted form, and what was written into it."""

    action: str
    message: str
    field: str
    values: Fields


def customer(visit: Visit) -> Answer:
    """The page of the customer in the address, a part of their timeline, or a field to look somebody up."""
    return _page(visit, None)


def customer_form(visit: Visit) -> Answer:
    """A contact or a refusal that a person notes, or takes back."""
    action, customer_id = visit.form.get("action", ""), visit.query.get("id", "")
    submit = FORMS.get(action)
    if submit is None:
        raise UsageError("cannot take this form: it is not one of this page. Reload the page and try again.")
    try:
        noted = submit(visit, customer_id)
    except UnknownCustomer as error:
        return _nobody(customer_id, error)
    except (UsageError, DataError) as error:
        problem = FormProblem(
            action, translated(error.message, visit.language), error.field or "", visit.form
        )
        return _page(visit, problem)
    notice = f"customer.done_{action}" if noted.changed else "customer.done_before"
    if noted.is_control:
        notice = "customer.done_control"
    elif noted.changed and noted.stopped_words:
        values = {"channels": noted.stopped_words}
        return Redirect(_address(id=noted.customer_id), "customer.done_refuse_some", values)
    return Redirect(_address(id=noted.customer_id), notice)


def _contact(visit: Visit, customer_id: str) -> NotedContact:
    form = visit.form
    return record_contact(
        visit.workspace,
        visit.actor,
        customer_id,
        kind=form.get("kind", ""),
        at=form.get("at", ""),
        token=form.get("token", ""),
        channel=form.get("channel", ""),
        text=form.get("text", ""),
        cost=_cost(form.get("cost", "")),
        campaign=form.get("campaign", ""),
    )


def _refuse(visit: Visit, customer_id: str) -> NotedContact:
    form = visit.form
    every = form.get("all") or not form.getlist("channels")
    channels = () if every else tuple(form.getlist("channels"))
    return refuse_contact(
        visit.workspace,
        visit.actor,
        customer_id,
        token=form.get("token", ""),
        channels=channels,
        text=form.get("text", ""),
        language=visit.language,
    )


def _take_back(visit: Visit, customer_id: str) -> NotedContact:
    return take_back_note(visit.workspace, visit.actor, customer_id, visit.form.get("event_id", ""))


FORMS: Mapping[str, Callable[[Visit, str], NotedContact]] = {
    "contact": _contact,
    "refuse": _refuse,
    "take_back": _take_back,
}


def _page(visit: Visit, problem: FormProblem | None) -> Page:
    customer_id = visit.query.get("id", "")
    if not customer_id.strip():
        return Page("customer_search.html", {"asked": "", "similar": ()})
    chosen = {name: visit.query.get(name, "") for name in NARROWED_BY}
    choice = TimelineFilter(**{name: value or None for name, value in chosen.items()})
    cursor = visit.query.get("before") or None
    workspace = visit.workspace.pinned()  # all parts of the page are of one moment
    try:
        entries = customer_timeline(workspace, visit.actor, customer_id, choice, visit.language, cursor)
        values: PageValues = {
            "timeline": entries,
            "chosen": chosen,
            "narrowed": any(chosen.values()),
            "before": cursor,
            "address": lambda **parts: _narrowed(entries.customer_id, chosen, parts),
        }
        if visit.is_fragment:
            return Page(TEMPLATE, values, fragment="timeline" if cursor is None else "older")
        overview = customer_overview(workspace, visit.actor, customer_id, visit.language)
        history = score_history(workspace, visit.actor, customer_id)
    except UnknownCustomer as error:
        return _nobody(customer_id, error)
    project = workspace.project
    now = project.timeline.local(workspace.clock()).strftime("%Y-%m-%dT%H:%M")
    running = next((one.name for one in overview.campaigns if one.hold_until is not None), "")
    values |= {
        "customer": overview,
        "history": history,
        "chart": Markup(score_chart(history.points, visit.language, project.timeline)),  # noqa: S704 # it escapes
        "token": secrets.token_urlsafe(16),
        "now": now,
        "running_campaign": running,
        "problem": problem,
        "written": problem.values if problem else {},
    }
    return Page(TEMPLATE, values, 200 if problem is None else 422)


def _nobody(customer_id: str, error: UnknownCustomer) -> Page:
    return Page("customer_search.html", {"asked": customer_id, "similar": error.similar}, error.status)


def _narrowed(customer_id: str, chosen: Mapping[str, str], parts: Mapping[str, str]) -> str:
    """The address of the page with the timeline narrowed as now, but for what `parts` say."""
    return _address(id=customer_id, **{**chosen, **parts})


def _address(**parts: str) -> str:
    return f"{PATH}?{urlencode({name: value for name, value in parts.items() if value})}"


def _cost(text: str) -> float | None:
    """A typed amount; one that is none is refused by the use case."""
    plain = text.strip().replace(",", "")
    try:
        return float(plain) if plain else None
    except ValueError:
        return float("nan")

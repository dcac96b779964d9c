"""Jobs: how far long work is and what came of it; started here by the forms of other pages."""

from __future__ import annotations

import json
from typing import get_origin
from urllib.parse import urlencode

from serving.console.visit import Page, Redirect, Visit
from serving.jobs.kinds import KINDS
from serving.jobs.runner import job, jobs, start
from serving.presentation.messages.catalog import translated
from serving.state.job_index import JobRecord

FORM = ("csrf", "kind")
"""Fields of a form that are no argument of a job."""


def show_jobs(visit: Visit) -> Page:
    """One job, or the newest ones."""
    job_id = visit.query.get("id")
    if job_id is None:
        return Page("jobs.html", {"jobs": jobs(visit.shared, visit.actor)})
    found = job(visit.shared, visit.actor, job_id)
    values = {
        "job": found,
        "subject": subject(found),
        "step": translated(found.step, visit.language),
        "reason": translated(json.loads(found.result or "{}").get("reason", ""), visit.language),
        "error": translated(found.error, visit.language),
        "result": json.loads(found.result) if found.result else {},
        "next_page": next_page(found),
        "log": f"state/jobs/{found.id}.log",
    }
    return Page("job.html", values, fragment="job")


def start_job(visit: Visit) -> Redirect:
    """Start the job that a form asks for, and show how far it is."""
    kind = visit.form.get("kind", "")
    several = set() if kind not in KINDS else _several(kind)
    arguments = {
        name: visit.form.getlist(name) if name in several else visit.form[name]
        for name in visit.form
        if name not in FORM
    }
    return Redirect(job_address(start(visit.shared, visit.actor, kind, arguments)))


def job_address(job_id: str) -> str:
    """Where a job is shown."""
    return f"/jobs?{urlencode({'id': job_id})}"


def subject(found: JobRecord) -> str:
    """What a job is about: its only named argument, empty where it has none."""
    arguments = json.loads(found.arguments)
    return str(arguments.get("campaign") or arguments.get("version") or arguments.get("as_of") or "")


def next_page(found: JobRecord) -> str:
    """The page that shows what came of a job."""
    if found.kind == "campaign_report":
        return f"/campaign?{urlencode({'name': subject(found)})}"
    if found.kind == "report":
        return f"/engagement?{urlencode({'months': json.loads(found.arguments)['months']})}"
    if found.kind == "playbook_preview":
        return f"/playbook/preview?{urlencode({'job': found.id})}"
    return {
        "ingest": "/data",
        "doctor": "/data",
        "plan": "/playbook",
        "promote": "/models",
        "roll_back": "/models",
        "learn": "/campaigns",
        "monitor": "/models",
    }.get(found.kind, "/")


def _several(kind: str) -> set[str]:
    """The arguments of a kind that hold several values."""
    fields = KINDS[kind].arguments.model_fields
    return {name for name, field in fields.items() if get_origin(field.annotation) is tuple}

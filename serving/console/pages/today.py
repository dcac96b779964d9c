"""Today: how fresh the scores are, what wants attention, main figures, tiers, value at risk, campaigns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from serving.application.lists.last_report import LastReport
from serving.application.lists.score_overview import score_overview
from serving.application.operation.overview import Attention, overview
from serving.console.charts import svg
from serving.console.formats import NONE
from serving.console.visit import Page, Visit
from serving.lists.filters import ListFilter
from serving.lists.list_address import filter_query
from serving.presentation.messages.catalog import translated
from serving.reports.measure_view import (
    format_change,
    format_figure,
    is_unsure,
    month_sparkline,
    newest_month,
    tone,
)
from serving.schemas.report_responses import Comparison, MeasureReply, MonthFigure

MONTHS = 12
"""Of the report that is computed where there is none."""
KPIS = ("active_customers", "retention_rate", "churn_rate", "nps")
"""Measures of the report, in the order in which they are shown."""


@dataclass(frozen=True)
class Notice:
    """Something to look at, in words, with the page where to go on."""

    severity: str
    sentence: str
    path: str | None
    where: str
    job: str | None
    """The kind of the job that mends it, where the visitor may start one."""


@dataclass(frozen=True)
class Delta:
    """A change against an earlier month, in words."""

    words: str
    tone: str


@dataclass(frozen=True)
class Headline:
    """A main figure of the newest month for which it is known."""

    name: str
    words: str
    month: str | None
    figure: str
    deltas: tuple[Delta, ...]
    whole: str | None
    """The figure over all months of the report."""
    chart: Markup
    missing: str | None


def today(visit: Visit) -> Page:
    """The first page."""
    found = overview(visit.workspace, visit.actor, visit.host.service.trouble, visit.language)
    scores = score_overview(visit.shared, visit.actor)
    report = found.report
    return Page(
        "today.html",
        {
            "notices": [notice(visit, one) for one in found.attention],
            "campaigns": found.campaigns,
            "provenance": scores.provenance,
            "scored_at": scores.scored_at,
            "summary": scores.summary,
            "expected_leavers": scores.provenance.expected_leavers,
            "report": report,
            "months": MONTHS if report is None else report.stored.months,
            "churn": visit.host.service.project.settings.churn,
            "headlines": [] if report is None else headlines(visit, report),
            "list_of_tier": lambda tier: f"/list?{filter_query(ListFilter(tiers=(tier,)))}",
        },
    )


def notice(visit: Visit, one: Attention) -> Notice:
    """A thing that wants attention in words; the page behind it where the visitor may see it."""
    f = visit.formats
    write: dict[str, Callable[[str | int | float], str]] = {
        "day": lambda value: f.day(str(value)),
        "on": lambda value: f.day(int(str(value))),
        "share": lambda value: f.percent(float(str(value))),
        "rows": lambda value: f.count(int(str(value))),
        "days": lambda value: f.count(int(str(value))),
        "why": lambda value: translated(str(value), visit.language),
        "kind": lambda value: visit.text(f"jobs.kind_{value}"),
    }
    values = {name: write.get(name, str)(value) for name, value in one.values.items()}
    values["who"] = visit.who_may("run")
    path, words, permission = _PLACES[one.subject]
    if one.subject in _NAMED_BY:
        name = _NAMED_BY[one.subject]
        path += f"?{urlencode({name: one.values[name]})}"
    job = _JOBS.get(one.subject)
    return Notice(
        one.severity,
        visit.text(f"today.attention_{one.subject}", **values),
        path if path and visit.may(permission) else None,
        visit.text(f"today.go_{words}"),
        job if job and visit.may("run") else None,
    )


_NAMED_BY = {"review_due": "name", "job_failed": "id", "run_failed": "id", "run_held": "id", "arrivals": "id"}
"""By subject the value that its page is asked for."""
_JOBS = {"scores_behind": "score", "plan_missing": "plan", "playbook_changed": "plan"}
"""By subject the job that mends it."""
_PLACES = {
    "job_failed": ("/jobs", "job", "read_report"),
    "run_failed": ("/runs", "run", "read_report"),
    "run_held": ("/runs", "run", "read_report"),
    "arrivals": ("/runs", "run", "read_report"),
    "trouble": ("", "data", "run"),
    "source_refused": ("/data", "data", "analyse"),
    "source_ended": ("/data", "data", "analyse"),
    "quarantine": ("/data#quarantine", "data", "analyse"),
    "findings": ("/data#doctor", "data", "analyse"),
    "scores_old": ("/data", "data", "analyse"),
    "scores_behind": ("/data", "data", "analyse"),
    "plan_missing": ("/playbook", "playbook", "read_customer"),
    "playbook_changed": ("/playbook", "playbook", "read_customer"),
    "playbook_broken": ("/playbook", "playbook", "read_customer"),
    "review_due": ("/campaign", "campaign", "read_report"),
    "calibration": ("/models", "models", "read_model"),
    "drift": ("/models", "models", "read_model"),
    "evidence_low": ("/models", "models", "read_model"),
}
"""By subject the page behind it, the words of its link, and who may see that page."""


def headlines(visit: Visit, report: LastReport) -> list[Headline]:
    """The main figures with their change against the month before and the year before."""
    measures = {measure.name: measure for measure in report.reply.measures}
    return [headline(visit, measures[name], report.reply.currency) for name in KPIS]


def headline(visit: Visit, measure: MeasureReply, currency: str | None) -> Headline:
    """A figure of the newest month that has it."""
    number = format_figure(measure.unit, currency, visit.language)
    newest = newest_month(measure)
    return Headline(
        measure.name,
        measure.words,
        None if newest is None else visit.formats.month(f"{newest.month}-01"),
        NONE if newest is None or newest.value is None else number(newest.value),
        () if newest is None else _deltas(visit, measure, newest, currency),
        None if measure.figure is None or measure.figure.value is None else number(measure.figure.value),
        svg(month_sparkline(measure)),
        measure.missing_input,
    )


def _deltas(
    visit: Visit, measure: MeasureReply, month: MonthFigure, currency: str | None
) -> tuple[Delta, ...]:
    write = format_change(measure.unit, currency, visit.language)

    def delta(words: str, change: Comparison) -> Delta:
        key = f"today.{words}_unsure" if is_unsure(change) else f"today.{words}"
        return Delta(visit.text(key, change=write(change.change)), tone(measure, change))

    against = (("since_month", month.against_previous), ("since_year", month.against_last_year))
    return tuple(delta(words, change) for words, change in against if change is not None)

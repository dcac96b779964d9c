"""Engagement: the last computed report in charts, by cut; behaviour by attitude, flow, missing input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from features.catalog.display_names import in_language
from features.errors import ModelError, UsageError
from serving.application.lists.last_report import last_report, last_report_csv
from serving.application.lists.score_overview import behaviour_by_attitude
from serving.console.charts import svg
from serving.console.pages.lifetime_section import lifetime_table
from serving.console.visit import Download, Page, PageValues, Visit
from serving.lists.filters import ListFilter
from serving.lists.list_address import filter_query
from serving.lists.score_summary import AttitudeCell
from serving.presentation.i18n import tier_or_empty
from serving.reports.behaviour_attitude import cell_name, shades_of, telling_rate
from serving.reports.measure_view import (
    format_change,
    format_figure,
    group_charts,
    is_unsure,
    lacks_start,
    month_chart,
    newest_month,
    tone,
)
from serving.reports.stored_report import PERIODS
from serving.schemas.report_responses import Cell, Comparison, MeasureReply, ReportReply
from serving.schemas.terms import ATTITUDE_WORDS, ATTITUDES

WHOLE = ""
"""The cut that divides by nothing."""


@dataclass(frozen=True)
class Against:
    """A change against an earlier period."""

    words: str
    change: str
    tone: str
    unsure: bool


@dataclass(frozen=True)
class MeasureCard:
    """One measure: its figure with interval and changes, and the chart by month or by group."""

    name: str
    words: str
    formula: str
    figure: str | None
    newest: tuple[str, str] | None
    """The newest month that has a figure, and that figure."""
    interval: str | None
    customers: int | None
    against: tuple[Against, ...]
    chart: Markup
    left_out: tuple[tuple[str, int], ...]
    lacks_start: str | None
    """The first month of the report where it has no figure because nobody was a customer yet."""


@dataclass(frozen=True)
class MatrixCell:
    """Customers of one tier and attitude now, and what became of those who were in it before."""

    words: str
    customers: int
    value_at_risk: float | None
    path: str | None
    churn_rate: float | None
    churn_low: float | None
    churn_high: float | None
    at_start: int
    """How many customers the churn rate is of."""
    shade: str
    """How many left, in steps of the style sheet; none where too few to tell."""


def engagement(visit: Visit) -> Page:
    """The report of a period, cut by what was chosen."""
    months = chosen_months(visit)
    report = last_report(visit.workspace, visit.actor, months, visit.language)
    try:
        cells = behaviour_by_attitude(visit.shared, visit.actor)
    except ModelError:  # nothing was scored yet: there is a report all the same
        cells = ()
    values: PageValues = {
        "months": months,
        "periods": sorted(PERIODS),
        "report": report,
        "attitudes": [in_language(visit.language, *ATTITUDE_WORDS[name]) for name in ATTITUDES],
        "matrix": matrix(visit, cells, [] if report is None else report.reply.axes),
        "is_listed": bool(cells),
    }
    if report is None:
        return Page("engagement.html", values)
    cuts = cuts_of(report.reply)
    cut = visit.query.get("by", WHOLE)
    if cut != WHOLE and cut not in cuts:
        cut = WHOLE
    lifetime = lifetime_table(visit, report.reply, visit.query.get("value_by", WHOLE))
    return Page(
        "engagement.html",
        {
            **values,
            "cut": cut,
            "cuts": cuts,
            "cards": cards(visit, report.reply, cut),
            "missing": [one for one in report.reply.measures if one.missing_input is not None],
            "flow": flow(report.reply),
            "lifetime": lifetime,
            "address": lambda **changes: address(
                months, cut, "" if lifetime is None else lifetime.cut, **changes
            ),
        },
    )


def engagement_csv(visit: Visit) -> Download:
    """The whole stored report as CSV."""
    months = chosen_months(visit)
    text = last_report_csv(visit.workspace, visit.actor, months, visit.language)
    return Download(iter(text.splitlines(keepends=True)), f"engagement-{months}.csv")


def chosen_months(visit: Visit) -> int:
    """The period that was asked for, twelve months where none was."""
    asked = visit.query.get("months", "12")
    if asked not in map(str, PERIODS):
        raise UsageError(
            f"cannot report on {asked} months: a report is over 3, 6 or 12 whole months. Ask for one of "
            "these.",
            field="months",
        )
    return int(asked)


def address(months: int, cut: str, value_cut: str, **changes: str | int) -> str:
    """This page with another period or cut."""
    chosen = {"months": months, "by": cut, "value_by": value_cut} | changes
    return f"/engagement?{urlencode({name: value for name, value in chosen.items() if value != WHOLE})}"


def cuts_of(report: ReportReply) -> dict[str, str]:
    """What measures can be cut by, with its words; in the order of the report."""
    return {group.cut: group.cut_words for one in report.measures for group in one.groups if group.group}


def cards(visit: Visit, report: ReportReply, cut: str) -> list[MeasureCard]:
    """The measures that the project has input for; with a cut, those that can be divided by it."""
    shown = []
    for measure in report.measures:
        if measure.missing_input is not None:
            continue
        number = format_figure(measure.unit, report.currency, visit.language)
        axis = format_figure(measure.unit)
        groups = {name: chart for name, _, chart in group_charts(measure, axis)}
        # Shares of tiers are a measure that is made of groups alone.
        by = "tier" if cut == WHOLE and measure.figure is None else cut
        chart = month_chart(measure, axis) if by == WHOLE else groups.get(by)
        if chart is None:
            continue
        figure = measure.figure
        known = figure is not None and figure.low is not None and figure.high is not None
        shown.append(
            MeasureCard(
                measure.name,
                measure.words,
                measure.formula,
                None if figure is None or figure.value is None else number(figure.value),
                _newest(visit, measure, number),
                f"{number(figure.low)} – {number(figure.high)}" if known else None,  # type: ignore[union-attr,arg-type]
                None if figure is None else figure.customers,
                _against(visit, measure, report.currency),
                svg(chart),
                tuple((one.words, one.count) for one in measure.left_out),
                visit.formats.month(f"{measure.by_month[0].month}-01") if lacks_start(measure) else None,
            )
        )
    return shown


def _newest(visit: Visit, measure: MeasureReply, number: Callable[[float], str]) -> tuple[str, str] | None:
    newest = newest_month(measure)
    if newest is None or newest.value is None:
        return None
    return visit.formats.month(f"{newest.month}-01"), number(newest.value)


def _against(visit: Visit, measure: MeasureReply, currency: str | None) -> tuple[Against, ...]:
    figure, write = measure.figure, format_change(measure.unit, currency, visit.language)

    def against(words: str, change: Comparison) -> Against:
        css, unsure = tone(measure, change), is_unsure(change)
        return Against(visit.text(f"engagement.against_{words}"), write(change.change), css, unsure)

    pairs = (
        ()
        if figure is None
        else (("previous", figure.against_previous), ("last_year", figure.against_last_year))
    )
    return tuple(against(words, change) for words, change in pairs if change is not None)


def matrix(
    visit: Visit, cells: tuple[AttitudeCell, ...], axes: list[Cell]
) -> list[tuple[str, list[MatrixCell]]]:
    """Tiers by attitudes, the highest tier first: counts of the list, else of the report.

    Empty where nobody has said anything.
    """
    if not any(one.customers for one in cells) and not any(one.customers for one in axes):
        return []
    outcomes = {(one.tier, one.attitude): one for one in axes}
    shades = shades_of([rate for one in axes if (rate := telling_rate(one)) is not None])
    tiers = list(dict.fromkeys(one.tier for one in cells or axes))
    if not cells:
        tiers.reverse()
    now = {(one.tier, one.attitude): one for one in cells}
    ordered = tiers[::-1]
    rows = []
    for tier in tiers:
        row = []
        for attitude in ATTITUDES:
            listed, before = now.get((tier, attitude)), outcomes.get((tier, attitude))
            choice = ListFilter(tiers=(tier,), attitudes=(attitude,))
            rate = None if before is None else before.churn_rate
            telling = None if before is None else telling_rate(before)
            row.append(
                MatrixCell(
                    cell_name(ordered.index(tier), len(tiers), attitude, visit.language),
                    listed.customers if listed else before.customers if before else 0,
                    listed.value_at_risk if listed else None,
                    f"/list?{filter_query(choice)}" if listed and listed.customers else None,
                    rate,
                    None if before is None else before.churn_rate_low,
                    None if before is None else before.churn_rate_high,
                    0 if before is None else before.customers_at_start,
                    "" if telling is None or shades is None else f"left-{shades(telling)}",
                )
            )
        rows.append((tier_or_empty(tier, visit.language), row))
    return rows


def flow(report: ReportReply) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Customers by tier at the start (rows) and at the end (columns) of the period."""
    counts = {(one["from"], one["to"]): one["customers"] for one in report.tier_flow}
    names = list(dict.fromkeys(name for pair in counts for name in pair))
    return names, [(before, [counts.get((before, after), 0) for after in names]) for before in names]

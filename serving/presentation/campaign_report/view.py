"""A campaign's report in words and charts, as the HTML page and the console lay them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.charts import EffectPoint, by_group, over_time
from serving.presentation.campaign_report.words import (
    METHODS,
    change_text,
    count_text,
    customers_text,
    figure_text,
    group_name,
    grouping_name,
    interval_text,
    look_name,
    money_text,
    outcome_name,
    ratio_text,
    reached_text,
    return_text,
    review_name,
    sureness,
    translator,
)
from serving.presentation.i18n import money
from serving.schemas.campaign_responses import (
    CampaignReport,
    GroupEffect,
    OutcomeEffect,
    ReviewResult,
    SequenceLook,
)
from training.explanation.project_words import ProjectWords

MONTH_DAYS = 30.4
GROUPED = ("retained", "spend")
"""Outcomes whose effects are drawn by group."""


@dataclass(frozen=True)
class FigureCard:
    """One large figure of the whole treatment arm."""

    name: str
    figure: str
    below: str


@dataclass(frozen=True)
class EffectChart:
    """A chart as SVG; `below` says what else there is to know."""

    name: str
    svg: str
    below: str = ""


@dataclass(frozen=True)
class EffectRow:
    """The effect on one outcome at a review date."""

    outcome: str
    method: str
    """Empty for the usual one."""
    treatment: str
    control: str
    difference: str
    sure: str
    """`good` or `bad` where the interval excludes zero, else `soft`."""
    interval: str
    ratio: str
    plain: str
    customers: str


@dataclass(frozen=True)
class ReachedRow:
    """The effect on those who were reached."""

    outcome: str
    told: str


@dataclass(frozen=True)
class ReviewView:
    """One review date."""

    name: str
    date: str
    rows: tuple[EffectRow, ...]
    reached: tuple[ReachedRow, ...]
    reached_shares: str


@dataclass(frozen=True)
class LookRow:
    """The effects at a look between review dates; one of each outcome, None where there is none."""

    name: str
    effects: tuple[tuple[str, str, str] | None, ...]
    """Difference, sureness and interval."""


def gain_cards(report: CampaignReport, review: ReviewResult, language: str) -> tuple[FigureCard, ...]:
    """What a review date says for the whole treatment arm."""
    word, gain = translator(language), review.gain
    if gain is None:
        return ()
    write = change_text("amount", report.currency, language)
    kept = gain.customers_kept
    cards = [FigureCard(word("kept"), count_text(kept.value), customers_text(kept).partition(" ")[2])]
    if gain.money_gained is not None:
        told = money_text(gain.money_gained, report, language)
        cards.append(FigureCard(word("gained"), write(gain.money_gained.value), told.partition(" ")[2]))
    unpriced = f"{gain.unpriced_contacts:,} {word('unpriced')}" if gain.unpriced_contacts else ""
    cards.append(FigureCard(word("cost"), money(gain.cost, report.currency, language), unpriced))
    if gain.net is not None:
        told = money_text(gain.net, report, language)
        cards.append(FigureCard(word("net"), write(gain.net.value), told.partition(" ")[2]))
    if gain.return_on_cost is not None:
        told = return_text(gain.return_on_cost)
        cards.append(FigureCard(word("return"), f"{gain.return_on_cost.value:+,.2f}", told.partition(" ")[2]))
    return tuple(cards)


def effect_charts(report: CampaignReport, language: str) -> tuple[EffectChart, ...]:
    """The differences over the months, of every outcome that has a review date or a look."""
    word, charts = translator(language), []
    told = [effect for review in report.reviews for effect in review.effects]
    told += [effect for look in report.sequence for effect in look.effects]
    for outcome, unit in {effect.outcome: effect.unit for effect in told}.items():
        reviews = [
            _point(effect, review.months, review_name(review, language))
            for review in report.reviews
            for effect in review.effects
            if effect.outcome == outcome
        ]
        looks = [
            _point(effect, _months(report, look), look_name(look, language))
            for look in report.sequence
            for effect in look.effects
            if effect.outcome == outcome
        ]
        write = change_text(unit, report.currency, language)
        name = f"{outcome_name(outcome, language)}: {word('difference')}"
        label = f"{name}. {_said(reviews or looks, unit, report, language)}"
        chart = over_time(reviews, looks, report.review_months, write, label)
        charts.append(EffectChart(name, chart))
    return tuple(charts)


def group_charts(
    report: CampaignReport, review: ReviewResult, language: str, project: ProjectWords
) -> tuple[EffectChart, ...]:
    """The effects within groups at a review date."""
    word, charts = translator(language), []
    tests = {(one.by, one.outcome): one.p_value for one in review.group_differences}
    for by in dict.fromkeys(group.by for group in review.groups):
        groups = [group for group in review.groups if group.by == by]
        for outcome in GROUPED:
            rows = [point for group in groups for point in _group_points(group, outcome, language, project)]
            if not rows:
                continue
            unit = "share" if outcome == "retained" else "amount"
            name = f"{grouping_name(by, language, project)}: {outcome_name(outcome, language)}"
            label = f"{name}. {_said(rows, unit, report, language)}"
            chart = by_group(rows, change_text(unit, report.currency, language), label)
            p_value = tests.get((by, outcome))
            below = "" if p_value is None else f"{word('differ')} {p_value:.3f}"
            mark = "" if all(group.declared for group in groups) else f" · {word('exploratory')}"
            charts.append(EffectChart(name, chart, f"{below}{mark}"))
    return tuple(charts)


def review_views(report: CampaignReport, language: str) -> tuple[ReviewView, ...]:
    """Every review date reached, as tables."""
    return tuple(_review(report, review, language) for review in report.reviews)


def look_outcomes(report: CampaignReport) -> tuple[str, ...]:
    """The outcomes that the looks between review dates tell."""
    return tuple(dict.fromkeys(one.outcome for look in report.sequence for one in look.effects))


def look_rows(report: CampaignReport, language: str) -> tuple[LookRow, ...]:
    """The looks between review dates."""
    rows, outcomes = [], look_outcomes(report)
    for look in report.sequence:
        by_outcome = {effect.outcome: effect for effect in look.effects}
        cells: list[tuple[str, str, str] | None] = []
        for name in outcomes:
            effect = by_outcome.get(name)
            if effect is None:
                cells.append(None)
                continue
            change = change_text(effect.unit, report.currency, language)
            cells.append(
                (
                    change(effect.difference),
                    sureness(effect),
                    interval_text(effect.low, effect.high, change),
                )
            )
        rows.append(LookRow(look_name(look, language), tuple(cells)))
    return tuple(rows)


def _review(report: CampaignReport, review: ReviewResult, language: str) -> ReviewView:
    word = translator(language)
    shares = ""
    if review.reached:
        first = review.reached[0]
        shares = (
            f"{word('reached')}: {word('treatment')} {first.reached_treatment:.1%}, "
            f"{word('control')} {first.reached_control:.1%}"
        )
    reached = [
        ReachedRow(outcome_name(one.outcome, language), reached_text(one, report.currency, language))
        for one in review.reached
    ]
    rows = tuple(_row(report, effect, language) for effect in review.effects)
    return ReviewView(review_name(review, language), review.date, rows, tuple(reached), shares)


def _row(report: CampaignReport, effect: OutcomeEffect, language: str) -> EffectRow:
    figure = figure_text(effect.unit, report.currency, language)
    change = change_text(effect.unit, report.currency, language)
    return EffectRow(
        outcome_name(effect.outcome, language),
        "" if effect.method == "regression" else in_language(language, *METHODS[effect.method]),
        figure(effect.treatment),
        figure(effect.control),
        change(effect.difference),
        sureness(effect),
        interval_text(effect.low, effect.high, change),
        ratio_text(effect),
        change(effect.unadjusted.difference),
        f"{effect.customers:,}",
    )


def _said(points: Sequence[EffectPoint], unit: str, report: CampaignReport, language: str) -> str:
    """The figures of a chart for whoever does not see it."""
    write = change_text(unit, report.currency, language)
    return " · ".join(
        f"{one.name}: {write(one.difference)} ({interval_text(one.low, one.high, write)})" for one in points
    )


def _months(report: CampaignReport, look: SequenceLook) -> float:
    """Months after the start; of a day between two months by the number of days."""
    if look.months is not None:
        return float(look.months)
    days = (date.fromisoformat(look.date[:10]) - date.fromisoformat(report.started_at[:10])).days
    return days / MONTH_DAYS


def _point(effect: OutcomeEffect, at: float, name: str) -> EffectPoint:
    return EffectPoint(name, at, effect.difference, effect.low, effect.high, sureness(effect))


def _group_points(
    group: GroupEffect, outcome: str, language: str, project: ProjectWords
) -> Sequence[EffectPoint]:
    name = group_name(group, language, project)
    return [_point(effect, 0.0, name) for effect in group.effects if effect.outcome == outcome]

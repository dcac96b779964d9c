"""A campaign's report as tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.words import (
    ARM_COUNTS,
    ARM_NAMES,
    METHODS,
    Translate,
    change_text,
    covariate_name,
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
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_responses import CampaignReport, OutcomeEffect, ReviewResult
from training.explanation.project_words import ProjectWords

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 118
"""Columns of a terminal from which on the interval of a ratio has room."""
STYLES = {"good": "green", "bad": "red", "soft": "dim"}


def show(report: CampaignReport, language: str, project: ProjectWords) -> None:
    """Print the arms, each review date with its effects, the newest groups and the confidence sequence."""
    from rich.console import Console
    from rich.markup import escape

    console, word = Console(highlight=False), translator(language)
    console.print(
        f"[bold]{escape(report.campaign)}[/bold] · {word('started')} {report.started_at} · {word('as_of')} "
        f"{report.as_of}"
    )
    for note in report.notes:
        console.print(f"[yellow]![/yellow] {escape(translated(note, language))}")
    console.print(_arms(report, language))
    for review in report.reviews:
        _review(console, report, review, language)
    if report.reviews:
        _groups(console, report, report.reviews[-1], language, project)
    else:
        console.print(word("no_effects"))
    _sequence(console, report, language)
    for pending in report.pending:
        months = in_language(language, f"{pending.months} mo", f"{pending.months}か月")
        console.print(f"{word('pending')}: {months}, {pending.date}", style="dim")
    console.print(_checks(report, word), style="dim")
    if report.covariates:
        names = ", ".join(covariate_name(name, language) for name in report.covariates)
        console.print(f"{word('adjusted_by')}: {names}", style="dim")


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return table


def _arms(report: CampaignReport, language: str) -> Table:
    word = translator(language)
    names = [in_language(language, *ARM_NAMES[arm.arm]) for arm in report.arms]
    table = _table("", word("arms"), *names)
    for count in ARM_COUNTS:
        table.add_row(word(count), *(f"{getattr(arm, count):,}" for arm in report.arms))
    return table


def _review(console: Console, report: CampaignReport, review: ReviewResult, language: str) -> None:
    word = translator(language)
    wide = console.width >= WIDE
    names = ("outcome", "treatment", "control", "difference", "interval", "ratio", "plain")
    table = _table(
        f"{review_name(review, language)} ({review.date})",
        *(word(name if wide or name != "plain" else "plain_short") for name in names),
    )
    for effect in review.effects:
        table.add_row(*_cells(effect, report, language, wide=wide))
    console.print(table)
    gain = review.gain
    if gain is not None:
        console.print(f"{word('kept')}: {customers_text(gain.customers_kept)}")
        if gain.money_gained is not None:
            console.print(f"{word('gained')}: {money_text(gain.money_gained, report, language)}")
        cost = money(gain.cost, report.currency, language)
        unpriced = f" ({gain.unpriced_contacts:,} {word('unpriced')})" if gain.unpriced_contacts else ""
        net = "" if gain.net is None else f" · {word('net')}: {money_text(gain.net, report, language)}"
        back = (
            "" if gain.return_on_cost is None else f" · {word('return')}: {return_text(gain.return_on_cost)}"
        )
        console.print(f"{word('cost')}: {cost}{unpriced}{net}{back}")
    for one in review.reached:
        told = reached_text(one, report.currency, language)
        console.print(f"{word('reached_effect')}, {outcome_name(one.outcome, language)}: {told}", style="dim")


def _cells(effect: OutcomeEffect, report: CampaignReport, language: str, *, wide: bool) -> list[str]:
    figure = figure_text(effect.unit, report.currency, language)
    change = change_text(effect.unit, report.currency, language)
    style = STYLES[sureness(effect)]
    method = "" if effect.method == "regression" else f" [{in_language(language, *METHODS[effect.method])}]"
    return [
        outcome_name(effect.outcome, language, short=not wide) + method.replace("[", "\\["),
        figure(effect.treatment),
        figure(effect.control),
        f"[{style}]{change(effect.difference)}[/{style}]",
        interval_text(effect.low, effect.high, change),
        ratio_text(effect, with_interval=wide),
        change(effect.unadjusted.difference),
    ]


def _groups(
    console: Console, report: CampaignReport, review: ReviewResult, language: str, project: ProjectWords
) -> None:
    """The effects on retention and spend within groups at the newest review date."""
    word = translator(language)
    tests = {(one.by, one.outcome): one.p_value for one in review.group_differences}
    for by in dict.fromkeys(group.by for group in review.groups):
        groups = [group for group in review.groups if group.by == by]
        shown = list(
            dict.fromkeys(e.outcome for g in groups for e in g.effects if e.outcome != "churned_value")
        )
        title = f"{grouping_name(by, language, project)} · {review_name(review, language)}"
        table = _table(
            title,
            word("group"),
            word("customers"),
            *(outcome_name(name, language, short=True) for name in shown),
        )
        for group in groups:
            by_outcome = {effect.outcome: effect for effect in group.effects}
            cells = [_short(by_outcome.get(name), report, language) for name in shown]
            mark = "" if group.declared else f" ({word('exploratory')})"
            size = f"{group.treatment + group.control:,}"
            table.add_row(group_name(group, language, project) + mark, size, *cells)
        console.print(table)
        known = [name for name in shown if (by, name) in tests]
        if known:
            said = " · ".join(f"{outcome_name(name, language)} {tests[by, name]:.3f}" for name in known)
            console.print(f"{word('differ')} {said}", style="dim")


def _short(effect: OutcomeEffect | None, report: CampaignReport, language: str) -> str:
    if effect is None:
        return "–"
    change = change_text(effect.unit, report.currency, language)
    style = STYLES[sureness(effect)]
    interval = interval_text(effect.low, effect.high, change)
    return f"[{style}]{change(effect.difference)}[/{style}] ({interval})"


def _sequence(console: Console, report: CampaignReport, language: str) -> None:
    word = translator(language)
    if not report.sequence:
        return
    outcomes = list(dict.fromkeys(e.outcome for look in report.sequence for e in look.effects))
    table = _table(word("sequence"), "", *(outcome_name(name, language, short=True) for name in outcomes))
    for look in report.sequence:
        by_outcome = {effect.outcome: effect for effect in look.effects}
        cells = [_short(by_outcome.get(name), report, language) for name in outcomes]
        table.add_row(look_name(look, language), *cells)
    console.print(table)
    console.print(word("sequence_note"), style="dim")


def _checks(report: CampaignReport, word: Translate) -> str:
    ratio = report.sample_ratio
    return (
        f"{word('sample_ratio')}: {word('declared')} {ratio.declared:.1%}, {word('found')} "
        f"{ratio.share:.2%}, p {ratio.p_value:.3f} · {word('contaminated')}: {report.contaminated:,}"
    )

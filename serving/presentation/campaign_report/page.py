"""A campaign's report as one HTML page without scripts, links or images: charts are inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.charts import EffectPoint, by_group, over_time
from serving.presentation.campaign_report.words import (
    ARM_COUNTS,
    ARM_NAMES,
    METHODS,
    Translate,
    change_text,
    count_text,
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
    return_text,
    review_name,
    sureness,
    translator,
)
from serving.presentation.i18n import money
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_responses import (
    CampaignReport,
    GroupEffect,
    OutcomeEffect,
    ReviewResult,
    SequenceLook,
)

MONTH_DAYS = 30.4
GROUPED = ("retained", "spend")
"""Outcomes whose effects are drawn by group."""
STYLE = (
    ".zero{stroke:#667085;stroke-width:1.4}.whisker{opacity:.45;stroke-width:4}text.good{fill:var(--good)}"
    "text.bad{fill:var(--bad)}td.soft{color:var(--soft)}table{margin:8px 0}.note{margin:6px 0}"
    ".scroll{overflow-x:auto}.scroll td:first-child{min-width:9em}"
    "td.n,th.n{white-space:nowrap}td span.soft,td b.soft{color:var(--soft);font-size:inherit}"
)


def page(report: CampaignReport, language: str) -> str:
    """The whole page."""
    style = files("serving.reports").joinpath("report.css").read_text(encoding="utf-8") + STYLE
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    word = translator(language)
    newest = report.reviews[-1] if report.reviews else None
    parts = [
        f'<!doctype html><html lang="{language}"><head>{head}',
        f"<title>{word('title')}: {escape(report.campaign)}</title><style>{style}</style></head><body><main>",
        f'<h1>{word("title")}: {escape(report.campaign)}</h1><p class="soft">{_dates(report, word)}</p>',
        *(f'<p class="note"><strong>{escape(translated(n, language))}</strong></p>' for n in report.notes),
        *(_cards(report, newest, language) if newest else [f"<p>{word('no_effects')}</p>"]),
        *_charts(report, language),
        *(part for review in report.reviews for part in _review(report, review, language)),
        *_pending(report, language),
        *(_groups(report, newest, language) if newest else ()),
        *_sequence(report, language),
        *_arms(report, language),
        f"<h2>{word('method')}</h2><p>{word('method_note')}</p>",
        *_covariates(report, language),
        "</main></body></html>",
    ]
    return "".join(parts)


def _dates(report: CampaignReport, word: Translate) -> str:
    return " · ".join(
        f"{word(name)} {escape(value)}"
        for name, value in (
            ("started", report.started_at),
            ("hold_ends", report.hold_ends),
            ("as_of", report.as_of),
            ("computed", report.computed_at),
            ("model", report.model_version),
        )
    )


def _cards(report: CampaignReport, review: ReviewResult, language: str) -> list[str]:
    """What the newest review date says for the whole treatment arm, in large type."""
    word, gain = translator(language), review.gain
    if gain is None:
        return []
    write = change_text("amount", report.currency, language)
    cards = [
        _card(
            word("kept"),
            count_text(gain.customers_kept.value),
            customers_text(gain.customers_kept).partition(" ")[2],
        )
    ]
    if gain.money_gained is not None:
        told = money_text(gain.money_gained, report, language)
        cards.append(_card(word("gained"), write(gain.money_gained.value), told.partition(" ")[2]))
    unpriced = f"{gain.unpriced_contacts:,} {word('unpriced')}" if gain.unpriced_contacts else ""
    cards.append(_card(word("cost"), money(gain.cost, report.currency, language), unpriced))
    if gain.net is not None:
        told = money_text(gain.net, report, language)
        cards.append(_card(word("net"), write(gain.net.value), told.partition(" ")[2]))
    if gain.return_on_cost is not None:
        told = return_text(gain.return_on_cost)
        cards.append(_card(word("return"), f"{gain.return_on_cost.value:+,.2f}", told.partition(" ")[2]))
    return [f"<h2>{review_name(review, language)}</h2>", '<div class="cards">', *cards, "</div>"]


def _card(name: str, figure: str, below: str) -> str:
    return (
        f'<div class="card"><h3>{escape(name)}</h3><div class="big">{escape(figure)}</div>'
        f'<div class="soft">{escape(below)}</div></div>'
    )


def _charts(report: CampaignReport, language: str) -> list[str]:
    """The differences over the months, of every outcome that has a review date or a look."""
    word, cards = translator(language), []
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
        chart = over_time(reviews, looks, report.review_months, change_text(unit, report.currency, language))
        name = f"{outcome_name(outcome, language)}: {word('difference')}"
        cards.append(f'<div class="card"><h3>{escape(name)}</h3>{chart}</div>')
    if not cards:
        return []
    months = in_language(language, "Months after the start.", "横軸は開始からの月数です。")
    return [f'<p class="soft">{word("chart_note")} {months}</p><div class="grid2">', *cards, "</div>"]


def _months(report: CampaignReport, look: SequenceLook) -> float:
    """Months after the start; of a day between two months by the number of days."""
    if look.months is not None:
        return float(look.months)
    from datetime import date

    days = (date.fromisoformat(look.date[:10]) - date.fromisoformat(report.started_at[:10])).days
    return days / MONTH_DAYS


def _point(effect: OutcomeEffect, at: float, name: str) -> EffectPoint:
    return EffectPoint(name, at, effect.difference, effect.low, effect.high, sureness(effect))


def _review(report: CampaignReport, review: ReviewResult, language: str) -> list[str]:
    word = translator(language)
    head = "".join(
        f"<th{'' if place == 0 else _NUMBER}>{word(name)}</th>"
        for place, name in enumerate(
            ("outcome", "treatment", "control", "difference", "interval", "ratio", "plain", "customers")
        )
    )
    rows = "".join(_row(report, effect, language) for effect in review.effects)
    return [
        f'<h2>{review_name(review, language)} <span class="soft">{review.date}</span></h2>',
        f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>',
        *_reached(report, review, language),
    ]


_NUMBER = ' class="n"'


def _row(report: CampaignReport, effect: OutcomeEffect, language: str) -> str:
    figure = figure_text(effect.unit, report.currency, language)
    change = change_text(effect.unit, report.currency, language)
    method = "" if effect.method == "regression" else in_language(language, *METHODS[effect.method])
    cells = [
        figure(effect.treatment),
        figure(effect.control),
        f'<b class="{sureness(effect)}">{escape(change(effect.difference))}</b>',
        escape(interval_text(effect.low, effect.high, change)),
        ratio_text(effect),
        escape(change(effect.unadjusted.difference)),
        f"{effect.customers:,}",
    ]
    name = f'{escape(outcome_name(effect.outcome, language))} <span class="soft">{method}</span>'
    return f"<tr><td>{name}</td>{''.join(f'<td{_NUMBER}>{cell}</td>' for cell in cells)}</tr>"


def _reached(report: CampaignReport, review: ReviewResult, language: str) -> list[str]:
    word = translator(language)
    if not review.reached:
        return []
    first = review.reached[0]
    shares = (
        f"{word('reached')}: {word('treatment')} {first.reached_treatment:.1%}, "
        f"{word('control')} {first.reached_control:.1%}"
    )
    rows = []
    for one in review.reached:
        write = change_text(one.unit, report.currency, language)
        told = (
            word("weak")
            if one.weak or one.difference is None
            else f"{write(one.difference)} ({interval_text(one.low, one.high, write)})"
        )
        name = escape(outcome_name(one.outcome, language))
        rows.append(f"<tr><td>{name}</td><td{_NUMBER}>{escape(told)}</td></tr>")
    return [
        f"<details><summary>{word('reached_effect')}</summary>",
        f'<p class="soft">{word("reached_note")} {shares}</p><table>{"".join(rows)}</table></details>',
    ]


def _pending(report: CampaignReport, language: str) -> list[str]:
    if not report.pending:
        return []
    word = translator(language)
    dates = ", ".join(
        f"{in_language(language, f'{one.months} mo', f'{one.months}か月')}: {one.date}"
        for one in report.pending
    )
    return [f'<p class="soft">{word("pending")}: {escape(dates)}</p>']


def _groups(report: CampaignReport, review: ReviewResult, language: str) -> list[str]:
    """The effects within groups at the newest review date, as charts."""
    word = translator(language)
    if not review.groups:
        return []
    tests = {(one.by, one.outcome): one.p_value for one in review.group_differences}
    cards = []
    for by in dict.fromkeys(group.by for group in review.groups):
        groups = [group for group in review.groups if group.by == by]
        for outcome in GROUPED:
            rows = [point for group in groups for point in _group_points(group, outcome, language)]
            if not rows:
                continue
            unit = "share" if outcome == "retained" else "amount"
            chart = by_group(rows, change_text(unit, report.currency, language))
            p_value = tests.get((by, outcome))
            said = "" if p_value is None else f"{word('differ')} {p_value:.3f}"
            mark = "" if all(group.declared for group in groups) else f" · {word('exploratory')}"
            name = f"{grouping_name(by, language)}: {outcome_name(outcome, language)}"
            cards.append(
                f'<div class="card"><h3>{escape(name)}</h3><div class="soft">{said}{mark}</div>{chart}</div>'
            )
    return [
        f'<h2>{word("groups")} <span class="soft">{review_name(review, language)}</span></h2>',
        f'<p class="soft">{word("groups_note")}</p><div class="grid2">',
        *cards,
        "</div>",
    ]


def _group_points(group: GroupEffect, outcome: str, language: str) -> Sequence[EffectPoint]:
    name = group_name(group, language)
    return [_point(effect, 0.0, name) for effect in group.effects if effect.outcome == outcome]


def _sequence(report: CampaignReport, language: str) -> list[str]:
    word = translator(language)
    if not report.sequence:
        return []
    outcomes = list(dict.fromkeys(e.outcome for look in report.sequence for e in look.effects))
    head = "".join(f"<th{_NUMBER}>{escape(outcome_name(name, language))}</th>" for name in outcomes)
    rows = []
    for look in report.sequence:
        by_outcome = {effect.outcome: effect for effect in look.effects}
        cells = []
        for name in outcomes:
            effect = by_outcome.get(name)
            if effect is None:
                cells.append("–")
                continue
            change = change_text(effect.unit, report.currency, language)
            interval = interval_text(effect.low, effect.high, change)
            cells.append(
                f'<b class="{sureness(effect)}">{escape(change(effect.difference))}</b> ({escape(interval)})'
            )
        body = "".join(f"<td{_NUMBER}>{cell}</td>" for cell in cells)
        rows.append(f"<tr><td>{escape(look_name(look, language))}</td>{body}</tr>")
    return [
        f'<h2>{word("sequence")}</h2><p class="soft">{word("sequence_note")}</p>',
        f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>',
    ]


def _arms(report: CampaignReport, language: str) -> list[str]:
    word, ratio = translator(language), report.sample_ratio
    head = "".join(f"<th{_NUMBER}>{word(name)}</th>" for name in ARM_COUNTS)
    rows = "".join(
        f"<tr><td>{in_language(language, *ARM_NAMES[arm.arm])}</td>"
        + "".join(f"<td{_NUMBER}>{getattr(arm, name):,}</td>" for name in ARM_COUNTS)
        + "</tr>"
        for arm in report.arms
    )
    return [
        f'<h2>{word("arms")}</h2><div class="scroll"><table><tr><th></th>{head}</tr>{rows}</table></div>',
        f'<p class="soft">{word("sample_ratio")}: {word("declared")} {ratio.declared:.1%}, '
        f"{word('found')} {ratio.share:.2%}, p {ratio.p_value:.3f} · "
        f"{word('contaminated')}: {report.contaminated:,}</p>",
    ]


def _covariates(report: CampaignReport, language: str) -> list[str]:
    if not report.covariates:
        return []
    names = ", ".join(covariate_name(name, language) for name in report.covariates)
    return [f'<p class="soft">{translator(language)("adjusted_by")}: {escape(names)}</p>']

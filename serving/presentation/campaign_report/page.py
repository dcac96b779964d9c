"""A campaign's report as one HTML page without scripts, links or images: charts are inline SVG."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.verdict import verdict
from serving.presentation.campaign_report.view import (
    EffectRow,
    ReviewView,
    effect_charts,
    gain_cards,
    group_charts,
    look_outcomes,
    look_rows,
    review_views,
)
from serving.presentation.campaign_report.words import (
    ARM_COUNTS,
    ARM_NAMES,
    Translate,
    covariate_name,
    outcome_name,
    review_name,
    translator,
)
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_responses import CampaignReport, ReviewResult
from training.explanation.project_words import ProjectWords

STYLE = (
    ".zero{stroke:#667085;stroke-width:1.4}.whisker{opacity:.45;stroke-width:4}text.good{fill:var(--good)}"
    "text.bad{fill:var(--bad)}td.soft{color:var(--soft)}table{margin:8px 0}.note{margin:6px 0}"
    ".scroll{overflow-x:auto}.scroll td:first-child{min-width:9em}"
    "td.n,th.n{white-space:nowrap}td span.soft,td b.soft{color:var(--soft);font-size:inherit}"
)


def page(report: CampaignReport, language: str, project: ProjectWords) -> str:
    """The whole page."""
    style = files("serving.reports").joinpath("report.css").read_text(encoding="utf-8") + STYLE
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    word = translator(language)
    newest = report.reviews[-1] if report.reviews else None
    opening = verdict(report, language)
    parts = [
        f'<!doctype html><html lang="{language}"><head>{head}',
        f"<title>{word('title')}: {escape(report.campaign)}</title><style>{style}</style></head><body><main>",
        f'<h1>{word("title")}: {escape(report.campaign)}</h1><p class="soft">{_dates(report, word)}</p>',
        *([f'<p class="note"><strong>{escape(opening)}</strong></p>'] if opening else []),
        *(f'<p class="note">{escape(translated(n, language))}</p>' for n in report.notes),
        *(_cards(report, newest, language) if newest else [f"<p>{word('no_effects')}</p>"]),
        *_charts(report, language),
        *(part for review in review_views(report, language) for part in _review(review, language)),
        *_pending(report, language),
        *(_groups(report, newest, language, project) if newest else ()),
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
    cards = [
        f'<div class="card"><h3>{escape(one.name)}</h3><div class="big">{escape(one.figure)}</div>'
        f'<div class="soft">{escape(one.below)}</div></div>'
        for one in gain_cards(report, review, language)
    ]
    return (
        [f"<h2>{review_name(review, language)}</h2>", '<div class="cards">', *cards, "</div>"]
        if cards
        else []
    )


def _charts(report: CampaignReport, language: str) -> list[str]:
    """The differences over the months."""
    word = translator(language)
    cards = [
        f'<div class="card"><h3>{escape(one.name)}</h3>{one.svg}</div>'
        for one in effect_charts(report, language)
    ]
    if not cards:
        return []
    return [
        f'<p class="soft">{word("chart_note")} {word("months_note")}</p><div class="grid2">',
        *cards,
        "</div>",
    ]


def _review(review: ReviewView, language: str) -> list[str]:
    word = translator(language)
    head = "".join(
        f"<th{'' if place == 0 else _NUMBER}>{word(name)}</th>"
        for place, name in enumerate(
            ("outcome", "treatment", "control", "difference", "interval", "ratio", "plain", "customers")
        )
    )
    return [
        f'<h2>{review.name} <span class="soft">{review.date}</span></h2>',
        f'<div class="scroll"><table><tr>{head}</tr>{"".join(map(_row, review.rows))}</table></div>',
        *_reached(review, language),
    ]


_NUMBER = ' class="n"'


def _row(row: EffectRow) -> str:
    cells = [
        row.treatment,
        row.control,
        f'<b class="{row.sure}">{escape(row.difference)}</b>',
        escape(row.interval),
        row.ratio,
        escape(row.plain),
        row.customers,
    ]
    name = f'{escape(row.outcome)} <span class="soft">{row.method}</span>'
    return f"<tr><td>{name}</td>{''.join(f'<td{_NUMBER}>{cell}</td>' for cell in cells)}</tr>"


def _reached(review: ReviewView, language: str) -> list[str]:
    word = translator(language)
    if not review.reached:
        return []
    rows = [
        f"<tr><td>{escape(one.outcome)}</td><td{_NUMBER}>{escape(one.told)}</td></tr>"
        for one in review.reached
    ]
    return [
        f"<details><summary>{word('reached_effect')}</summary>",
        f'<p class="soft">{word("reached_note")} {review.reached_shares}</p>'
        f"<table>{''.join(rows)}</table></details>",
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


def _groups(report: CampaignReport, review: ReviewResult, language: str, project: ProjectWords) -> list[str]:
    """The effects within groups at the newest review date, as charts."""
    word = translator(language)
    cards = [
        f'<div class="card"><h3>{escape(one.name)}</h3><div class="soft">{one.below}</div>{one.svg}</div>'
        for one in group_charts(report, review, language, project)
    ]
    if not review.groups:
        return []
    return [
        f'<h2>{word("groups")} <span class="soft">{review_name(review, language)}</span></h2>',
        f'<p class="soft">{word("groups_note")}</p><div class="grid2">',
        *cards,
        "</div>",
    ]


def _sequence(report: CampaignReport, language: str) -> list[str]:
    word = translator(language)
    if not report.sequence:
        return []
    head = "".join(
        f"<th{_NUMBER}>{escape(outcome_name(name, language))}</th>" for name in look_outcomes(report)
    )
    rows = []
    for look in look_rows(report, language):
        cells = [
            "–" if one is None else f'<b class="{one[1]}">{escape(one[0])}</b> ({escape(one[2])})'
            for one in look.effects
        ]
        body = "".join(f"<td{_NUMBER}>{cell}</td>" for cell in cells)
        rows.append(f"<tr><td>{escape(look.name)}</td>{body}</tr>")
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
    lines = [escape(translated(note, language)) for note in report.method_notes]
    if report.covariates:
        names = ", ".join(covariate_name(name, language) for name in report.covariates)
        lines.insert(0, f"{translator(language)('adjusted_by')}: {escape(names)}")
    return [f'<p class="soft">{line}</p>' for line in lines]

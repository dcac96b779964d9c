"""Lifetime value of groups of customers, as tables of the report's page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby

from features.catalog.display_names import in_language
from serving.reports.behaviour_attitude import FEWEST
from serving.reports.measure_view import format_figure
from serving.schemas.lifetime_words import level_range_words, shows_value
from serving.schemas.report_responses import LifetimeGroup, ReportReply
from serving.schemas.terms import months_words

Amount = Callable[[float], str]
Ends = tuple[float | None, float | None]


def lifetime_section(report: ReportReply, language: str) -> Iterator[str]:
    """A table for each way to cut the customers; nothing without lifetime value."""
    if not report.lifetime:
        return
    yield f"<h2>{in_language(language, 'Lifetime value', '顧客生涯価値（LTV）')}</h2>"
    amount = format_figure("amount", report.currency, language)
    yield f'<p class="soft">{escape(lifetime_note(report.lifetime, amount, language))}</p>'
    months = sorted({one.months for one in report.lifetime})
    below = in_language(language, "each, and of all", "1名あたり・合計")
    heads = "".join(
        f'<th scope="col" class="n">{months_words(one, language)}<br><span class="soft">{below}</span></th>'
        for one in months
    )
    customers = in_language(language, "Customers", "顧客数")
    for rows in lifetime_tables(report.lifetime).values():
        yield f'<h3>{escape(rows[0][0].cut_words)}</h3><div class="wide"><table><thead><tr><th></th>'
        yield f'<th scope="col" class="n">{customers}</th>{heads}</tr></thead><tbody>'
        for row in rows:
            cells = "".join(
                f'<td class="n">{per_customer_text(one, amount, language)}<br>'
                f'<span class="soft">{total_text(one, amount, language)}</span></td>'
                for one in row
            )
            name = f'<th scope="row">{escape(row[0].group_words)}</th>'
            yield f'<tr>{name}<td class="n">{row[0].customers:,}</td>{cells}</tr>'
        yield "</tbody></table></div>"


def lifetime_tables(groups: Sequence[LifetimeGroup]) -> dict[str, list[list[LifetimeGroup]]]:
    """For each cut its rows: a group's lifetime value over each number of months."""
    return {
        cut: [list(row) for _, row in groupby(mine, key=lambda one: one.group)]
        for cut, mine in groupby(groups, key=lambda one: one.cut)
    }


def per_customer_text(one: LifetimeGroup, amount: Amount, language: str) -> str:
    """What a customer of the group is expected to spend."""
    ends = (one.per_customer_low, one.per_customer_high)
    return _text(one, one.per_customer, ends, amount, language)


def total_text(one: LifetimeGroup, amount: Amount, language: str) -> str:
    """What the group is expected to spend."""
    return _text(one, one.total, (one.low, one.high), amount, language)


def _text(one: LifetimeGroup, value: float, ends: Ends, amount: Amount, language: str) -> str:
    """An amount; where the evidence is low its range alone, as no level over so long is known yet, and
    nothing of a group that is too small for a range."""
    if shows_value(one.evidence):
        return amount(value)
    low, high = ends
    return "–" if low is None or high is None else range_text(low, high, amount, language)


def range_text(low: float, high: float, amount: Amount, language: str) -> str:
    """From one amount to another."""
    return in_language(language, "–", "〜").join(map(amount, (low, high)))


def lifetime_note(groups: Sequence[LifetimeGroup], amount: Amount, language: str) -> str:
    """What the figures are, the interval of the total of all, and where ranges stand for values."""
    whole = [one for one in groups if one.cut == "all"]
    known = [
        in_language(
            language,
            f"{range_text(one.low, one.high, amount, language)} over {months_words(one.months, language)}",
            f"{months_words(one.months, language)}で{range_text(one.low, one.high, amount, language)}",
        )
        for one in whole
        if shows_value(one.evidence) and one.low is not None and one.high is not None
    ]
    low = [months_words(one.months, language) for one in whole if not shows_value(one.evidence)]
    level = level_range_words(language)
    text = in_language(
        language,
        "What each customer is expected to spend, and the sum.",
        "1名あたりの予測購買額と、その合計です。",
    )
    if known:
        text += in_language(
            language,
            f" Of the sum of all, the {level} is {', '.join(known)}.",
            f"全顧客の合計の{level}は{'、'.join(known)}です。",
        )
    if low:
        text += in_language(
            language,
            f" Over {' and '.join(low)} the evidence is low, as no earlier customers' spend over so long is "
            f"known yet: the {level} is shown.",
            f"{'・'.join(low)}は、この長さの実績がまだなく根拠が限定的なため、{level}で示しています。",
        )
    if any(one.low is None for one in groups):
        text += in_language(
            language,
            f" Groups of fewer than {FEWEST} customers have no range.",
            f"{FEWEST}名未満の区分には範囲を示しません。",
        )
    return text

"""Whom contact helps, as it is answered in JSON and shown as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language, is_japanese
from serving.presentation.messages.catalog import translated

if TYPE_CHECKING:
    from rich.console import Console

    from serving.experiments.outside_uplift import LoadedUplift

REASONS = {
    "used": "contact helps some more than others, "
    "and the uplift model ranks them better than a response model.",
    "qini_not_above_zero": "no evidence that contact helps some more than others: "
    "the interval of the Qini coefficient does not lie above zero.",
    "not_better_than_response": "no evidence that contact helps some more than others: "
    "the uplift model is not surely better than a plain response model.",
    "empty_arm": "no evidence that contact helps some more than others: "
    "in one of the arms the outcome is known of nobody.",
    "too_few_customers": "no evidence that contact helps some more than others: "
    "the outcome is known of fewer than 100 customers.",
    "too_few_outcomes": "no evidence that contact helps some more than others: "
    "in an arm fewer than 10 customers have another outcome than most.",
    "no_features": "no evidence that contact helps some more than others: no feature tells customers apart.",
}
HEADERS = (
    ("Outcome", "成果"),
    ("Treated", "施策群"),
    ("Qini", "Qini"),
    ("95% interval", "95%区間"),
    ("Response model", "反応モデル"),
    ("Difference", "差"),
    ("95% interval", "95%区間"),
)


@dataclass(frozen=True)
class UpliftReply:
    """Whether contact helps some more than others; figures are per 1,000 treated customers."""

    outcome: str
    treated: str
    control: str
    used: bool
    reason: str
    qini: float | None
    low: float | None
    high: float | None
    response_qini: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    per: int


def uplift_reply(loaded: LoadedUplift, control: str) -> UpliftReply:
    """The evidence as JSON; without figures where nothing could be fitted."""
    from training.causal.uplift_metrics import PER, QiniIntervals

    qini = loaded.assessment.intervals or QiniIntervals(*[math.nan] * 7)
    return UpliftReply(
        outcome=loaded.outcome,
        treated=loaded.treated,
        control=control,
        used=loaded.assessment.used,
        reason=REASONS[loaded.assessment.reason],
        qini=_defined(qini.qini),
        low=_defined(qini.low),
        high=_defined(qini.high),
        response_qini=_defined(qini.other),
        difference=_defined(qini.difference),
        difference_low=_defined(qini.difference_low),
        difference_high=_defined(qini.difference_high),
        per=PER,
    )


def show_uplift(console: Console, reply: UpliftReply, language: str) -> None:
    """Print the Qini coefficients with their intervals, and below them whether the ranking may be used."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from serving.experiments.outside_campaign import POOLED

    japanese = is_japanese(language)
    title = in_language(
        language,
        f"Whom contact helps: Qini coefficients per {reply.per:,} treated customers",
        f"誰に施策が効くか：施策群{reply.per:,}人当たりのQini係数",
    )
    if reply.qini is not None:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
        for place, header in enumerate(HEADERS):
            table.add_column(header[japanese], justify="left" if place < 2 else "right", overflow="fold")
        table.add_row(
            escape(reply.outcome),
            ("all", "全体")[japanese] if reply.treated == POOLED else escape(reply.treated),
            _number(reply.qini),
            _interval(reply.low, reply.high),
            _number(reply.response_qini),
            _number(reply.difference),
            _interval(reply.difference_low, reply.difference_high),
        )
        console.print(table)
    mark = "[green]✓[/green]" if reply.used else "[yellow]![/yellow]"
    console.print(f"{mark} {escape(translated(reply.reason, language))}")


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:+,.2f}"


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{_number(low)} – {_number(high)}"

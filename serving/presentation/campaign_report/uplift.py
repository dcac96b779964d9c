"""Whom contact helps, as it is answered in JSON and shown as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language, is_japanese
from serving.experiments.outside.outside_reply import uplift_reply
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_results import UpliftReply

if TYPE_CHECKING:
    from rich.console import Console

    from serving.experiments.uplift_rows import LearnedUplift
    from training.causal.uplift_metrics import UpliftDecile

HEADERS = (
    ("Outcome", "成果"),
    ("Treated", "施策群"),
    ("Qini", "Qini"),
    ("95% interval", "95%区間"),
    ("Response model", "反応モデル"),
    ("Difference", "差"),
    ("95% interval", "95%区間"),
)
DECILE_HEADERS = (
    ("Decile", "十分位"),
    ("Customers", "顧客"),
    ("Predicted", "予測"),
    ("Measured", "実測"),
    ("95% interval", "95%区間"),
)


@dataclass(frozen=True)
class DecileReply:
    """A tenth of the customers by predicted uplift; the measured effect is null where an arm has nobody."""

    decile: int
    customers: int
    predicted: float
    difference: float | None
    low: float | None
    high: float | None


EFFECTS = {
    "used": "The uplift model is in use: run `kizuna score`, and the list can be ordered and filtered by "
    "uplift and incremental_value.",
    "taken_out": "The uplift model that was in use is taken out of use: scores from the next "
    "`kizuna score` on have no uplift.",
    "other_outcome": "The uplift model of another outcome that is in use stays in use.",
}
"""What becomes of the uplift model in use; nothing is said where there is none."""


@dataclass(frozen=True)
class LearnReply:
    """What was learned from campaigns."""

    campaigns: list[str]
    months: int
    uplift: UpliftReply
    deciles: list[DecileReply]
    run: str
    model_in_use: str
    """`used`: this model; `taken_out`: the one before was taken out; `other_outcome`: one of another outcome
    stays; `none`."""


def learn_reply(learned: LearnedUplift) -> LearnReply:
    """What was learned, as JSON."""
    return LearnReply(
        list(learned.campaigns),
        learned.months,
        uplift_reply(learned.outcome, "treatment", "control", learned.assessment),
        [_decile(one) for one in learned.deciles],
        learned.run,
        learned.effect,
    )


def _decile(one: UpliftDecile) -> DecileReply:
    effect = one.effect
    ends = (None, None, None) if effect is None else (effect.difference, effect.low, effect.high)
    return DecileReply(one.decile, one.customers, one.predicted, *ends)


def show_learned(learned: LearnedUplift, language: str) -> None:
    """Print the evidence, the uplift by decile, and where the run is."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console, reply = Console(highlight=False), learn_reply(learned)
    if reply.deciles:
        title = in_language(
            language, "Uplift by decile, the highest predicted first", "予測アップリフトの高い順の十分位"
        )
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
        for header in DECILE_HEADERS:
            table.add_column(header[is_japanese(language)], justify="right", overflow="fold")
        for one in reply.deciles:
            interval = _interval(one.low, one.high, 4)
            cells = (_number(one.predicted, 4), _number(one.difference, 4), interval)
            table.add_row(str(one.decile), f"{one.customers:,}", *cells)
        console.print(table)
    show_uplift(console, reply.uplift, language)
    if learned.effect in EFFECTS:
        console.print(escape(translated(EFFECTS[learned.effect], language)))
    run = in_language(language, f"MLflow run {reply.run}", f"MLflowの実行 {reply.run}")
    console.print(run, style="dim")


def show_uplift(console: Console, reply: UpliftReply, language: str) -> None:
    """Print the Qini coefficients with their intervals, and below them whether the ranking may be used."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from serving.experiments.outside.outside_campaign import POOLED

    japanese = is_japanese(language)
    title = in_language(
        language,
        f"Whom contact helps: Qini coefficients per {reply.per:,} treated customers",
        f"誰に施策が効くか：施策群{reply.per:,}人あたりのQini係数",
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


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:+,.{digits}f}"


def _interval(low: float | None, high: float | None, digits: int = 2) -> str:
    return "–" if low is None or high is None else f"{_number(low, digits)} – {_number(high, digits)}"

"""A campaign that was run elsewhere, as it is answered in JSON and shown as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language, is_japanese
from serving.presentation.campaign_uplift import UpliftReply, show_uplift, uplift_reply
from serving.presentation.messages.catalog import translated

if TYPE_CHECKING:
    from serving.experiments.outside_campaign import LoadedCampaign, LoadedEffect

HEADERS = (
    ("Outcome", "成果"),
    ("Treated", "施策群"),
    ("Mean", "平均"),
    ("Control", "対照群"),
    ("Difference", "差"),
    ("95% interval", "95%区間"),
)
UNADJUSTED = ("Unadjusted", "調整前の差")
POOLED_WORDS = ("all", "全体")


@dataclass(frozen=True)
class UnadjustedReply:
    """The plain difference of an outcome's means."""

    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LoadedEffectReply:
    """The effect of one treatment on one outcome."""

    outcome: str
    treated: str
    control: str
    difference: float
    low: float | None
    high: float | None
    treated_mean: float
    control_mean: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    method: str
    unadjusted: UnadjustedReply


@dataclass(frozen=True)
class LoadReply:
    """What a campaign that was run elsewhere did."""

    campaign: str
    arms: dict[str, int]
    effects: list[LoadedEffectReply]
    notes: list[str]
    uplift: UpliftReply | None
    """Only where it was asked."""


def reply(loaded: LoadedCampaign) -> LoadReply:
    """The campaign as JSON."""
    return LoadReply(
        loaded.campaign,
        loaded.arms,
        [_effect(one, loaded.control) for one in loaded.effects],
        list(loaded.notes),
        _uplift(loaded),
    )


def _uplift(loaded: LoadedCampaign) -> UpliftReply | None:
    asked = loaded.uplift
    if asked is None:
        return None
    return uplift_reply(asked.outcome, asked.treated, loaded.control, asked.assessment)


def _effect(one: LoadedEffect, control: str) -> LoadedEffectReply:
    effect, plain = one.adjusted, one.plain
    return LoadedEffectReply(
        one.outcome,
        one.treated,
        control,
        effect.difference,
        effect.low,
        effect.high,
        effect.treatment,
        effect.control,
        effect.ratio,
        effect.ratio_low,
        effect.ratio_high,
        effect.method,
        UnadjustedReply(plain.difference, plain.low, plain.high),
    )


def show(loaded: LoadedCampaign, language: str) -> None:
    """Print the arms, the effects as a table, and below it what was left out."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from serving.experiments.outside_campaign import POOLED

    japanese = is_japanese(language)
    arms = ", ".join(f"{arm} {count:,}" for arm, count in loaded.arms.items())
    title = in_language(
        language,
        f"{loaded.campaign}: {arms}; control is {loaded.control}",
        f"{loaded.campaign}：{arms}。対照群は{loaded.control}",
    )
    adjusted = any(one.adjusted.difference != one.plain.difference for one in loaded.effects)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=escape(title), title_justify="left")
    for place, header in enumerate((*HEADERS, UNADJUSTED) if adjusted else HEADERS):
        table.add_column(
            header[japanese],
            justify="left" if place < 2 else "right",
            no_wrap=place > 1,
            overflow="fold",
            min_width=8 if place < 2 else None,
        )
    for one in loaded.effects:
        level, change = (_share, _points) if one.rate else (_amount, _gain)
        effect = one.adjusted
        interval = (
            "–"
            if effect.low is None or effect.high is None
            else f"{change(effect.low)} – {change(effect.high)}"
        )
        table.add_row(
            escape(one.outcome),
            POOLED_WORDS[japanese] if one.treated == POOLED else escape(one.treated),
            level(effect.treatment),
            level(effect.control),
            change(effect.difference),
            interval,
            *([change(one.plain.difference)] if adjusted else []),
        )
    console = Console(highlight=False)
    console.print(table)
    if any(one.rate for one in loaded.effects):
        console.print(
            in_language(language, "Differences of rates are in points.", "割合の差はポイントです。"),
            style="dim",
        )
    uplift = _uplift(loaded)
    if uplift is not None:
        show_uplift(console, uplift, language)
    for note in loaded.notes:
        console.print(f"[yellow]![/yellow] {escape(translated(note, language))}")


def _share(value: float) -> str:
    return f"{value:.2%}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _amount(value: float) -> str:
    return f"{value:,.4g}"


def _gain(value: float) -> str:
    return f"{value:+,.3g}"

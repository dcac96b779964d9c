"""A campaign that was run elsewhere, as a table in the terminal."""

from __future__ import annotations

from features.catalog.display_names import in_language
from serving.presentation.campaign_uplift import show_uplift
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_results import LoadedCampaignReply, LoadedEffectReply

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


def show(loaded: LoadedCampaignReply, language: str) -> None:
    """Print the arms, the effects as a table, and below it what was left out."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    arms = ", ".join(f"{arm} {count:,}" for arm, count in loaded.arms.items())
    control = loaded.effects[0].control
    title = in_language(
        language,
        f"{loaded.campaign}: {arms}; control is {control}",
        f"{loaded.campaign}：{arms}。対照群は{control}",
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=escape(title), title_justify="left")
    for place, header in enumerate(effect_headers(loaded, language)):
        table.add_column(
            header,
            justify="left" if place < 2 else "right",
            no_wrap=place > 1,
            overflow="fold",
            min_width=8 if place < 2 else None,
        )
    for one in loaded.effects:
        table.add_row(*map(escape, effect_cells(loaded, one, language)))
    console = Console(highlight=False)
    console.print(table)
    if any(one.unit == "share" for one in loaded.effects):
        console.print(
            in_language(language, "Differences of rates are in points.", "割合の差はポイントです。"),
            style="dim",
        )
    if loaded.uplift is not None:
        show_uplift(console, loaded.uplift, language)
    for note in loaded.notes:
        console.print(f"[yellow]![/yellow] {escape(translated(note, language))}")


def effect_headers(loaded: LoadedCampaignReply, language: str) -> list[str]:
    """The columns of the table of effects; the plain difference only where it was adjusted."""
    return [
        in_language(language, *header) for header in (*HEADERS, *([UNADJUSTED] if _adjusted(loaded) else []))
    ]


def effect_cells(loaded: LoadedCampaignReply, one: LoadedEffectReply, language: str) -> list[str]:
    """One effect as the cells of a row."""
    level, change = (_share, _points) if one.unit == "share" else (_amount, _gain)
    return [
        one.outcome,
        in_language(language, *POOLED_WORDS) if one.treated == POOLED_WORDS[0] else one.treated,
        level(one.treated_mean),
        level(one.control_mean),
        change(one.difference),
        "–" if one.low is None or one.high is None else f"{change(one.low)} – {change(one.high)}",
        *([change(one.unadjusted.difference)] if _adjusted(loaded) else []),
    ]


def _adjusted(loaded: LoadedCampaignReply) -> bool:
    return any(one.difference != one.unadjusted.difference for one in loaded.effects)


def _share(value: float) -> str:
    return f"{value:.2%}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _amount(value: float) -> str:
    return f"{value:,.4g}"


def _gain(value: float) -> str:
    return f"{value:+,.3g}"

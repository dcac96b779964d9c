"""A campaign that was run elsewhere, as a table in the terminal."""

from __future__ import annotations

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.loaded_effects import effect_cells, effect_headers
from serving.presentation.campaign_report.uplift import show_uplift
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_results import LoadedCampaignReply


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

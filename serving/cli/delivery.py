"""Commands that hand the list and its changes to other systems."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.context import LANGUAGES, OUTPUT, CliContext


@click.command()
@click.argument("columns")
@click.option("--output", required=True, type=OUTPUT, help="The CSV file to write.")
@click.option("--limit", type=click.IntRange(min=1), help="How many customers [all].")
@click.option("--language", type=LANGUAGES, help="The language of the reasons [language].")
@click.pass_obj
def export(call: CliContext, columns: str, output: Path, limit: int | None, language: str | None) -> None:
    """Write the list in the COLUMNS of another system: salesforce, hubspot, or a map of kizuna.toml.

    \b
    Example:
      kizuna export salesforce --output churn.csv
    """
    from serving.application.lists.export import export_list
    from serving.lists.filters import ListFilter
    from serving.state.atomic_write import in_one_step

    with call.workspace() as workspace:
        exported = export_list(workspace, call.actor, columns, ListFilter(limit=limit), language)
        with in_one_step(output) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
            for line in exported.lines:
                file.write(line)
    call.answer({"file": str(output)}, f"Wrote {output}.")


@click.command()
@click.option("--wait", default=0.0, show_default=True, help="Seconds to go on trying what is not taken.")
@click.option("--dead", is_flag=True, help="Try once more what nobody took.")
@click.pass_obj
def notify(call: CliContext, wait: float, dead: bool) -> None:
    """Tell the webhooks of kizuna.toml what changed between the last two scorings.

    Run it after `kizuna score`. Running it twice tells nothing twice; what is not taken waits, and is tried
    again by the next run, eight times in all. Scores far beyond the end of the data are refused: customers
    would look silent who are not.
    """
    from serving.application.lists.notify import notify as send_changes

    with call.workspace() as workspace:
        result = send_changes(workspace, call.actor, wait=wait, revive_dead=dead)
    waiting, dead_now = len(result.waiting), len(result.dead)
    call.answer(
        {
            "sent": result.sent,
            "dead": result.died,
            "changes": result.changes,
            "waiting": waiting,
            "kept_dead": dead_now,
        },
        f"{result.changes:,} changes are new; {result.sent:,} deliveries were taken, {waiting:,} wait to be "
        f"tried again, {dead_now:,} are dead.",
        *(f"  {one.webhook}: {one.trouble}" for one in [*result.waiting, *result.dead][:10]),
    )

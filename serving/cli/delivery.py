"""Commands that hand the list and its changes to other systems."""

from __future__ import annotations

import time
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
    from serving.integrations.crm_columns import column_map, lines
    from serving.lists.ranking import ListFilter
    from serving.lists.score_reader import ScoreReader
    from serving.state.atomic_write import in_one_step

    settings = call.project.settings
    mapped = column_map(columns, settings.crm)
    with call.records() as records:
        replies = ScoreReader.current(records, call.project, call.store)
    listed = replies.listed(ListFilter(limit), language or settings.language)
    with in_one_step(output) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        for line in lines(listed, mapped, replies.source()):
            file.write(line)
    call.say({"file": str(output)}, f"Wrote {output}.")


@click.command()
@click.option("--wait", default=0.0, show_default=True, help="Seconds to go on trying what is not taken.")
@click.option("--dead", is_flag=True, help="Try once more what nobody took.")
@click.pass_obj
def notify(call: CliContext, wait: float, dead: bool) -> None:
    """Tell the webhooks of kizuna.toml what changed between the last two scorings.

    Run it after `kizuna score`. Running it twice tells nothing twice; what is not taken waits, and is tried
    again by the next run, eight times in all.
    """
    from serving.integrations.webhooks import enlist, send_due
    from serving.scoring.score_changes import changes
    from serving.state.outbox import Outbox
    from serving.state.score_file import load

    webhooks = {webhook.name: webhook for webhook in call.project.settings.webhooks}
    told, total = 0, {"sent": 0, "dead": 0}
    with call.records() as records:
        outbox = Outbox(records)
        if dead:
            outbox.revive(call.now)
        current = records.scores()
        earlier = None if current is None else records.scores_before(current.as_of)
        if current is not None and earlier is not None:
            after, before = (load(call.project.scores / one.file) for one in (current, earlier))
            about = {
                "as_of": call.project.timeline.name(current.as_of),
                "since": call.project.timeline.name(earlier.as_of),
                "model_version": current.model_version,
            }
            for webhook in webhooks.values():
                found = list(changes(before, after, tier_falls=webhook.tier_falls, limit=webhook.probability))
                told += enlist(outbox, webhook, found, about, f"{earlier.file}\n{current.file}", call.now)
        end, customers = time.monotonic() + wait, call.store.customers
        while True:
            said = send_due(outbox, webhooks, customers, lambda: call.now)
            total = {name: total[name] + said[name] for name in total}
            left = outbox.all("waiting")
            if not left or time.monotonic() >= end:
                break
            time.sleep(0.2)
        buried = outbox.all("dead")
    call.say(
        {**total, "changes": told, "waiting": len(left), "kept_dead": len(buried)},
        f"{told:,} changes are new; {total['sent']:,} deliveries were taken, {len(left):,} wait to be tried "
        f"again, {len(buried):,} are dead.",
        *(f"  {one.webhook}: {one.trouble}" for one in [*left, *buried][:10]),
    )

"""The commands that hand out a campaign's treatment arm and keep who was really contacted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from features.errors import UsageError
from serving.cli.context import LANGUAGES, OUTPUT, CliContext


@click.command()
@click.argument("name")
@click.option(
    "--format",
    "columns",
    default="csv",
    show_default=True,
    help="csv, salesforce, hubspot, a map of kizuna.toml, or webhook.",
)
@click.option("--output", type=OUTPUT, help="The CSV file to write; not for webhooks.")
@click.option("--language", type=LANGUAGES, help="The language of the reasons [language].")
@click.pass_obj
def export(call: CliContext, name: str, columns: str, output: Path | None, language: str | None) -> None:
    """Write the treatment arm of a campaign, without whoever must not be contacted by now.

    The control group is never in it. Who is left out stays in their arm, so that the effect is that of the
    assignment. For webhooks the arm waits until `kizuna notify` sends it.

    \b
    Example:
      kizuna campaign export spring --format salesforce --output spring.csv
    """
    from serving.application.campaigns.export import WEBHOOK, export_campaign
    from serving.presentation.campaigns import export_lines
    from serving.state.atomic_write import in_one_step

    language = language or call.project.settings.language
    if (output is None) != (columns == WEBHOOK):
        raise UsageError(
            "cannot export: give either --format webhook or a file to write with --output.", field="output"
        )
    if output is None:
        with call.workspace() as workspace:
            exported = export_campaign(workspace, call.actor, name, columns, language)
        answer = {"campaign": name, "customers": exported.exported, "left_out": exported.left_out}
        call.answer(
            answer,
            *export_lines(None, exported.exported, exported.left_out, exported.contacted_lately, language),
        )
        return
    with call.workspace() as workspace, in_one_step(output) as unfinished:
        exported = export_campaign(workspace, call.actor, name, columns, language)
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            for line in exported.file_lines(columns, workspace, language):
                file.write(line)
    answer = {
        "campaign": name,
        "file": str(output),
        "customers": exported.exported,
        "left_out": exported.left_out,
    }
    call.answer(
        answer,
        *export_lines(str(output), exported.exported, exported.left_out, exported.contacted_lately, language),
    )


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def contacts(call: CliContext, name: str, file: Path) -> None:
    """Keep who was contacted in a campaign: FILE is CSV or Parquet with customer_id and at.

    It may also have kind (call_made, email_sent …), channel, campaign and cost, as the file of `kizuna
    simulate --contacts`. Contacts of the control group are kept and counted too. The same file again adds
    nothing.
    """
    from serving.application.campaigns.contacts import record_campaign_contacts
    from serving.presentation.campaigns import contact_lines

    with call.workspace() as workspace:
        recorded = record_campaign_contacts(workspace, call.actor, name, file)
    answer = {"campaign": name, **asdict(recorded)}
    call.answer(answer, *contact_lines(asdict(recorded), call.project.settings.language))

"""The commands `kizuna campaign …`: contact with a control group, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from serving.cli.campaigns.delivery import contacts, export
from serving.cli.campaigns.learn import learn
from serving.cli.campaigns.report import report
from serving.cli.campaigns.start import draft, list_, start, stop
from serving.cli.context import LANGUAGES, CliContext


@click.group()
def campaign() -> None:
    """Contact with a random control group, and proof of what it did."""


@campaign.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--customer", required=True, metavar="COLUMN|row", help="The column of customers; row: each row is one."
)
@click.option(
    "--arm", required=True, metavar="COLUMN", help="The column that says which arm a customer is in."
)
@click.option("--control", required=True, metavar="ARM", help="The arm that was not treated.")
@click.option("--treated", metavar="ARM", multiple=True, help="A treated arm [all others]; may be repeated.")
@click.option(
    "--outcome", "outcomes", required=True, metavar="COLUMN", multiple=True, help="What is to be compared."
)
@click.option(
    "--covariate",
    "covariates",
    metavar="COLUMN",
    multiple=True,
    help="What was known before the campaign; it makes intervals narrower.",
)
@click.option("--uplift", metavar="OUTCOME", help="Ask whom contact helps on this outcome; needs --feature.")
@click.option(
    "--feature",
    "features",
    metavar="COLUMN",
    multiple=True,
    help="What was known before the campaign and may tell whom contact helps.",
)
@click.option("--replace", is_flag=True, help="Keep the result in the place of one loaded before as NAME.")
@click.option("--language", type=LANGUAGES, help="The language of the table [language].")
@click.pass_obj
def load(
    call: CliContext,
    name: str,
    file: Path,
    customer: str,
    arm: str,
    control: str,
    treated: Sequence[str],
    outcomes: Sequence[str],
    covariates: Sequence[str],
    uplift: str | None,
    features: Sequence[str],
    replace: bool,
    language: str | None,
) -> None:
    """The effect of a test that was run elsewhere, from a table with one row a customer.

    With several treated arms, the effects of all together come first, then those of each. The result is kept
    as a campaign that was run elsewhere, and shown by `campaign list` and `campaign report`; the table is
    not. In a folder without kizuna.toml nothing is kept.

    \b
    Example:
      kizuna campaign load spring mail.csv --customer id --arm segment --control none --outcome spend
    """
    from serving.application.campaigns.load import analyse_table, load_campaign
    from serving.experiments.outside.outside_campaign import TableColumns
    from serving.presentation.campaign_load import show

    columns = TableColumns(customer, arm, tuple(outcomes), tuple(covariates), uplift, tuple(features))
    if call.in_project:
        with call.workspace() as workspace:
            loaded = load_campaign(
                workspace,
                call.actor,
                name,
                file,
                columns,
                control=control,
                treated=tuple(treated),
                replacing=replace,
            )
        left_out = f"'{name}' was loaded before, and its result stays. Give --replace to keep this one."
    else:
        place = call.new_project()
        loaded = analyse_table(
            place, call.actor, name, file, columns, control=control, treated=tuple(treated)
        )
        left_out = f"'{name}' is not kept: there is no kizuna.toml in {call.folder}."
    if call.json:
        call.answer(loaded.result)
    else:
        language = language or (call.project.settings.language if call.in_project else call.language)
        if call.in_project:
            call.heading(language)
        show(loaded.result, language)
    if not loaded.stored:
        click.echo(call.translated(left_out), err=True)


for command in (draft, start, export, contacts, report, stop, list_, learn):
    campaign.add_command(command)

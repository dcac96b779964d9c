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
    language: str | None,
) -> None:
    """The effect of a test that was run elsewhere, from a table with one row a customer.

    With several treated arms, the effects of all together come first, then those of each.

    \b
    Example:
      kizuna campaign load spring mail.csv --customer id --arm segment --control none --outcome spend
    """
    from serving.application.campaigns.load import load_campaign
    from serving.experiments.outside_campaign import TableColumns
    from serving.presentation.campaign_load import reply, show

    language = language or call.project.settings.language
    columns = TableColumns(customer, arm, tuple(outcomes), tuple(covariates), uplift, tuple(features))
    with call.workspace() as workspace:
        loaded = load_campaign(
            workspace, call.actor, name, file, columns, control=control, treated=tuple(treated)
        )
    if call.json:
        call.answer(reply(loaded))
    else:
        call.heading(language)
        show(loaded, language)


for command in (draft, start, export, contacts, report, stop, list_, learn):
    campaign.add_command(command)

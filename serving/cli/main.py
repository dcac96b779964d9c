"""The command `kizuna`: reads the project and the clock, calls the rooms, and says what became of it.

Nothing heavy is imported before a command needs it, so that `kizuna --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from features.errors import DataError, KizunaError, UsageError
from serving.cli.admin import audit, backup, erase, keys, readmit, restore, serve
from serving.cli.analysis import backtest, compare, doctor, features, monitor
from serving.cli.campaigns.group import campaign
from serving.cli.context import (
    CLUSTER,
    FORMATS,
    LANGUAGES,
    ORDERS,
    OUTPUT,
    CliContext,
    list_format,
    with_translated_help,
)
from serving.cli.delivery import export, notify
from serving.cli.engagement import plan, playbook, report
from serving.cli.filter_options import FilteredCommand
from serving.cli.init import init
from serving.cli.models import mlflow, models
from serving.cli.package import package
from serving.cli.run import run, runs
from serving.cli.simulate import simulate
from serving.cli.users import users

if TYPE_CHECKING:
    from serving.lists.filters import ListFilter
    from training.bundle.list_policy import ListOrder


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, value: setattr(context.obj, "folder", value or context.obj.folder),
    help="The project folder, which holds kizuna.toml [this one].",
)
@click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, value: setattr(context.obj, "json", value),
    help="Print one JSON object and nothing else.",
)
@click.version_option(package_name="kizuna")
def kizuna() -> None:
    """Who is drifting away, how sure we are, why, and what to do.

    \b
    A first run:
      kizuna init           write a kizuna.toml and tell it where your data is
      kizuna ingest         read the data
      kizuna doctor         see whether it is enough, and what churn could mean
      kizuna train          learn from the past
      kizuna score          say who may leave
      kizuna at-risk        show the list
    """


@kizuna.command()
@click.option("--replace", metavar="SOURCE", multiple=True, help="Take its old rows out and read it anew.")
@click.option("--keep", metavar="SOURCE", multiple=True, help="Keep its old rows although its query changed.")
@click.option("--accept-removal", metavar="SOURCE", multiple=True, help="Take out as many rows as are gone.")
@click.option(
    "--accept-quarantine",
    metavar="SOURCE",
    multiple=True,
    help="Leave out as much as is refused of its amount.",
)
@click.option(
    "--drop-earlier-versions",
    is_flag=True,
    help="Then delete at once the files that earlier versions of the store had: for the first loading of a "
    "large past. Otherwise they stay for a day, for whoever still reads them.",
)
@CLUSTER
@click.pass_obj
def ingest(
    call: CliContext,
    replace: Sequence[str],
    keep: Sequence[str],
    accept_removal: Sequence[str],
    accept_quarantine: Sequence[str],
    drop_earlier_versions: bool,
    cluster: str | None,
) -> int:
    """Run the sources into the event store; doing it twice changes nothing.

    A source that would double or lose its events, or send more than 1 % of its amount to quarantine, is not
    stored; the others are, and the exit code is 4.
    """
    from features.ingestion.session.guards import IngestOptions
    from serving.application.data.ingest import ingest as ingest_sources
    from serving.presentation.ingest import receipt_lines

    options = IngestOptions(
        frozenset(replace), frozenset(keep), frozenset(accept_removal), frozenset(accept_quarantine)
    )
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        result = ingest_sources(
            workspace, call.actor, options, progress, drop_earlier_versions=drop_earlier_versions
        )
    answer = {"sources": [asdict(receipt) for receipt in result.sources], "data_version": result.data_version}
    call.answer(answer, *receipt_lines(result.sources, call.project.settings.language))
    refused = [receipt.refused for receipt in result.sources if receipt.refused is not None]
    for why in refused:
        click.echo(call.translated(why), err=True)
    return DataError.exit_code if refused else 0


@kizuna.command()
@click.option("--until", metavar="DATE", help="Events at or after this day do not exist.")
@click.option(
    "--tune", metavar="TRIALS", type=click.IntRange(1), help="Try so many settings of the trees first."
)
@click.option(
    "--accept-leak", metavar="REASON", help="Take a model although a leak is suspected, and say why."
)
@CLUSTER
@click.pass_obj
def train(
    call: CliContext, until: str | None, tune: int | None, accept_leak: str | None, cluster: str | None
) -> None:
    """Learn from the past; the result becomes the champion if it passes the gates.

    A search with --tune that is stopped goes on where it was when it is started again.
    """
    from serving.application.models.train import train as train_model
    from serving.presentation.training import reply, summary_lines

    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        result = train_model(
            workspace, call.actor, until=until, trials=tune, accept_leak=accept_leak, progress=progress
        )
    call.answer(reply(result), *summary_lines(result, call.project.settings.language))


@kizuna.command()
@click.option(
    "--as-of",
    metavar="DATE",
    help="The day to answer for [the first midnight after the newest event that silence hangs on].",
)
@CLUSTER
@click.pass_obj
def score(call: CliContext, as_of: str | None, cluster: str | None) -> None:
    """Score every customer with the champion.

    A day far beyond the end of the data (more than a week, and more than a third of the horizon) is scored
    with a warning, and `kizuna notify` refuses such scores.
    """
    from serving.application.models.score import score as score_everyone

    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        result = score_everyone(workspace, call.actor, as_of=as_of, progress=progress)
    timeline = call.project.timeline
    day, silence = timeline.name(result.as_of), timeline.local(result.silence_until - 1).date().isoformat()
    call.answer(
        {
            "as_of": day,
            "model_version": result.model_version,
            "data_version": result.data_version,
            "customers": result.customers,
            "cohort": result.cohort,
            "file": result.file,
            "silence_measured_until": silence,
            "uplift": result.uplift,
            "warnings": list(result.warnings),
        },
        f"Scored {result.cohort:,} customers who can still leave as of {day} with model "
        f"{result.model_version} ({result.customers - result.cohort:,} more have left already or are not "
        "active yet). See `kizuna at-risk`.",
        f"Days without activity are counted until {silence}.",
        *([] if result.uplift is None else [f"Whom contact helps is known on '{result.uplift}'."]),
        *(f"  {call.translated('warning')}: {call.translated(warning)}" for warning in result.warnings),
    )


@kizuna.command("at-risk", cls=FilteredCommand)
@click.option("--limit", type=click.IntRange(min=1), help="How many customers [capacity.contacts].")
@click.option(
    "--order-by",
    type=ORDERS,
    help="Who comes first [value_at_risk, where events carry amounts].",
)
@click.option("--format", "shape", type=FORMATS, help="How to print it [table].")
@click.option("--output", type=OUTPUT, help="Write to this file instead; its ending chooses the format.")
@click.option("--language", type=LANGUAGES, help="The language of headers, tiers and reasons [language].")
@click.pass_obj
def at_risk(
    call: CliContext,
    limit: int | None,
    order_by: ListOrder | None,
    choice: ListFilter,
    shape: str | None,
    output: Path | None,
    language: str | None,
) -> None:
    """Whom to approach first, and why; after `kizuna plan` also what to do.

    \b
    Examples:
      kizuna at-risk --format csv --output list.csv --language ja
      kizuna at-risk --order-by churn_probability --limit 50
      kizuna at-risk --stage considering_leaving --touch high
      kizuna --json at-risk --limit 100
    """
    from serving.application.lists.at_risk import list_at_risk
    from serving.lists.customer_view import planned_first
    from serving.presentation.csv import list_csv
    from serving.presentation.terminal import show
    from serving.schemas.json_text import to_json
    from serving.schemas.responses import ListReply
    from serving.state.atomic_write import in_one_step

    language = language or call.project.settings.language
    shape = list_format(shape, output, as_json=call.json)
    with call.workspace() as workspace:
        choice = choice.model_copy(update={"limit": limit, "order_by": order_by})
        found = list_at_risk(workspace, call.actor, choice, language)
        customers = list(found.customers)
        listed = ListReply(**vars(found.source), customers=customers)
    if shape == "table":
        call.heading(language)
        show(replace(listed, customers=planned_first(customers)), language)
        return
    if shape == "csv":
        rows = list_csv(
            planned_first(customers),
            language,
            with_plan=found.planned,
            with_uplift=found.uplifted,
            lifetime_months=found.source.lifetime_months,
            spreadsheet=True,
        )
        text = "".join(rows).encode("utf-8")
    else:
        text = (to_json(listed, **call.marks) + "\n").encode("utf-8")
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(text)
        most, count = limit or call.project.settings.capacity.contacts, len(customers)
        whole = f"Wrote {count:,} customers to {output}."
        cut = (
            f"Wrote the first {count:,} customers of the list to {output}. If there are more, `--limit` "
            "writes them."
        )
        call.answer({"file": str(output), "customers": count}, whole if count < most else cut)


@kizuna.command()
@click.argument("customer")
@click.option("--language", type=LANGUAGES, help="The language of tiers and reasons [language].")
@click.pass_obj
def explain(call: CliContext, customer: str, language: str | None) -> None:
    """One customer: score, reasons, and what changed since the scores before."""
    from serving.application.lists.explain import explain as explain_customer
    from serving.presentation.terminal import show_explanation

    language = language or call.project.settings.language
    with call.workspace() as workspace:
        answer = explain_customer(workspace, call.actor, customer, language)
    if call.json:
        call.answer(answer)
    else:
        call.heading(language)
        show_explanation(answer, language)


for command in (
    init,
    campaign,
    doctor,
    features,
    backtest,
    compare,
    monitor,
    serve,
    erase,
    audit,
    backup,
    restore,
    export,
    notify,
    package,
    readmit,
    keys,
    users,
    models,
    mlflow,
    plan,
    playbook,
    report,
    run,
    runs,
    simulate,
):
    kizuna.add_command(command)
with_translated_help(kizuna)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command; a user's error is a sentence on standard error and its exit code.

    With --json the same error is also one JSON object on standard output. Anything else is a bug and
    keeps its traceback.
    """
    call = CliContext()
    try:
        code = kizuna.main(arguments, prog_name="kizuna", standalone_mode=False, obj=call)
    except KizunaError as error:
        message = call.translated(error.message)
        click.echo(message, err=True)
        if call.json:
            _print_error(error.code, message, error.field)
        for note in getattr(error, "__notes__", ()):  # where on a cluster it was met
            click.echo(f"  ({call.translated(note)})", err=True)
        code = error.exit_code
    except click.ClickException as error:
        _show_usage_error(call, error)
        if call.json:
            _print_error(UsageError.code, error.format_message(), None)
        code = error.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _show_usage_error(call: CliContext, error: click.ClickException) -> None:
    if call.language == "en":
        error.show()
        return
    from serving.cli.japanese_help import japanese_usage_error

    click.echo(japanese_usage_error(error), err=True)


def _print_error(code: str, message: str, field: str | None) -> None:
    click.echo(json.dumps({"error": {"code": code, "message": message, "field": field}}, ensure_ascii=False))

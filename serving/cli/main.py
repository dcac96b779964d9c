"""The command `kizuna`: reads the project and the clock, calls the rooms, and says what became of it.

Nothing heavy is imported before a command needs it, so that `kizuna --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from features.errors import KizunaError, UsageError
from serving.cli.admin import audit, erase, keys, serve
from serving.cli.analysis import backtest, doctor, features
from serving.cli.context import FORMATS, LANGUAGES, OUTPUT, CliContext, list_format
from serving.cli.delivery import export, notify
from serving.cli.engagement import cuts, plan, playbook, report
from serving.cli.models import models
from serving.cli.package import package
from serving.cli.readmission import readmit
from serving.cli.simulate import simulate

if TYPE_CHECKING:
    from serving.actions.plan_file import PlanFilter
    from serving.lists.ranking import Order


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
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
@click.pass_obj
def kizuna(call: CliContext, folder: Path | None) -> None:
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
    call.folder = folder or call.folder


@kizuna.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def init(call: CliContext, folder: Path | None) -> None:
    """Write a commented kizuna.toml into FOLDER (or the project folder)."""
    from serving.project.template import write

    file = write(folder or call.folder, "kizuna.toml")
    call.say({"file": str(file)}, f"Wrote {file}. Tell it where your data is, then run `kizuna ingest`.")


@kizuna.command()
@click.pass_obj
def ingest(call: CliContext) -> None:
    """Run the sources into the event store; doing it twice changes nothing."""
    project, settings = call.project, call.project.settings
    if not settings.sources:
        from features.errors import ConfigurationError

        raise ConfigurationError(
            f"cannot ingest: {project.folder / 'kizuna.toml'} names no source. Add one, as in "
            '`[[sources]]`, `name = "orders"`, `query = "select …"`.',
            field="sources",
        )
    with call.progress() as report:
        receipts = call.store.ingest(
            settings.sources,
            settings.attributes,
            folder=project.folder,
            timeline=project.timeline,
            now=call.now,
            progress=report,
        )
    lines = [
        f"{receipt.source}: {receipt.read:,} read, {receipt.new:,} new, "
        f"{receipt.already_there:,} already there, {receipt.corrected:,} corrected, "
        f"{receipt.quarantined:,} quarantined"
        + (f" ({receipt.without_customer:,} without a customer)" if receipt.without_customer else "")
        + (f", {receipt.erased:,} of erased customers left out" if receipt.erased else "")
        for receipt in receipts
    ]
    if any(receipt.quarantined for receipt in receipts) and any(receipt.new for receipt in receipts):
        lines.append("`kizuna doctor` says why rows were quarantined.")
    call.say({"sources": [vars(receipt) for receipt in receipts], "data_version": call.store.version}, *lines)


@kizuna.command()
@click.option("--until", metavar="DATE", help="Events at or after this day do not exist.")
@click.option(
    "--tune", metavar="TRIALS", type=click.IntRange(1), help="Try so many settings of the trees first."
)
@click.pass_obj
def train(call: CliContext, until: str | None, tune: int | None) -> None:
    """Learn from the past; the result becomes the champion if it passes the gates.

    A search with --tune that is stopped goes on where it was when it is started again.
    """
    from serving.presentation.training import reply, summary_lines
    from training.train import train as learn
    from training.tuning import Tuning

    tuning = None if tune is None else Tuning(tune, call.project.state / "tuning.db")
    with call.progress() as report:
        verdict = learn(
            call.store,
            call.plan(),
            call.tracking(),
            now=call.now,
            until=None if until is None else call.instant(until),
            tuning=tuning,
            progress=report,
        )
    call.say(reply(verdict), *summary_lines(verdict))


@kizuna.command()
@click.option(
    "--as-of", metavar="DATE", help="The day to answer for [the first midnight after the newest event]."
)
@click.pass_obj
def score(call: CliContext, as_of: str | None) -> None:
    """Score every customer with the champion."""
    from serving.scoring.batch import score as score_all
    from serving.state.active_model import adopt, no_champion
    from serving.state.database import ScoreFile
    from serving.state.score_file import save
    from training.labels.cohort import IN_COHORT

    project, now = call.project, call.now
    when = None if as_of is None else call.instant(as_of)
    with call.records() as records, call.progress() as report:
        report("loading the champion", 0.0)
        found = call.tracking().champion()
        if found is None:
            raise no_champion()
        champion = adopt(records, project.state, *found, now)
        newest = call.store.newest()
        when = project.timeline.as_of_after(newest or now, now) if when is None else when
        answers, facts = score_all(call.store, champion, when, now, report)
        file = save(project.scores, answers, facts)
        records.use_scores(ScoreFile(file, when, champion.version, facts.data_version, len(answers), now))
    inside = int((answers.status == IN_COHORT).sum())
    day = project.timeline.name(when)
    call.say(
        {
            "as_of": day,
            "model_version": champion.version,
            "data_version": facts.data_version,
            "customers": len(answers),
            "cohort": inside,
            "file": file,
        },
        f"Scored {inside:,} customers who can still leave as of {day} with model {champion.version} "
        f"({len(answers) - inside:,} others have a status). See `kizuna at-risk`.",
    )


@kizuna.command("at-risk")
@click.option("--limit", type=click.IntRange(min=1), help="How many customers [capacity.contacts].")
@click.option(
    "--order-by",
    type=click.Choice(["value_at_risk", "churn_probability"]),
    help="Who comes first [value_at_risk, where events carry amounts].",
)
@cuts
@click.option("--format", "shape", type=FORMATS, help="How to print it [table].")
@click.option("--output", type=OUTPUT, help="Write to this file instead; its ending chooses the format.")
@click.option("--language", type=LANGUAGES, help="The language of headers, tiers and reasons [language].")
@click.pass_obj
def at_risk(
    call: CliContext,
    limit: int | None,
    order_by: Order | None,
    cut: PlanFilter,
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
    from serving.actions.plan_lookup import columns
    from serving.lists.ranking import ListFilter
    from serving.lists.score_reader import ScoreReader
    from serving.presentation.lists import as_csv, as_json, show
    from serving.state.atomic_write import in_one_step

    settings = call.project.settings
    language = language or settings.language
    shape = list_format(shape, output, as_json=call.json)
    with call.records() as records:
        replies = ScoreReader.current(records, call.project, call.store)
    wanted = ListFilter(limit or settings.capacity.contacts, order_by=order_by, cut=cut)
    listed = replies.at_risk(wanted, language)
    if shape == "table":
        show(listed, language)
        return
    if shape == "csv":
        more = () if replies.plan is None else columns(language)
        text = as_csv(listed, language, more).encode("utf-8")
    else:
        text = as_json(listed).encode("utf-8")
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(text)
        call.say({"file": str(output), "customers": len(listed["customers"])}, f"Wrote {output}.")


@kizuna.command()
@click.argument("customer")
@click.option("--language", type=LANGUAGES, help="The language of tiers and reasons [language].")
@click.pass_obj
def explain(call: CliContext, customer: str, language: str | None) -> None:
    """One customer: score, reasons, and what changed since the scores before."""
    from serving.lists.score_reader import ScoreReader
    from serving.presentation.lists import show_explanation
    from serving.presentation.plan import show_plan

    language = language or call.project.settings.language
    with call.records() as records:
        answer = ScoreReader.current(records, call.project, call.store).explain(
            customer, language, call.store
        )
    if call.json:
        call.say(answer)
    else:
        show_explanation(answer, language)
        show_plan(answer["customer"], language)


for command in (
    doctor,
    features,
    backtest,
    serve,
    erase,
    audit,
    export,
    notify,
    package,
    readmit,
    keys,
    models,
    plan,
    playbook,
    report,
    simulate,
):
    kizuna.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command; a user's error is a sentence on standard error and its exit code.

    With --json the same error is also one JSON object on standard output. Anything else is a bug and
    keeps its traceback.
    """
    call = CliContext()
    try:
        code = kizuna.main(arguments, prog_name="kizuna", standalone_mode=False, obj=call)
    except KizunaError as error:
        _refuse(call, error.code, error.message, error.field)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        if call.json:
            _print_error(UsageError.code, error.format_message(), None)
        code = error.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(call: CliContext, code: str, message: str, field: str | None) -> None:
    click.echo(message, err=True)
    if call.json:
        _print_error(code, message, field)


def _print_error(code: str, message: str, field: str | None) -> None:
    click.echo(json.dumps({"error": {"code": code, "message": message, "field": field}}, ensure_ascii=False))

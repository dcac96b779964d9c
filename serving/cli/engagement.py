"""The commands `kizuna report`, `kizuna plan` and `kizuna playbook`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.cli.context import CLUSTER, FORMATS, LANGUAGES, OUTPUT, CliContext, list_format
from serving.cli.filter_options import FilteredCommand

if TYPE_CHECKING:
    from serving.lists.filters import ListFilter


@click.command()
@click.option(
    "--months", type=click.Choice(["3", "6", "12"]), default="3", show_default=True, help="Whole months."
)
@click.option("--output", type=OUTPUT, help="Write to this file: .html, .csv or .json by its ending.")
@click.option("--language", type=LANGUAGES, help="The language of names and formulas [language].")
@CLUSTER
@click.pass_obj
def report(
    call: CliContext, months: str, output: Path | None, language: str | None, cluster: str | None
) -> None:
    """How customers are engaged: every measure with its interval, against before and last year.

    \b
    Examples:
      kizuna report --months 12 --output report.html
      kizuna report --months 3 --output report.csv --language ja
      kizuna --json report
    """
    from serving.application.lists.report import refresh_report
    from serving.presentation.report import show
    from serving.reports.rendering.formats import rendered
    from serving.reports.report import reply
    from serving.state.atomic_write import in_one_step

    language = language or call.project.settings.language
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        data = refresh_report(workspace, call.actor, int(months), progress)
    answer = reply(data, language)
    if output is not None:
        content = rendered(answer, output, language)
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(content)
        call.answer({"file": str(output), "period": answer.period}, f"Wrote {output}.")
    elif call.json:
        call.answer(answer)
    else:
        call.heading(language)
        show(answer, language)


@click.command(cls=FilteredCommand)
@click.option("--limit", type=click.IntRange(min=1), help="How many customers [capacity.contacts].")
@click.option(
    "--playbook",
    type=click.Path(path_type=Path),
    help="Whose rules [playbook.toml, else the default].",
)
@click.option("--format", "shape", type=FORMATS, help="How to print it [table].")
@click.option("--output", type=OUTPUT, help="Write to this file instead; its ending chooses the format.")
@click.option("--language", type=LANGUAGES, help="The language of actions and hooks [language].")
@CLUSTER
@click.pass_obj
def plan(
    call: CliContext,
    limit: int | None,
    playbook: Path | None,
    choice: ListFilter,
    shape: str | None,
    output: Path | None,
    language: str | None,
    cluster: str | None,
) -> None:
    """What to do for whom: the list with actions by the playbook, and what to take up with each.

    \b
    Examples:
      kizuna plan --limit 20 --language ja
      kizuna plan --touch high --outcome planned --format csv --output calls.csv
    """
    from serving.application.lists.make_plan import make_plan
    from serving.lists.ranking import planned_rows_first
    from serving.presentation.csv import plan_csv
    from serving.presentation.plan import consent_lines, plan_heading, plan_reply, show
    from serving.schemas.json_text import to_json
    from serving.state.atomic_write import in_one_step

    language = language or call.project.settings.language
    shape = list_format(shape, output, as_json=call.json)
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        made = make_plan(
            workspace, call.actor, playbook=playbook, choice=choice, limit=limit, progress=progress
        )
    # People work through a list from the top; a program reads the order of the list itself.
    rows = made.rows if shape == "json" else planned_rows_first(made.plan, made.rows)
    answer = plan_reply(made.plan, made.scores, rows, made.limit, language, made.contacts)
    if shape == "table":
        call.heading(language)
        show(answer, language)
        return
    for line in consent_lines(answer, language):
        click.echo(line, err=True)
    written = "".join(plan_csv(answer, language)) if shape == "csv" else to_json(answer, **call.marks) + "\n"
    text = written.encode("utf-8")
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(text)
        call.answer(
            {"file": str(output), "customers": len(answer.customers)},
            f"Wrote the first {len(answer.customers):,} of {answer.matching:,} customers to {output}.",
            "  ·  ".join(plan_heading(answer, language)),
        )


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--for",
    "kind",
    type=click.Choice(["shop", "contract"]),
    help="Whose playbook [by the project's churn type].",
)
@click.pass_obj
def playbook(call: CliContext, file: Path | None, kind: str | None) -> None:
    """Write the default playbook to FILE [playbook.toml in the project folder], to edit it.

    There is one for services with a contract, and one for shops, whose customers buy again or do not.
    """
    from serving.actions.playbook import default_kind
    from serving.application.operation.write_playbook import write_playbook
    from serving.project.language import FILE as SETTINGS

    place = call.new_project(call.project.folder if file is None else None)
    if kind is None:
        has_project = file is None or (call.folder / SETTINGS).is_file()
        kind = default_kind(call.project.churn.type, amounts=True) if has_project else "contract"
    written = write_playbook(place, call.actor, file, kind=kind)
    call.say({"file": str(written.file)}, f"Wrote {written.file}. Edit it, then run `kizuna plan`.")

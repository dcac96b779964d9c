"""The commands `kizuna report`, `kizuna plan` and `kizuna playbook`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from features.errors import UsageError
from serving.cli.context import FORMATS, LANGUAGES, OUTPUT, CliContext, list_format
from serving.schemas.terms import HOOKS, OUTCOMES, STAGES

if TYPE_CHECKING:
    from serving.actions.plan_file import PlanFilter

CUTS = {
    "stages": click.option(
        "--stage", "stages", multiple=True, type=click.Choice(STAGES), help="Only this nurture stage."
    ),
    "touch_models": click.option("--touch", "touch_models", multiple=True, help="Only this touch model."),
    "actions": click.option("--action", "actions", multiple=True, help="Only this action."),
    "channels": click.option("--channel", "channels", multiple=True, help="Only actions over this channel."),
    "outcomes": click.option(
        "--outcome",
        "outcomes",
        multiple=True,
        type=click.Choice(OUTCOMES),
        help="Only those planned, or left out for this reason.",
    ),
    "hooks": click.option(
        "--hook", "hooks", multiple=True, type=click.Choice(HOOKS), help="Only with this to take up."
    ),
}


def cuts(command: Callable[..., None]) -> Callable[..., None]:
    """The options that cut a list by its plan; each may be given several times."""

    @functools.wraps(command)
    def cut(*arguments: Any, **options: Any) -> None:
        from serving.actions.plan_file import PlanFilter

        asked = PlanFilter(**{name: options.pop(name) for name in CUTS})
        command(*arguments, cut=asked, **options)

    for option in reversed(CUTS.values()):
        cut = option(cut)
    return cut


@click.command()
@click.option(
    "--months", type=click.Choice(["3", "6", "12"]), default="3", show_default=True, help="Whole months."
)
@click.option("--output", type=OUTPUT, help="Write to this file: .html, .csv or .json by its ending.")
@click.option("--language", type=LANGUAGES, help="The language of names and formulas [language].")
@click.pass_obj
def report(call: CliContext, months: str, output: Path | None, language: str | None) -> None:
    """How customers are engaged: every measure with its interval, against before and last year.

    \b
    Examples:
      kizuna report --months 12 --output report.html
      kizuna report --months 3 --output report.csv --language ja
      kizuna --json report
    """
    from serving.reports.asking import report_inputs
    from serving.reports.compute import compute_report
    from serving.reports.formats import rendered, show
    from serving.reports.report import reply
    from serving.state.atomic_write import in_one_step

    language = language or call.project.settings.language
    with call.records() as records, call.progress() as progress:
        survey = compute_report(
            call.store, report_inputs(call.project, call.store, records, int(months), call.now), progress
        )
    answer = reply(survey, language)
    if output is not None:
        content = rendered(answer, output, language)
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(content)
        call.say({"file": str(output), "period": answer["period"]}, f"Wrote {output}.")
    elif call.json:
        call.say(answer)
    else:
        show(answer, language)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help="How many customers [capacity.contacts].")
@click.option(
    "--playbook", type=click.Path(path_type=Path), help="[the project's playbook.toml, else the default]."
)
@cuts
@click.option("--format", "shape", type=FORMATS, help="How to print it [table].")
@click.option("--output", type=OUTPUT, help="Write to this file instead; its ending chooses the format.")
@click.option("--language", type=LANGUAGES, help="The language of actions and hooks [language].")
@click.pass_obj
def plan(
    call: CliContext,
    limit: int | None,
    playbook: Path | None,
    cut: PlanFilter,
    shape: str | None,
    output: Path | None,
    language: str | None,
) -> None:
    """What to do for whom: the list with actions by the playbook, and what to take up with each.

    \b
    Examples:
      kizuna plan --limit 20 --language ja
      kizuna plan --touch high --outcome planned --format csv --output calls.csv
    """
    from serving.actions.plan_file import rows_matching
    from serving.application.lists.make_plan import chosen_playbook, make_plan
    from serving.lists.score_reader import ScoreReader
    from serving.presentation.plan import as_csv, as_json, reply, show
    from serving.state.atomic_write import in_one_step

    project, settings = call.project, call.project.settings
    language = language or settings.language
    shape = list_format(shape, output, as_json=call.json)
    written = chosen_playbook(project, playbook)
    with call.records() as records, call.progress() as progress:
        kept = make_plan(project, call.store, records, written, progress)
        replies = ScoreReader.current(records, project, call.store)
    answer = reply(kept, replies, rows_matching(kept, cut), limit or settings.capacity.contacts, language)
    if shape == "table":
        show(answer, language)
        return
    text = (as_csv(answer, language) if shape == "csv" else as_json(answer)).encode("utf-8")
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(text)
        call.say({"file": str(output), "customers": len(answer["customers"])}, f"Wrote {output}.")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def playbook(call: CliContext, file: Path | None) -> None:
    """Write the default playbook to FILE [playbook.toml in the project folder], to edit it."""
    from serving.actions.playbook import FILE, default_text

    target = file or call.project.folder / FILE
    try:
        with target.open("x", encoding="utf-8") as unwritten:
            unwritten.write(default_text())
    except FileExistsError:
        raise UsageError(
            f"cannot write {target}: it is there already. Edit it, or name another file."
        ) from None
    except FileNotFoundError:
        raise UsageError(
            f"cannot write {target}: there is no folder {target.parent}. Make it first."
        ) from None
    call.say({"file": str(target)}, f"Wrote {target}. Edit it, then run `kizuna plan`.")

"""The commands `kizuna run`, which does what is due by the schedule, and `kizuna runs`, which lists runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from features.errors import KizunaError, UsageError
from serving.cli.context import CliContext

if TYPE_CHECKING:
    from serving.application.workspace import Workspace
    from serving.state.run_index import RunRecord

FAILED, HELD = 6, 8
"""Exit codes: a step failed; nothing failed, but a source or the scoring was held back."""
LONGEST_WAIT = 10.0
"""Seconds between two looks at the clock with `--forever`: a simulated one moves as it likes."""


@click.command()
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option("--due", is_flag=True, help="Do what is due and say nothing if that is nothing: for cron.")
@click.option("--forever", is_flag=True, help="Wait, and do each step when it is due.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.pass_obj
def run(call: CliContext, steps: Sequence[str], due: bool, forever: bool, dry_run: bool) -> int:
    """Do what is due by [schedule]: ingest, checks, score, plan, notify, campaigns, retrain, report.

    A run that was broken off goes on with the steps it lacks, for the day that it began with. A step that
    fails stops those that need it and nothing else, and is tried again by the next run of the day.

    The exit code is 0 when everything is done, 6 when a step failed, 8 when a source or the scoring was held
    back, 7 when another run is under way.

    \b
    Examples:
      kizuna run
      kizuna run --dry-run
      kizuna run ingest score
      kizuna run --due
    """
    if sum((bool(steps), due, forever, dry_run)) > 1:
        raise UsageError(
            "cannot run with several of --due, --forever, --dry-run and named steps: each is a way of its "
            "own. Give one of them."
        )
    if dry_run:
        _show_plan(call)
        return 0
    if forever:
        _run_forever(call)  # ends with the process
    with call.workspace() as workspace:
        return _run(call, workspace, steps, is_quiet=due)


@click.command()
@click.argument("number", type=int, required=False, metavar="[RUN]")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="How many.")
@click.pass_obj
def runs(call: CliContext, number: int | None, limit: int) -> None:
    """What `kizuna run` did: the newest runs, or RUN with each of its steps."""
    from serving.jobs.run_list import one_run, recent_runs
    from serving.presentation.runs import list_lines, reply, run_lines

    timeline, language = call.project.timeline, call.project.settings.language
    with call.workspace() as workspace:
        if number is not None:
            found = one_run(workspace, call.actor, number)
            call.answer(reply(found, timeline), *run_lines(found, timeline, language))
            return
        newest = recent_runs(workspace, call.actor, limit)
    call.answer({"runs": [reply(one, timeline) for one in newest]}, *list_lines(newest, timeline, language))


def _run(call: CliContext, workspace: Workspace, steps: Sequence[str], *, is_quiet: bool) -> int:
    """One run, as it is answered; its exit code."""
    from serving.jobs.conductor import run_due
    from serving.jobs.due_steps import due_steps
    from serving.presentation.runs import next_line, reply, run_lines

    project = call.project
    timeline, language = project.timeline, project.settings.language
    most = project.settings.schedule.attempts if is_quiet else None
    with call.progress() as progress:
        done = run_due(workspace, call.actor, steps, most_attempts=most, progress=progress)
    if not done and not is_quiet:
        ahead = due_steps(workspace).next
        call.answer({"runs": []}, next_line(ahead, timeline, language))
    elif done or call.json:
        lines = [line for one in done for line in run_lines(one, timeline, language)]
        call.answer({"runs": [reply(one, timeline) for one in done]}, *lines)
    return exit_code(done)


def exit_code(runs: Sequence[RunRecord]) -> int:
    """The exit code of these runs: that of the worst."""
    states = {one.state for one in runs}
    return FAILED if "failed" in states else HELD if "held" in states else 0


def _show_plan(call: CliContext) -> None:
    from serving.jobs.due_steps import due_steps
    from serving.presentation.runs import plan_lines

    timeline, language = call.project.timeline, call.project.settings.language
    with call.workspace() as workspace:
        found = due_steps(workspace)
    moment = {name: call.day(instant) for name, instant in found.next.items()}
    call.answer(
        {
            "resumed": None if found.resumed is None else found.resumed.id,
            "due": {name: call.day(instant) for name, instant in found.scheduled.items()},
            "next": moment,
        },
        *plan_lines(found.resumed, found.scheduled, found.next, timeline, language),
    )


def _run_forever(call: CliContext) -> None:
    """Run what is due again and again, by what kizuna.toml says each time; what goes wrong is said once."""
    last = ""
    while True:
        again = CliContext(call.folder, call.json)
        try:
            with again.workspace() as workspace:
                _run(again, workspace, (), is_quiet=True)
            last = ""
        except KizunaError as error:
            message = call.translated(error.message)
            if message != last:
                click.echo(message, err=True)
            last = message
        sys.stdout.flush()
        time.sleep(LONGEST_WAIT)

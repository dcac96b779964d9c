"""The command that learns from campaigns whom contact helps."""

from __future__ import annotations

from collections.abc import Sequence

import click

from features.errors import UsageError
from serving.cli.context import LANGUAGES, CliContext


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--outcome", default="retained", metavar="OUTCOME", help="What contact should change [retained]."
)
@click.option(
    "--months",
    type=click.IntRange(min=1),
    metavar="N",
    help="The review date [the last that all campaigns reached].",
)
@click.option(
    "--stop-using", is_flag=True, help="Take the uplift model out of use instead; nothing is learned."
)
@click.option("--language", type=LANGUAGES, help="The language of the table [language].")
@click.pass_obj
def learn(
    call: CliContext,
    names: Sequence[str],
    outcome: str,
    months: int | None,
    stop_using: bool,
    language: str | None,
) -> None:
    """Learn from started campaigns whom contact helps, and whether that is known well enough.

    Without a name, from all that have reached a review date. Figures, curves and the model are logged in
    MLflow. With evidence the model comes into use: after the next `kizuna score` the list has the columns,
    filters and orders `uplift` and `incremental_value`.

    \b
    Examples:
      kizuna campaign learn spring --outcome retained --months 3
      kizuna campaign learn --stop-using
    """
    from serving.application.campaigns.learn import learn_uplift, stop_using_uplift
    from serving.presentation.campaign_report.uplift import learn_reply, show_learned

    language = language or call.project.settings.language
    if stop_using:
        if names or months is not None:
            raise UsageError(
                "`--stop-using` learns nothing: leave out the names of campaigns and --months.",
                field="stop_using",
            )
        with call.workspace() as workspace:
            record = stop_using_uplift(workspace, call.actor)
        call.answer(
            {"stopped": record.fingerprint, "outcome": record.facts.outcome},
            "Took the uplift model out of use. Scores from the next `kizuna score` on have no uplift.",
        )
        return
    with call.workspace() as workspace, call.progress() as progress:
        learned = learn_uplift(
            workspace, call.actor, names, outcome=outcome, months=months, progress=progress
        )
    if call.json:
        call.answer(learn_reply(learned))
    else:
        call.heading(language)
        show_learned(learned, language)

"""Commands of whoever studies the data and what is learned from it: doctor, features, backtest."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.context import LANGUAGES, OUTPUT, CliContext, parquet


@click.command()
@click.option("--until", metavar="DATE", help="Events at or after this day do not exist.")
@click.option("--language", type=LANGUAGES, help="The language of the findings [language].")
@click.pass_obj
def doctor(call: CliContext, until: str | None, language: str | None) -> None:
    """Is there enough data, is it sound, and what should churn mean on it?"""
    from features.profiling.checks import run_checks
    from features.profiling.profile import profile_events
    from serving.application.lists.make_plan import chosen_playbook
    from serving.presentation.doctor import reply, show
    from training.diagnosis.candidates import diagnose
    from training.diagnosis.recommendation import recommend

    project, timeline = call.project, call.project.timeline
    language = language or project.settings.language
    end = None if until is None else call.instant(until)
    with call.progress() as report:
        inventory = profile_events(
            call.store,
            project.indicators,
            timeline,
            until=end,
            consent=chosen_playbook(project, None).playbook.do_not_contact,
            progress=report,
        )
        diagnosis = diagnose(
            call.store,
            inventory,
            project.indicators,
            project.settings.churn,
            timeline,
            until=end,
            progress=report,
        )
    advice = recommend(diagnosis, inventory)
    answer = reply(inventory, run_checks(inventory, timeline), diagnosis, advice, timeline, language)
    if call.json:
        call.say(answer)
    else:
        show(answer, language)


@click.command()
@click.option("--as-of", required=True, metavar="DATE", help="The day for which the features are computed.")
@click.option("--output", required=True, type=OUTPUT, help="The Parquet file to write.")
@click.pass_obj
def features(call: CliContext, as_of: str, output: Path) -> None:
    """Write one row of features for every customer of the cohort.

    \b
    Example:
      kizuna features --as-of 2017-10-01 --output features.parquet
    """
    from serving.application.data.feature_export import cohort_features, write_parquet

    project, output = call.project, parquet(output)
    with call.progress() as report:
        table = cohort_features(
            call.store,
            project.indicators,
            project.settings.features,
            project.churn,
            project.timeline,
            call.instant(as_of),
            report,
        )
    write_parquet(table, output)
    call.say(
        {"file": str(output), "customers": table.num_rows, "columns": table.column_names},
        f"Wrote {table.num_rows:,} customers × {table.num_columns - 1:,} features to {output}.",
    )


@click.command()
@click.option("--as-of", required=True, metavar="DATE", help="The day on which it would have been said.")
@click.option("--output", required=True, type=OUTPUT, help="The Parquet file to write.")
@click.pass_obj
def backtest(call: CliContext, as_of: str, output: Path) -> None:
    """What would have been said on that day, by a model that knew only what was known then.

    \b
    Example:
      kizuna backtest --as-of 2017-10-01 --output backtest.parquet
    """
    from serving.application.data.feature_export import write_parquet
    from training.backtest import backtest as look_back

    output = parquet(output)
    with call.progress() as report:
        table = look_back(call.store, call.plan(), call.instant(as_of), report)
    write_parquet(table, output)
    call.say(
        {"file": str(output), "customers": table.num_rows},
        f"Wrote what would have been said of {table.num_rows:,} customers on {as_of} to {output}.",
    )

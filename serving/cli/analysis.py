"""Commands of whoever studies the data and what is learned from it: doctor, features, backtest, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.cli.context import LANGUAGES, OUTPUT, CliContext, parquet

if TYPE_CHECKING:
    import pyarrow as pa


@click.command()
@click.option("--until", metavar="DATE", help="Events at or after this day do not exist.")
@click.option("--language", type=LANGUAGES, help="The language of the findings [language].")
@click.pass_obj
def doctor(call: CliContext, until: str | None, language: str | None) -> None:
    """Is there enough data, is it sound, and what should churn mean on it?"""
    from serving.application.data.doctor import doctor as examine
    from serving.presentation.doctor import show
    from serving.presentation.doctor_reply import reply

    language = language or call.project.settings.language
    with call.workspace() as workspace, call.progress() as progress:
        found = examine(workspace, call.actor, until=until, progress=progress)
    answer = reply(
        found.profile,
        found.findings,
        found.diagnosis,
        found.recommendation,
        call.project.timeline,
        language,
    )
    if call.json:
        call.answer(answer)
    else:
        call.heading(language)
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
    from serving.application.data.feature_export import export_features

    output = parquet(output)
    with call.workspace() as workspace, call.progress() as progress:
        table = export_features(workspace, call.actor, as_of, progress).table
    _write(table, output)
    call.answer(
        {"file": str(output), "customers": table.num_rows, "columns": table.column_names},
        f"Wrote {table.num_rows:,} customers × {table.num_columns - 1:,} features to {output}.",
    )


@click.command()
@click.option("--as-of", required=True, metavar="DATE", help="The day on which it would have been said.")
@click.option("--output", required=True, type=OUTPUT, help="The Parquet file to write.")
@click.pass_obj
def backtest(call: CliContext, as_of: str, output: Path) -> None:
    """What would have been said on that day, by a model that knew only what was known then.

    Where the events cover the horizon of the day, the file has `churned`, and the scores are judged by it.

    \b
    Example:
      kizuna backtest --as-of 2017-10-01 --output backtest.parquet
    """
    from serving.application.models.backtest import backtest as look_back
    from serving.presentation.models.backtest import judgement_lines

    output = parquet(output)
    with call.workspace() as workspace, call.progress() as progress:
        answer = look_back(workspace, call.actor, as_of, progress)
    found = answer.judged
    _write(found.table, output)
    call.answer(
        {
            "file": str(output),
            "customers": found.table.num_rows,
            "decided": answer.decided,
            "covered_until": answer.covered_until,
            "churners": found.churners,
            "mean_probability": found.mean_probability,
            "metrics": {one.name: [one.value, one.low, one.high] for one in found.metrics},
            "calibration_noise": found.calibration_noise,
        },
        f"Wrote what would have been said of {found.table.num_rows:,} customers on {as_of} to {output}.",
        *judgement_lines(found, answer.decided, answer.covered_until, call.project.settings.language),
    )


@click.command()
@click.argument("first")
@click.argument("second")
@click.pass_obj
def compare(call: CliContext, first: str, second: str) -> None:
    """Is the model of run SECOND better than that of FIRST? Versions, or MLflow's run ids.

    Both are judged on the same customers: as delivered on dates after both, or with their settings refitted
    on the same dates. MLflow keeps the differences as a run of its own.

    \b
    Example:
      kizuna compare 3 4
    """
    from serving.application.models.compare import compare_runs
    from serving.presentation.models.comparison import comparison_lines

    with call.workspace() as workspace:
        found = compare_runs(workspace, call.actor, first, second)
    call.answer(found, *comparison_lines(found, first, second, call.project.settings.language))


def _write(table: pa.Table, file: Path) -> None:
    """Write a table as Parquet in one step: what was there stays until the new file is whole."""
    import pyarrow.parquet as pq

    from serving.state.atomic_write import in_one_step

    with in_one_step(file) as unfinished:
        pq.write_table(table, unfinished)

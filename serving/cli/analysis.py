"""Commands of whoever studies the data and what is learned: doctor, features, backtest, compare, monitor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import UsageError
from serving.cli.context import CLUSTER, LANGUAGES, OUTPUT, CliContext, output_folder, parquet

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
@click.option(
    "--output",
    required=True,
    metavar="PATH",
    help="The Parquet file to write (.parquet), or a folder for a file of each bucket of customers.",
)
@CLUSTER
@click.pass_obj
def features(call: CliContext, as_of: str, output: str, cluster: str | None) -> None:
    """Write one row of features for every customer of the cohort.

    A folder (a name without .parquet) gets part-00000.parquet and so on, ordered by customer id within each
    file. It appears when all are there, in the place of an earlier one. On a cluster the workers write them.

    \b
    Examples:
      kizuna features --as-of 2017-10-01 --output features.parquet
      kizuna features --as-of 2017-10-01 --output features/ --cluster local:2
    """
    from serving.application.data.feature_export import export_feature_parts, export_features

    folder = output_folder(output)
    if folder is not None:
        with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
            parts = export_feature_parts(workspace, call.actor, as_of, folder, progress)
        call.answer(
            {
                "folder": str(folder),
                "files": parts.files,
                "customers": parts.customers,
                "columns": parts.columns,
            },
            f"Wrote {parts.customers:,} customers × {len(parts.columns) - 1:,} features to {folder}, as "
            f"{len(parts.files):,} files.",
        )
        return
    file = parquet(Path(output))
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        table = export_features(workspace, call.actor, as_of, progress).table
    _write(table, file)
    call.answer(
        {"file": str(file), "customers": table.num_rows, "columns": table.column_names},
        f"Wrote {table.num_rows:,} customers × {table.num_columns - 1:,} features to {file}.",
    )


@click.command()
@click.option("--as-of", required=True, metavar="DATE", help="The day on which it would have been said.")
@click.option("--output", required=True, type=OUTPUT, help="The Parquet file to write.")
@click.pass_obj
def backtest(call: CliContext, as_of: str, output: Path) -> None:
    """What would have been said on that day, by a model that knew only what was known then.

    Where the events cover the horizon of the day, the file has `churned`, and the scores are judged by it; so
    it is with lifetime value and `spent_12_months`.

    \b
    Example:
      kizuna backtest --as-of 2017-10-01 --output backtest.parquet
    """
    from serving.application.models.backtest import backtest as look_back
    from serving.presentation.models.backtest import judgement_lines, lifetime_lines

    output = parquet(output)
    with call.workspace() as workspace, call.progress() as progress:
        answer = look_back(workspace, call.actor, as_of, progress)
    found, language = answer.judged, call.project.settings.language
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
            "lifetime": [
                {**vars(one), "decided": day}
                for one, day in zip(found.lifetime, answer.lifetime_decided, strict=True)
            ],
        },
        f"Wrote what would have been said of {found.table.num_rows:,} customers on {as_of} to {output}.",
        *judgement_lines(found, answer.decided, answer.covered_until, language),
        *lifetime_lines(
            found.lifetime, answer.lifetime_decided, call.project.words.currency or None, language
        ),
    )


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--until", metavar="DATE", help="Of two files: events at or after this day do not exist.")
@click.pass_obj
def compare(call: CliContext, first: str, second: str, until: str | None) -> None:
    """Is SECOND better than FIRST? Two configuration files, or two models by version or MLflow's run id.

    Two files are both trained on the same past and judged on the same later dates; nothing is registered. A
    file beside a kizuna.toml belongs to the project of its folder, another one to this project. Two models
    are judged as delivered on dates after both, or with their settings refitted on the same dates. MLflow
    keeps the differences as a run of its own.

    \b
    Examples:
      kizuna compare kizuna.toml with-my-feature.toml
      kizuna compare 3 4
    """
    from features.catalog.display_names import in_language
    from serving.application.models.compare import compare_runs
    from serving.application.models.compare_files import compare_files
    from serving.presentation.models.comparison import comparison_lines, files_lines, verdict_line

    language = call.project.settings.language
    files = _configuration(call, first), _configuration(call, second)
    if files[0] is not None and files[1] is not None:
        with call.workspace() as workspace, call.progress() as progress:
            answer = compare_files(workspace, call.actor, files[0], files[1], until=until, progress=progress)
        found = answer.found
        reply = asdict(found.differences) | {
            "evidence": found.evidence,
            "changed": answer.changed,
            "only_first": found.only_first,
            "only_second": found.only_second,
            "run_id": answer.run_id,
        }
        call.answer(reply, *files_lines(found, answer.changed, *answer.names, language))
        return
    if files != (None, None):
        raise UsageError(
            f"cannot compare {first} with {second}: one is a configuration file, the other a registered "
            "model. Give two files, or two versions."
        )
    if until is not None:
        raise UsageError(
            f"cannot compare {first} with {second} until {until}: registered models have learned already. "
            "Leave --until out, or give two configuration files.",
            field="until",
        )
    with call.workspace() as workspace:
        found_runs = compare_runs(workspace, call.actor, first, second)
    one, other = (in_language(language, f"model {given}", f"モデル{given}") for given in (first, second))
    call.answer(
        found_runs,
        verdict_line(found_runs, one, other, language),
        *comparison_lines(found_runs, one, other, language),
    )


@click.command()
@click.option("--output", type=OUTPUT, help="Write the whole result to this .json file.")
@click.option("--language", type=LANGUAGES, help="The language of the lines [language].")
@CLUSTER
@click.pass_obj
def monitor(call: CliContext, output: Path | None, language: str | None, cluster: str | None) -> None:
    """How right were earlier scores? Each score file whose horizon has passed, beside what happened.

    The result is kept in the state, for the console and the API.

    \b
    Examples:
      kizuna monitor
      kizuna monitor --output monitor.json
    """
    from serving.application.operation.monitor import monitor as compare_scores
    from serving.presentation.models.monitor import monitor_lines
    from serving.schemas.json_text import to_json
    from serving.state.atomic_write import in_one_step

    if output is not None and output.suffix.lower() != ".json":
        raise UsageError(
            f"cannot write {output}: the result of monitoring is written as JSON, which that name does not "
            "say. Give a name that ends in .json."
        )
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        found = compare_scores(workspace, call.actor, progress)
    if output is not None:
        with in_one_step(output) as unfinished:
            unfinished.write_text(to_json(found, **call.marks) + "\n", encoding="utf-8")
    currency = call.project.words.currency or None
    call.answer(found, *monitor_lines(found, currency, language or call.project.settings.language))


def _configuration(call: CliContext, given: str) -> Path | None:
    """The configuration file that is meant, in the project folder or from here; None for a version or run."""
    for folder in (call.folder, Path()):
        file = folder / given
        if file.is_file() or (file / "kizuna.toml").is_file():
            return file if file.is_file() else file / "kizuna.toml"
    if given.endswith(".toml") or "/" in given:
        raise UsageError(
            f"cannot compare {given}: there is no such file in {call.folder.resolve()}. Give the path of a "
            "configuration file, such as kizuna.toml."
        )
    return None


def _write(table: pa.Table, file: Path) -> None:
    """Write a table as Parquet in one step: what was there stays until the new file is whole."""
    import pyarrow.parquet as pq

    from serving.state.atomic_write import in_one_step

    with in_one_step(file) as unfinished:
        pq.write_table(table, unfinished)

"""How right probabilities are on histories: `python -m benchmarks.quality --data ../shared/data --json`.

Each history becomes a project of its own (a `kizuna.toml` in a scratch folder), is ingested, and is looked
back upon by the code behind `kizuna backtest`; then the future that the data holds judges what was said.
Nothing differs between the projects but their sources and `[churn]`.

`--project FOLDER --as-of DATE …` does the same with a project of one's own. Its sources are read into a
scratch folder; the project's folder is not written to. `--predictions FOLDER` keeps what was said of each
customer, and `python -m benchmarks.paired BEFORE AFTER` compares two such folders.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.backtests import Answer, answer, ingested, made
from benchmarks.histories import HISTORIES, WITH_ITEMS
from benchmarks.machine import machine
from features.errors import KizunaError
from features.event_store import EventStore
from serving.project.settings import Project
from training.evaluation.metrics import METRICS, HeldOutOutcomes, churn_metrics

HEADLINES = ("auc", "average_precision", "log_loss", "brier", "expected_calibration_error")


@dataclass(frozen=True)
class HistoryFigures:
    """The figures of one history; metrics with an interval are `[figure, low, high]`, customers resampled."""

    dates: Sequence[str]
    rows: int
    customers: int
    base_rate: float
    model: Mapping[str, list[float]]
    expected_calibration_error_noise: float
    before_calibration: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, list[float]]]
    differences: Mapping[str, Mapping[str, list[float]]]
    """The model's metric less that of each baseline."""
    by_date: Mapping[str, Mapping[str, Any]]
    mean: Mapping[str, float]
    """Of the dates."""
    seconds: Mapping[str, Any]


@dataclass(frozen=True)
class QualityFigures:
    """The figures of several histories, as they are printed."""

    sets: Mapping[str, HistoryFigures]
    tuned: int
    machine: str


def quality(
    names: Sequence[str], data: Path, scratch: Path, tune: int | None = None, keep: Path | None = None
) -> QualityFigures:
    """The figures of each history, over all its dates together; `tune` is a number of trials."""
    sets = {}
    for name in names:
        past = {**HISTORIES, **WITH_ITEMS}[name]
        project, store, seconds = made(past, data, scratch / name)
        kept = None if keep is None else keep / name
        sets[name] = figures(project, store, past.dates, seconds, tune, kept)
    return QualityFigures(sets, tune or 0, machine())


def figures(
    project: Project,
    store: EventStore,
    dates: Sequence[str],
    ingest_seconds: float,
    tune: int | None = None,
    keep: Path | None = None,
) -> HistoryFigures:
    """One history: every metric with its interval, for the model and each baseline.

    `keep` is a folder for the probabilities of each date.
    """
    answers = []
    for date in dates:
        answers.append(answer(project, store, date, tune))
        if keep is not None:
            answers[-1].write(keep / f"{date}.parquet", store)
        print(f"{date}: {answers[-1].seconds:.1f} s", file=sys.stderr, flush=True)
    by_date = {
        date: dict(one.facts) | _metrics(one, project.settings.capacity.contacts)
        for date, one in zip(dates, answers, strict=True)
    }
    churned = np.concatenate([one.rows.churned for one in answers])
    keys = np.concatenate([one.rows.keys for one in answers])
    outcomes = HeldOutOutcomes(
        churned,
        np.unique(keys, return_inverse=True)[1].astype(np.int64),
        np.concatenate([one.rows.as_of for one in answers]),
        project.settings.capacity.contacts,
    )
    shared = set.intersection(*(set(one.rivals) for one in answers))
    rivals = {
        name: np.concatenate([one.rivals[name] for one in answers])
        for name in answers[0].rivals
        if name in shared
    }
    found = churn_metrics(np.concatenate([one.probability for one in answers]), rivals, outcomes)
    raw = churn_metrics(
        np.concatenate([one.before_calibration for one in answers]), {}, outcomes, resamples=1
    )
    return HistoryFigures(
        dates=list(dates),
        rows=len(churned),
        customers=len(np.unique(keys)),
        base_rate=float(churned.mean()),
        model=dict(_with_intervals(found, "")),
        expected_calibration_error_noise=found["expected_calibration_error_noise"],
        before_calibration={metric: raw[metric] for metric in HEADLINES},
        baselines={name: dict(_with_intervals(found, f"baseline/{name}/")) for name in rivals},
        differences={
            name: {
                metric: [found[f"difference/{name}/{metric}{end}"] for end in ("", "_low", "_high")]
                for metric in ("auc", "log_loss")
            }
            for name in rivals
        },
        by_date=by_date,
        mean={metric: float(np.mean([one[metric] for one in by_date.values()])) for metric in METRICS},
        seconds={"ingest": ingest_seconds, "backtest": [round(one.seconds, 1) for one in answers]},
    )


def _metrics(one: Answer, contacts: int) -> dict[str, float]:
    """The metrics of one date."""
    rows = one.rows
    outcomes = HeldOutOutcomes(rows.churned, np.arange(len(rows)), rows.as_of, contacts)
    found = churn_metrics(one.probability, {}, outcomes, resamples=1)
    return {metric: found[metric] for metric in METRICS}


def _with_intervals(found: Mapping[str, float], prefix: str) -> Iterator[tuple[str, list[float]]]:
    for metric in HEADLINES:
        yield metric, [found[f"{prefix}{metric}{end}"] for end in ("", "_low", "_high")]


def table(found: QualityFigures) -> Iterator[str]:
    """The same figures as lines."""
    for name, one in found.sets.items():
        yield (
            f"{name}: {one.rows:,} rows of {one.customers:,} customers on {', '.join(one.dates)}; "
            f"{one.base_rate:.1%} left; {one.seconds}"
        )
        yield f"  {'':22}" + "".join(f"{metric[:24]:>26}" for metric in HEADLINES)
        for who, metrics in {"this model": one.model, **one.baselines}.items():
            cells = (f"{p:.4f} [{low:.3f}, {high:.3f}]" for p, low, high in metrics.values())
            yield f"  {who:22}" + "".join(f"{cell:>26}" for cell in cells)
        cells = (f"{one.before_calibration[metric]:.4f}" for metric in HEADLINES)
        yield f"  {'before calibration':22}" + "".join(f"{cell:>26}" for cell in cells)
        yield f"  calibration error by chance alone: {one.expected_calibration_error_noise:.4f}"
        yield from _by_date(one)


def _by_date(one: HistoryFigures) -> Iterator[str]:
    """A line for each date, and one for their mean."""
    shown = ("auc", "log_loss", "brier", "expected_calibration_error")
    yield f"  {'as of':22}" + "".join(f"{metric:>28}" for metric in shown)
    for date, metrics in {**one.by_date, "mean": one.mean}.items():
        yield f"  {date:22}" + "".join(f"{metrics[metric]:>28.4f}" for metric in shown)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the public histories")
    parser.add_argument("--sets", default=",".join(HISTORIES), help="some of them")
    parser.add_argument("--project", type=Path, help="a project's folder, instead of the public histories")
    parser.add_argument("--as-of", nargs="+", metavar="DATE", default=[], help="the dates to look back to")
    parser.add_argument(
        "--tune", metavar="TRIALS", type=int, help="search for tree settings before each date"
    )
    parser.add_argument("--predictions", type=Path, help="a folder for what was said of each customer")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    if (options.project is None) == (options.data is None):
        parser.error("name either --data, for the public histories, or --project and --as-of.")
    if (options.project is None) == bool(options.as_of):
        parser.error("--project needs --as-of DATE …, and nothing else does.")
    names = tuple(options.sets.split(","))
    if unknown := set(names) - {*HISTORIES, *WITH_ITEMS}:
        known = ", ".join((*HISTORIES, *WITH_ITEMS))
        parser.error(f"no such history: {', '.join(sorted(unknown))}. There are {known}.")
    with tempfile.TemporaryDirectory(prefix="kizuna-quality-") as scratch:
        if options.project is None:
            found = quality(names, options.data, Path(scratch), options.tune, options.predictions)
        else:
            try:
                found = _of_project(options, Path(scratch))
            except KizunaError as error:
                parser.error(str(error))
    print(json.dumps(asdict(found)) if options.json else "\n".join(table(found)))


def _of_project(options: argparse.Namespace, scratch: Path) -> QualityFigures:
    """The figures of one project, by the name of its folder."""
    project, store, seconds = ingested(options.project, scratch / "state")
    one = figures(project, store, sorted(set(options.as_of)), seconds, options.tune, options.predictions)
    return QualityFigures({project.folder.name: one}, options.tune or 0, machine())


if __name__ == "__main__":
    main()

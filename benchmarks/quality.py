"""How right probabilities are on histories: `python -m benchmarks.quality --data ../shared/data --json`.

Each history becomes a project of its own (a `kizuna.toml` in a scratch folder), is ingested, and is looked
back upon by the code behind `kizuna backtest`; then the future that the data holds judges what was said.
Nothing differs between the projects but their sources and `[churn]`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.histories import HISTORIES, Past
from benchmarks.machine import machine
from features.engine.snapshot import snapshot
from features.event_store import EventStore
from serving.project.settings import Project, read
from training.backtest import BacktestResult, backtest_with_bundle
from training.data.dataset import LabelledRows, dataset
from training.data.extent import data_extent
from training.data.splits import temporal_splits
from training.evaluation.metrics import METRICS, HeldOutOutcomes, churn_metrics
from training.fitting.baselines import baselines
from training.labels.labelling import label
from training.train import TrainingConfig
from training.tuning import Tuning

Floats = NDArray[np.float64]

HEADLINES = ("auc", "average_precision", "log_loss", "brier", "expected_calibration_error")


@dataclass(frozen=True, eq=False)
class Answer:
    """What was said on one date, by the model and by its rivals, and what happened."""

    rows: LabelledRows
    said: Floats
    before_calibration: Floats
    rivals: Mapping[str, Floats]
    seconds: float
    facts: Mapping[str, Any]


def quality(names: Sequence[str], data: Path, scratch: Path, tune: int | None = None) -> dict[str, Any]:
    """The figures of each history, over all its dates together; `tune` is a number of trials."""
    sets = {name: figures(HISTORIES[name], data, scratch / name, tune) for name in names}
    return {"sets": sets, "tuned": tune or 0, "machine": machine()}


def figures(past: Past, data: Path, folder: Path, tune: int | None = None) -> dict[str, Any]:
    """One history: every metric with its interval, customers resampled, for the model and each baseline."""
    project, store, seconds = made(past, data, folder)
    answers = [answer(project, store, date, tune) for date in past.dates]
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
    found = churn_metrics(np.concatenate([one.said for one in answers]), rivals, outcomes)
    raw = churn_metrics(
        np.concatenate([one.before_calibration for one in answers]), {}, outcomes, resamples=1
    )
    return {
        "dates": list(past.dates),
        "rows": len(churned),
        "customers": len(np.unique(keys)),
        "base_rate": float(churned.mean()),
        "model": dict(_with_intervals(found, "")),
        "expected_calibration_error_noise": found["expected_calibration_error_noise"],
        "before_calibration": {metric: raw[metric] for metric in HEADLINES},
        "baselines": {name: dict(_with_intervals(found, f"baseline/{name}/")) for name in rivals},
        "differences": {
            name: {
                metric: [found[f"difference/{name}/{metric}{end}"] for end in ("", "_low", "_high")]
                for metric in ("auc", "log_loss")
            }
            for name in rivals
        },
        "by_date": {
            date: dict(one.facts)
            | dict(
                zip(
                    METRICS,
                    [
                        churn_metrics(one.said, {}, _alone(one, outcomes.contacts), resamples=1)[m]
                        for m in METRICS
                    ],
                    strict=True,
                )
            )
            for date, one in zip(past.dates, answers, strict=True)
        },
        "seconds": {"ingest": seconds, "backtest": [round(one.seconds, 1) for one in answers]},
    }


def made(past: Past, data: Path, folder: Path) -> tuple[Project, EventStore, float]:
    """The project of a history, ingested; and the seconds that took."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kizuna.toml").write_text(past.configuration(data.resolve()), encoding="utf-8")
    project, began = read(folder), time.perf_counter()
    store = EventStore(project.state)
    store.ingest(
        project.settings.sources,
        project.settings.attributes,
        folder=project.folder,
        timeline=project.timeline,
        now=time.time_ns() // 1_000,
    )
    return project, EventStore(project.state), round(time.perf_counter() - began, 1)


def answer(project: Project, store: EventStore, date: str, tune: int | None = None) -> Answer:
    """Look back to a date, and let what happened afterwards judge it."""
    as_of, settings = project.timeline.instant(date), project.settings
    plan = TrainingConfig(
        project.timeline,
        project.indicators,
        settings.features,
        settings.churn,
        settings.tiers,
        settings.capacity.contacts,
    )
    began = time.perf_counter()
    tuning = None if tune is None else Tuning(tune, project.state / f"tuning-{date}.db")
    looked = backtest_with_bundle(store, plan, as_of, tuning=tuning)
    seconds = time.perf_counter() - began
    asked, said, raw = _judged(looked, store, project, as_of)
    return Answer(
        rows=asked,
        said=said,
        before_calibration=raw,
        rivals=baselines(
            _known(looked, store, plan, as_of), asked, looked.bundle.catalog, looked.bundle.churn
        ),
        seconds=seconds,
        facts={
            "base_rate": float(asked.churned.mean()),
            "mean_probability": float(said.mean()),
            "evidence": looked.bundle.evidence,
            "calibration": looked.bundle.calibration.to_json(),
        },
    )


def _judged(
    looked: BacktestResult, store: EventStore, project: Project, as_of: int
) -> tuple[LabelledRows, Floats, Floats]:
    """The rows that were scored, with the labels that only the whole record has, and what was said."""
    bundle = looked.bundle
    newest = store.newest()
    assert newest is not None
    churned = np.zeros(len(looked.keys), dtype=np.bool_)
    matrix = np.empty((len(looked.keys), len(bundle.catalog.columns)))
    for whole, past in zip(store.histories(), store.histories(until=as_of), strict=True):
        mine = np.isin(looked.keys, past.keys)
        keys = looked.keys[mine]
        churned[mine] = label(whole, bundle.churn, keys, as_of, newest, project.timeline).churned
        dates = np.full(len(keys), as_of, dtype=np.int64)
        matrix[mine] = snapshot(past, bundle.catalog, project.timeline, keys, dates, bundle.priors).matrix
    nothing = np.zeros(len(looked.keys))
    rows = LabelledRows(
        looked.keys,
        np.zeros(len(looked.keys), dtype=np.uint64),
        np.full(len(looked.keys), as_of, dtype=np.int64),
        matrix,
        churned,
        nothing,
        np.zeros((len(looked.keys), 0)),
        bundle.catalog.columns,
        (),
    )
    said = bundle.predict(matrix)
    return rows, said.churn_probability, 1.0 / (1.0 + np.exp(-said.margin))


def _known(looked: BacktestResult, store: EventStore, plan: TrainingConfig, as_of: int) -> LabelledRows:
    """Every labelled row that was known on the date: what the baselines learn from."""
    bundle = looked.bundle
    past = data_extent(store, as_of, bundle.churn, plan.timeline, plan.indicators)
    dates = temporal_splits(past.first, past.coverage.covered_until, bundle.churn, plan.timeline).labelled
    return dataset(store, bundle.catalog, bundle.churn, plan.timeline, bundle.priors, dates, past, as_of)


def _alone(one: Answer, contacts: int) -> HeldOutOutcomes:
    return HeldOutOutcomes(one.rows.churned, np.arange(len(one.rows)), one.rows.as_of, contacts)


def _with_intervals(found: Mapping[str, float], prefix: str) -> Iterator[tuple[str, list[float]]]:
    for metric in HEADLINES:
        yield metric, [found[f"{prefix}{metric}{end}"] for end in ("", "_low", "_high")]


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The same figures as lines."""
    for name, one in found["sets"].items():
        yield (
            f"{name}: {one['rows']:,} rows of {one['customers']:,} customers on {', '.join(one['dates'])}; "
            f"{one['base_rate']:.1%} left; {one['seconds']}"
        )
        yield f"  {'':22}" + "".join(f"{metric[:24]:>26}" for metric in HEADLINES)
        for who, metrics in {"this model": one["model"], **one["baselines"]}.items():
            cells = (f"{p:.4f} [{low:.3f}, {high:.3f}]" for p, low, high in metrics.values())
            yield f"  {who:22}" + "".join(f"{cell:>26}" for cell in cells)
        cells = (f"{one['before_calibration'][metric]:.4f}" for metric in HEADLINES)
        yield f"  {'before calibration':22}" + "".join(f"{cell:>26}" for cell in cells)
        yield f"  calibration error by chance alone: {one['expected_calibration_error_noise']:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public histories")
    parser.add_argument("--sets", default=",".join(HISTORIES), help="some of them")
    parser.add_argument(
        "--tune", metavar="TRIALS", type=int, help="search for tree settings before each date"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    names = tuple(options.sets.split(","))
    if unknown := set(names) - set(HISTORIES):
        parser.error(f"no such history: {', '.join(sorted(unknown))}. There are {', '.join(HISTORIES)}.")
    with tempfile.TemporaryDirectory(prefix="kizuna-quality-") as scratch:
        found = quality(names, options.data, Path(scratch), options.tune)
    print(json.dumps(found) if options.json else "\n".join(table(found)))


if __name__ == "__main__":
    main()

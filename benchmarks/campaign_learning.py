"""Learning without contact against learning contacts as they were: `python -m benchmarks.campaign_learning`.

A simulated service of 20,000 customers; then a campaign for everybody, drawn as `kizuna campaign start` does,
whose treatment arm is called several times. Models are trained both ways on what was known at the end, and
their probabilities for the customers of that day are compared with the truth without further contact: the
hazards of the same service living on with no contact at all, which are written apart and nothing reads.

The mean absolute error has a floor: no feature tells a customer's own hazard exactly. So a third model is
trained on the same service replayed without the campaign; it says what any model of these features can reach.
`--record FILE` gets a line of JSON for each setting; those that are there are not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.simulation.simulate import advance, simulate
from serving.cli.context import CliContext
from serving.experiments.assignment import TREATMENT, assign_arms
from serving.integrations.training import training_config
from serving.scoring.batch import score_customers
from serving.state.scores.score_table import ScoreTable
from training.bundle.model_bundle import Bundle
from training.data.contact_weights import ContactAssignments
from training.labels.cohort import IN_COHORT
from training.train import learn
from training.training_config import TrainingConfig

Floats = NDArray[np.float64]

CUSTOMERS, SEED = 20_000, 7
MONTHS_BEFORE, MONTHS = 4, 2
"""Months before the campaign, and from its start to the day of training."""
HOLD = ("2025-01-01", "2025-02-01")
"""From the start of the campaign to the end of its hold."""
WINDOWS = ("[7, 30, 90, 365]", "[30, 90]")
"""The windows of the simulated project, and those taken here: half of the columns, in half of the time."""


@dataclass(frozen=True)
class Setting:
    """One campaign, and the horizon that is learned."""

    name: str
    calls: tuple[int, ...]
    """Days after the start on which everybody of the treatment arm is called."""
    control: float
    horizon: int


SETTINGS = (
    Setting("one call", (1,), 0.3, 30),
    Setting("a call a week", (1, 8, 15, 22), 0.3, 30),
    Setting("a call a week, few control customers", (1, 8, 15, 22), 0.1, 30),
    Setting("a call a week, two weeks ahead", (1, 8, 15, 22), 0.3, 14),
    Setting("four calls in ten days, few control customers", (1, 4, 7, 10), 0.1, 30),
)


@dataclass(frozen=True)
class Errors:
    """How far one model's probabilities lie from the truth without contact."""

    absolute: float
    """Mean absolute error, customer by customer."""
    mean: float
    """Mean of probability − truth."""
    tenths: float
    """Mean absolute difference of the means in tenths of the probability."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the settings that the record lacks, and print each with its ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, default=Path("campaign_learning.jsonl"))
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--setting", action="append", choices=[one.name for one in SETTINGS])
    options = parser.parse_args(arguments)
    lines = options.record.read_text(encoding="utf-8").splitlines() if options.record.exists() else []
    known = {json.loads(line)["setting"]["name"] for line in lines}
    for setting in SETTINGS:
        if setting.name in known or (options.setting and setting.name not in options.setting):
            continue
        with TemporaryDirectory() as folder:
            found = measure(setting, options.customers, Path(folder))
        line = json.dumps(found)
        with options.record.open("a", encoding="utf-8") as record:
            record.write(f"{line}\n")
        print(line, flush=True)


def measure(setting: Setting, customers: int, folder: Path) -> dict[str, object]:
    """The errors of the three models in one setting."""
    base, called, future, quiet = (folder / name for name in ("base", "called", "future", "quiet"))
    simulate(base, customers=customers, months=MONTHS_BEFORE, seed=SEED)
    numbers = np.arange(customers)
    arm = assign_arms(numbers, np.zeros(customers, np.int32), setting.control, SEED)
    nobody = _contacts(folder / "nobody.parquet", numbers[:0], ())
    calls = _contacts(folder / "calls.parquet", numbers[arm == TREATMENT], setting.calls)
    for to in (called, quiet):
        copytree(base, to)
        advance(to, months=MONTHS, contacts=calls if to == called else nobody)
    copytree(called, future)
    advance(future, months=2, contacts=nobody)

    project = _ingested(called)
    as_of, config = project.now, _config(project, setting.horizon)
    keys = project.store.customers.keys(pa.array([f"c{number:07}" for number in numbers]))
    start, end = (project.project.timeline.instant(day) for day in HOLD)
    there = keys >= 0
    n = int(there.sum())
    assignments = ContactAssignments(
        np.zeros(n, np.int64), keys[there], np.full(n, start), np.full(n, end), arm[there] == TREATMENT,
        np.full(n, setting.control),
    )  # fmt: skip
    churn = config.churn.model_copy(update={"contacts": "without_contact"})
    usual = learn(project.store, config, until=as_of)[0]
    without = learn(project.store, replace(config, churn=churn, assignments=assignments), until=as_of)[0]
    other = _ingested(quiet)
    floor = learn(other.store, _config(other, setting.horizon), until=as_of)[0]

    scored = [_scored(project, bundle, as_of) for bundle in (usual, without, floor)]
    truth = _truth(future, project.store.customers.names(scored[0].key), as_of, setting.horizon)
    errors = [_errors(one.churn_probability, truth) for one in scored]
    return {
        "setting": asdict(setting),
        "customers": len(truth),
        "truth": float(truth.mean()),
        "as_they_were": asdict(errors[0]),
        "without_contact": asdict(errors[1]),
        "replayed": asdict(errors[2]),
        "ratio": {
            "absolute": errors[1].absolute / errors[0].absolute,
            "mean": abs(errors[1].mean) / abs(errors[0].mean),
            "tenths": errors[1].tenths / errors[0].tenths,
        },
        "rows": without.settings["without_contact"],
    }


def _contacts(file: Path, numbers: NDArray[np.int64], days: Sequence[int]) -> Path:
    """A file of calls to these customers, on each of these days after the start."""
    start = np.datetime64(HOLD[0])
    rows = [(f"c{number:07}", f"{start + day}T11:00:00") for number in numbers for day in days]
    columns = {
        name: pa.array([row[at] for row in rows], pa.string())
        for at, name in enumerate(("customer_id", "at"))
    }
    pq.write_table(pa.table(columns), file)
    return file


def _ingested(folder: Path) -> CliContext:
    """The project of a simulated service, its tables ingested."""
    file = folder / "kizuna.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(*WINDOWS), encoding="utf-8")
    call = CliContext(folder)
    settings = call.project.settings
    call.store.ingest(
        settings.sources, settings.attributes, folder=folder, timeline=call.project.timeline, now=call.now
    )
    return call


def _config(call: CliContext, horizon: int) -> TrainingConfig:
    config = training_config(call.project)
    return replace(config, churn=config.churn.model_copy(update={"horizon_days": horizon}))


def _scored(call: CliContext, bundle: Bundle, as_of: int) -> ScoreTable:
    parts = [score_customers(bundle, history, as_of) for history in call.store.histories(until=as_of)]
    return ScoreTable.joined([part.take(np.flatnonzero(part.status == IN_COHORT)) for part in parts])


def _truth(folder: Path, names: pa.Array, as_of: int, horizon: int) -> Floats:
    """float64[n]: 1 − exp(−hazard gathered over the horizon) of each customer."""
    database = duckdb.connect(config={"file_search_path": str(folder)})
    database.register("scored", pa.table({"customer_id": names, "place": np.arange(len(names))}))
    begin = f"to_timestamp({as_of / 1e6})"
    end = f"{begin} + interval {horizon} days"
    truth: Floats = database.execute(f"""
        select 1 - exp(-sum(hazard / 86400 * greatest(
            0, epoch(least("to", {end})) - epoch(greatest("from", {begin}))))) as p
        from scored join 'truth/hazard.parquet' using (customer_id)
        where "to" > {begin} group by place order by place
    """).fetchnumpy()["p"]
    assert len(truth) == len(names)
    return truth


def _errors(probability: Floats, truth: Floats) -> Errors:
    cuts = np.quantile(probability, np.arange(1, 10) / 10)
    tenth = np.unique(np.searchsorted(cuts, probability), return_inverse=True)[1]
    gaps = np.bincount(tenth, probability - truth) / np.bincount(tenth)
    return Errors(
        float(np.abs(probability - truth).mean()),
        float((probability - truth).mean()),
        float(np.abs(gaps).mean()),
    )


if __name__ == "__main__":
    main()

"""The closed loop walked to its end on a simulated service, and judged by its truth.

    python -m benchmarks.campaign_loop --customers 20_000 --seeds 5 --json

Simulate, ingest, train, score, start a campaign, export its treatment arm, contact it, let the service live
on for six months, ingest, load the file of contacts, report. The truth comes from the simulation and is never
read by the product: the same service lives on twice more, once with everybody of both arms contacted and once
with nobody. The same seed draws the same lives and the same orders of whoever is there, so the difference of
both is what contact does to these customers, on retention and on spend. `hazard_effect` is that on retention
from `truth/hazard.parquet`: the mean difference of the probabilities of not having left by then.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import machine
from serving.schemas.json_text import to_json

START = date(2025, 1, 1)
"""The day after the simulated record ends."""
CONTACT_DAYS = (2, 47, 92, 137)
"""Days after the start on which the treatment arm is called; a welcome call helps for 45 days."""
REVIEW_MONTHS = (1, 3, 6)
MEASURES = ("retained", "spend")


@dataclass(frozen=True)
class ReviewedTruth:
    """What a review date says of one measure, and what is true of the same customers."""

    months: int
    measure: str
    estimate: float
    low: float
    high: float
    truth: float
    """Mean difference between the two lives of everybody who was assigned."""
    hazard_effect: float | None
    """Of retention: the same from the hidden hazards, without those who come back."""

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


@dataclass(frozen=True)
class LoopResult:
    """One walk of the loop."""

    seed: int
    customers: int
    treatment: int
    control: int
    reached: int
    contacts_known: int
    """Contacts of the file that the service's own table had told of already."""
    contacts_stored: int
    """The others: calls to customers who had left by then."""
    reviews: tuple[ReviewedTruth, ...]
    seconds: float

    @property
    def held(self) -> dict[str, int]:
        """How many intervals hold the truth, by measure."""
        return {
            measure: sum(one.holds for one in self.reviews if one.measure == measure) for measure in MEASURES
        }


def walk(folder: Path, customers: int, *, months: int = 12, seed: int = 5, limit: int = 0) -> LoopResult:
    """Walk the loop in a new folder; every step is a command of the product."""
    began = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    service = folder / "service"
    kizuna(
        "simulate", str(service), "--customers", str(customers), "--months", str(months), "--seed", str(seed)
    )
    for step in ("ingest", "train", "score"):
        kizuna("-C", str(service), step)
    reviews = ",".join(map(str, REVIEW_MONTHS))
    size = str(limit or customers)
    started = kizuna(
        "-C", str(service), "campaign", "start", "spring", "--limit", size, "--control", "50%",
        "--review", reviews, "--yes",
    )  # fmt: skip
    listed = folder / "treatment.csv"
    kizuna("-C", str(service), "campaign", "export", "spring", "--format", "csv", "--output", str(listed))
    treated = pd.read_csv(listed, dtype=str, encoding="utf-8-sig")
    column = next(name for name in treated.columns if treated[name].str.fullmatch(r"c\d{7}").all())
    calls = write_calls(folder / "calls.csv", treated[column].tolist())
    truths = true_effects(folder, service)
    kizuna("simulate", str(service), "--advance", str(max(REVIEW_MONTHS)), "--contacts", str(calls))
    kizuna("-C", str(service), "ingest")
    contacts = kizuna("-C", str(service), "campaign", "contacts", "spring", str(calls))
    report = kizuna("-C", str(service), "campaign", "report", "spring")
    arms = started["arms"]
    return LoopResult(
        seed,
        customers,
        arms["treatment"],
        arms["control"],
        report["arms"][0]["reached"],
        contacts["already_there"],
        contacts["stored"],
        reviewed(report, truths),
        round(time.perf_counter() - began, 1),
    )


def reviewed(report: Any, truths: dict[int, TrueEffects]) -> tuple[ReviewedTruth, ...]:
    """The estimates of a report beside the truth."""
    found = []
    for review in report["reviews"]:
        truth = truths[review["months"]]
        for measure in MEASURES:
            (effect,) = [one for one in review["effects"] if one["outcome"] == measure]
            figures = (float(effect[name]) for name in ("difference", "low", "high"))
            hazard = truth.survival if measure == "retained" else None
            true = truth.retained if measure == "retained" else truth.spend
            found.append(ReviewedTruth(review["months"], measure, *figures, true, hazard))
    return tuple(found)


def write_calls(file: Path, customers: Sequence[str]) -> Path:
    """The file of contacts of the product and of the simulation: a call to everybody on each contact day."""
    days = [str(START + pd.Timedelta(days=day)) for day in CONTACT_DAYS]
    rows = [(one, day[:10], "call_made", "spring") for one in customers for day in days]
    pd.DataFrame(rows, columns=["customer_id", "at", "kind", "campaign"]).to_csv(file, index=False)
    return file


@dataclass(frozen=True)
class TrueEffects:
    """What contact does to everybody who was assigned by a review date."""

    retained: float
    spend: float
    survival: float


def true_effects(folder: Path, service: Path) -> dict[int, TrueEffects]:
    """By review month the effect on everybody who was assigned: contacted, less left alone."""
    names = assigned(service)
    lives: dict[tuple[str, int], TrueEffects] = {}
    for life, called in (("contacted", names), ("left_alone", [])):
        world = Path(shutil.copytree(service, folder / life))
        calls = write_calls(folder / f"{life}.csv", called)
        kizuna("simulate", str(world), "--advance", str(max(REVIEW_MONTHS)), "--contacts", str(calls))
        contracts = pd.read_parquet(world / "data" / "contracts.parquet")
        orders = pd.read_parquet(world / "data" / "orders.parquet")
        hazard = pd.read_parquet(world / "truth" / "hazard.parquet")
        for months in REVIEW_MONTHS:
            end = pd.Timestamp(START) + pd.DateOffset(months=months)
            lives[life, months] = TrueEffects(
                retained(contracts, names, end), spend(orders, names, end), survival(hazard, names, end)
            )
        shutil.rmtree(world)
    differences = {}
    for months in REVIEW_MONTHS:
        one, other = lives["contacted", months], lives["left_alone", months]
        differences[months] = TrueEffects(
            one.retained - other.retained, one.spend - other.spend, one.survival - other.survival
        )
    return differences


def assigned(service: Path) -> list[str]:
    """Everybody in the campaign, of both arms: the customers of its file."""
    from serving.application.workspace import open_workspace
    from serving.experiments.campaign_file import load
    from serving.experiments.held_back import assignment_file
    from serving.project.settings import read
    from serving.state.campaigns.campaign_index import campaign

    workspace = open_workspace(read(service), lambda: 0)
    with workspace.database:
        record = campaign(workspace.database, "spring")
        keys = load(assignment_file(workspace.project, record)).keys
        names: list[str] = workspace.store.customers.names(keys).to_pylist()
    return names


def retained(contracts: pd.DataFrame, names: Sequence[str], end: pd.Timestamp) -> float:
    """The share whose last row about a contract before a moment is no end of it."""
    before = contracts[contracts["happened_at"].dt.tz_localize(None) < end]
    last = before.sort_values("happened_at", kind="stable").groupby("customer")["kind"].last()
    return float((last.reindex(names) != "cancelled").mean())


def spend(orders: pd.DataFrame, names: Sequence[str], end: pd.Timestamp) -> float:
    """The mean amount of purchases less refunds between the start and a moment."""
    when = orders["happened_at"].dt.tz_localize(None)
    counted = orders[(when >= pd.Timestamp(START)) & (when < end)]
    return float(
        counted.groupby("customer", observed=True)["amount"].sum().reindex(names, fill_value=0.0).mean()
    )


def survival(hazard: pd.DataFrame, names: Sequence[str], end: pd.Timestamp) -> float:
    """The mean probability of not having left between the start and a moment, by the hidden hazards."""
    rows = hazard[hazard["customer_id"].isin(set(names))]
    since, until = (rows[name].dt.tz_localize(None) for name in ("from", "to"))
    begin = since.clip(lower=pd.Timestamp(START))
    days = (until.clip(upper=end) - begin) / pd.Timedelta(days=1)
    gathered = (rows["hazard"] * days.clip(lower=0)).groupby(rows["customer_id"]).sum()
    return float(np.exp(-gathered.reindex(names)).mean())


def kizuna(*words: str) -> Any:
    """The JSON answer of a command, run in a process of its own."""
    command = [sys.executable, "-c", "from serving.cli.main import main; main()", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kizuna {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1, help="how many services, each with a seed of its own")
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/loop"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for seed in range(5, 5 + options.seeds):
        result = walk(options.folder, options.customers, months=options.months, seed=seed)
        results.append(result)
        if options.json:
            print(to_json(asdict(result) | {"machine": machine()}), flush=True)
            continue
        print(
            f"seed {seed}: {result.treatment:,} treatment, {result.control:,} control, "
            f"{result.reached:,} reached"
        )
        for one in result.reviews:
            print(
                f"  {one.months} months, {one.measure}: {one.estimate:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
                f", truth {one.truth:+.4f}: {'held' if one.holds else 'missed'}",
                flush=True,
            )
    for measure in MEASURES:
        held = sum(result.held[measure] for result in results)
        print(
            f"{measure}: {held} of {len(REVIEW_MONTHS) * len(results)} intervals hold the truth",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()

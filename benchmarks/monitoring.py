"""Alarms of stationary and of wrong services: `python -m benchmarks.monitoring --record FILE`.

The services are simulated at the level of scores: 5,000 customers with a churn probability each, who leave by
their own hazard and are replaced by new ones; a level that moves from month to month for all together; scores
on every day with a horizon of 30 days. The model states its level's uncertainty from 24 earlier months of the
same service. A service-year has an alarm where any look of any day raises one. Every service has a seed of
its own, and each figure is written to the record as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from features.timeline import DAY
from training.bundle.level_uncertainty import LevelUncertainty
from training.fitting.level import USUAL_MISS, USUAL_WEIGHT
from training.monitoring.alarms import (
    QUARTER,
    CalibrationGaps,
    ModelRun,
    calibration_alarms,
    calibration_gaps,
)
from training.monitoring.outcome_performance import JudgedRows

CUSTOMERS, HORIZON, MISSES = 5_000, 30, 24
MONTH = 30
LEVELS = (0.0, 0.05, 0.1, 0.2)
"""Deviations, in log hazard, of the level from month to month."""


@dataclass(frozen=True)
class AlarmCount:
    """In how many services an alarm was raised."""

    question: str
    level: float
    services: int
    alarms: int


def service(
    seed: int,
    level: float,
    days: int,
    *,
    factor: float = 1.0,
    customers: int = CUSTOMERS,
    risk: tuple[float, float] = (1.2, 4.8),
) -> list[CalibrationGaps]:
    """The gaps of the daily scores of one service, whose customers leave `factor` times as often as is said.

    `risk` are the parameters of the beta distribution of new customers' probabilities.
    """
    chance = np.random.default_rng(seed)
    total = days + HORIZON
    levels = np.exp(chance.normal(0.0, level, total // MONTH + 2))
    moved = np.repeat(levels, MONTH)[chance.integers(0, MONTH) :][:total]
    p, ids, known = chance.beta(*risk, customers), np.arange(customers), customers
    probability, keys = np.empty((total, customers)), np.empty((total, customers), np.int64)
    left = np.zeros((total, customers), np.bool_)
    for day in range(total):
        probability[day], keys[day] = p / factor, ids
        hazard = -np.log1p(-np.minimum(p, 0.999)) / HORIZON * moved[day]
        gone = left[day] = chance.random(customers) < -np.expm1(-hazard)
        count = int(gone.sum())
        p, ids = p.copy(), ids.copy()
        p[gone], ids[gone] = chance.beta(*risk, count), np.arange(known, known + count)
        known += count
    uncertainty = _stated(chance.normal(0.0, level, MISSES))
    leaves = np.full(customers, total + HORIZON)
    gaps = []
    for day in range(total - 1, -1, -1):
        leaves = np.where(left[day], day, leaves)
        if day < days:
            rows = JudgedRows(
                keys[day],
                probability[day],
                np.ones(customers),
                leaves < day + HORIZON,
                np.zeros(customers),
                np.zeros(customers, np.bool_),
            )
            gaps.append(calibration_gaps(rows, day * DAY, "1", uncertainty, HORIZON))
    return gaps[::-1]


def raised(gaps: Sequence[CalibrationGaps]) -> bool:
    """Whether any look at these dates, up to a year, raises an alarm; sequences remember earlier looks."""
    ends = [end for end in range(QUARTER, 4 * QUARTER, QUARTER) if end <= gaps[-1].as_of]
    looks = [[one for one in gaps if one.as_of < end] for end in ends] + [list(gaps)]
    return any(calibration_alarms(look, [ModelRun("1", 0, 1)], str) for look in looks)


def _stated(misses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> LevelUncertainty:
    """What a bundle states of its level's uncertainty after these misses (`training.fitting.level`)."""
    squares = float(np.square(misses).sum()) + USUAL_WEIGHT * USUAL_MISS**2
    freedom = len(misses) + USUAL_WEIGHT
    return LevelUncertainty(math.sqrt(squares / freedom), freedom, len(misses))


def _stationary(task: tuple[int, float]) -> bool:
    return raised(service(task[0], task[1], 365))


def _wrong(task: tuple[int, float, int]) -> bool:
    return raised(service(task[0], task[1], task[2], factor=1.2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="JSON lines")
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--levels", type=float, nargs="+", default=LEVELS)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    done: list[dict[str, object]] = []
    if chosen.record.exists():
        done = [json.loads(line) for line in chosen.record.read_text().splitlines()]
    known = {(one["question"], one["level"]) for one in done}
    print(machine())
    with get_context("spawn").Pool(chosen.processes) as pool, chosen.record.open("a") as record:
        for level in chosen.levels:
            seeds = range(chosen.services)
            questions = [
                ("a year of daily looks at a stationary service", _stationary, [(s, level) for s in seeds]),
                ("20 % more leave, dates of 1 month", _wrong, [(s, level, MONTH) for s in seeds]),
                ("20 % more leave, dates of 2 months", _wrong, [(s, level, 2 * MONTH) for s in seeds]),
            ]
            for question, work, tasks in questions:
                if (question, level) in known:
                    continue
                alarms = sum(pool.imap(work, tasks))  # type: ignore[arg-type] # each takes its own tasks
                counted = AlarmCount(question, level, len(tasks), alarms)
                record.write(json.dumps(asdict(counted)) + "\n")
                record.flush()
                print(f"{question}, level ±{level}: {alarms} of {len(tasks)}", flush=True)


if __name__ == "__main__":
    main()

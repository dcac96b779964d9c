"""How soon a source that stops is found, and how often an alarm is false, by the rhythm of the source.

    python -m benchmarks.data_checks --services 200

Each service has one source of each rhythm for three years: the first is the past, the other two are judged
every day. Then the source stops on a day by chance, and the days until the first alarm are counted: 1 is the
first run after the first day without events. There is no rival in it: a limit that somebody writes down by
hand finds as much as they wrote.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.profiling.arrivals.silence import YEAR, silence

Ints = NDArray[np.int64]
YEARS = 3
DAYS = YEARS * YEAR
LONGEST = 250
"""Days that an alarm is waited for."""
HOLIDAYS = ((0, 4), (118, 6), (222, 4))
"""Days of the year that begin a holiday of every year, and how long it lasts."""
SINGLE_DAYS = 8
"""Further days of a year, by chance, on which nothing is sent."""


def rhythms(chance: np.random.Generator) -> Mapping[str, Ints]:
    """int64[DAYS] for each rhythm: the events of each day."""
    day = np.arange(DAYS)
    holiday = np.zeros(DAYS, dtype=bool)
    for year in range(YEARS):
        for begin, length in HOLIDAYS:
            holiday[year * YEAR + begin : year * YEAR + begin + length] = True
        holiday[year * YEAR + chance.choice(np.arange(5, 360), SINGLE_DAYS, replace=False)] = True
    weekdays = np.where(day % 7 < 5, chance.poisson(200, DAYS), 0)
    weekly = np.zeros(DAYS, dtype=np.int64)
    weekly[np.minimum(np.arange(0, DAYS, 7) + (chance.random(len(range(0, DAYS, 7))) < 0.2), DAYS - 1)] = 300
    bursty, at = np.zeros(DAYS, dtype=np.int64), 0
    while at < DAYS:
        length = int(chance.geometric(1 / 3))
        bursty[at : at + length] = 1 + chance.poisson(30, len(bursty[at : at + length]))
        at += length + int(chance.geometric(1 / 6))
    return {
        "daily": chance.poisson(500 * np.exp(chance.normal(0, 0.2, DAYS))),
        "daily, eight events a day": chance.poisson(8, DAYS),
        "weekdays": weekdays,
        "weekdays without holidays": np.where(holiday, 0, weekdays),
        "weekly, now and then a day late": weekly,
        "monthly": np.where(day % 30 == 0, 1_000, 0),
        "bursts of three days, six apart": bursty,
        "tiny: one event in four days": chance.poisson(0.25, DAYS),
        "tiny: one event in three weeks": chance.poisson(0.05, DAYS),
    }


def false_alarms(counts: Ints) -> float:
    """Alarms a year while the source goes on."""
    alarms, stands = 0, False
    for end in range(YEAR, DAYS):
        found = silence(counts, end, 0)
        is_alarm = found is not None and found.stopped
        alarms, stands = alarms + (is_alarm and not stands), is_alarm
    return alarms / (YEARS - 1)


def days_to_find(counts: Ints, stop: int) -> int:
    """Runs until a source that sends nothing from the day `stop` on is found."""
    gone = np.concatenate((counts[:stop], np.zeros(LONGEST, dtype=np.int64)))
    for end in range(stop + 1, stop + LONGEST):
        found = silence(gone, end, 0)
        if found is not None and found.stopped:
            return end - stop
    return LONGEST


def main() -> None:
    """Print one line of JSON for each rhythm."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--services", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    found: dict[str, list[tuple[float, int]]] = {}
    for service in range(given.services):
        chance = np.random.default_rng((given.seed, service))
        for name, counts in rhythms(chance).items():
            stop = int(chance.integers(2 * YEAR, DAYS - 30))
            found.setdefault(name, []).append((false_alarms(counts), days_to_find(counts, stop)))
    for name, pairs in found.items():
        alarms, days = np.array(pairs).T
        line = {
            "rhythm": name,
            "services": given.services,
            "false_alarms_a_year": round(float(alarms.mean()), 3),
            "days_to_find": {"median": float(np.median(days)), "p90": float(np.quantile(days, 0.9))},
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

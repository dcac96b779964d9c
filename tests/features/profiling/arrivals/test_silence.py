"""When a source has stopped: found by its own rhythm, seldom false, and holidays are no stop."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data_checks import days_to_find, false_alarms, rhythms
from features.profiling.arrivals.silence import silence

SEED = 20_260_701


@pytest.mark.parametrize(
    ("rhythm", "most_days"),
    [
        ("daily", 1),
        ("daily, eight events a day", 1),
        ("weekdays", 4),
        ("weekdays without holidays", 6),
        ("weekly, now and then a day late", 15),
        ("monthly", 35),
    ],
)
def test_a_source_that_stops_is_found_as_soon_as_its_rhythm_says(rhythm: str, most_days: int) -> None:
    print(f"seed {SEED}")
    for number in range(4):
        chance = np.random.default_rng((SEED, number))
        counts = rhythms(chance)[rhythm]
        assert days_to_find(counts, int(chance.integers(730, 1060))) <= most_days


def test_alarms_are_false_less_than_once_a_year() -> None:
    print(f"seed {SEED}")
    alarms: dict[str, list[float]] = {}
    for number in range(4):
        for name, counts in rhythms(np.random.default_rng((SEED, number))).items():
            alarms.setdefault(name, []).append(false_alarms(counts))
    assert {name: found for name, found in alarms.items() if np.mean(found) >= 1} == {}


def test_a_holiday_of_every_year_is_no_stop_and_a_silence_beyond_it_is() -> None:
    counts = np.full(800, 100)
    for year in (0, 365, 730):
        counts[year + 40 : year + 50] = 0
    assert silence(counts, 730 + 45, 0) is None, "the same days were without events a year before"
    counts[730 + 50 :] = 0
    found = silence(counts, 800, 0)
    assert found is not None
    assert (found.stopped, found.days, found.last) == (True, 30, 769)


def test_stray_rows_do_not_hide_that_a_source_stopped() -> None:
    counts = np.full(400, 1_000)
    counts[395:] = 3
    found = silence(counts, 400, 0)
    assert found is not None
    assert (found.stopped, found.days) == (True, 5)


def test_a_source_of_a_few_days_has_no_rhythm() -> None:
    assert silence(np.array([5, 5, 5, 0, 0]), 5, 0) is None
    assert silence(np.zeros(50, dtype=np.int64), 50, 0) is None

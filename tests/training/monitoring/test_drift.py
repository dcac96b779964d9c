"""Drift: quiet where columns move as always, found where one moves further, the season told apart."""

from __future__ import annotations

import numpy as np

from features.timeline import DAY
from training.monitoring.drift import COHORT, MOST_STEPS, DatedRows, drifted_columns
from training.monitoring.records import DriftedColumn

COLUMNS = tuple(f"c{number}" for number in range(12))


def dates(
    seed: int,
    customers: int = 1_500,
    moving: float = 0.05,
    season: float = 0.0,
    shift: float = 0.0,
    missing: float = 0.0,
    grown: float = 1.0,
) -> list[DatedRows]:
    """Sixteen months of the same customers, newest first; column 0 has season, shift and gaps."""
    chance = np.random.default_rng(seed)
    own = chance.normal(0.0, 1.0, (customers, len(COLUMNS)))
    found = []
    for step in range(MOST_STEPS + 1):
        matrix = 0.9 * own + chance.normal(0.0, 0.4, own.shape) + chance.normal(0.0, moving, len(COLUMNS))
        if step in (0, 12):
            matrix[:, 0] += season
        if step == 0:
            matrix[:, 0] += shift
            matrix[chance.random(customers) < missing, 0] = np.nan
        size = customers if step == 0 else round(customers / grown)
        found.append(DatedRows(-30 * step * DAY, np.arange(size), matrix[:size]))
    return found


def found(rows: list[DatedRows]) -> tuple[DriftedColumn, ...]:
    return drifted_columns(rows, COLUMNS, np.linspace(0.0, 0.1, len(COLUMNS)))


def test_columns_that_move_as_they_always_did_raise_nothing() -> None:
    for moving in (0.0, 0.05, 0.3):
        drifted = [seed for seed in range(40) if found(dates(seed, 400, moving))]
        assert len(drifted) <= 2, (moving, drifted)


def test_more_customers_do_not_make_a_usual_move_a_drift() -> None:
    assert [seed for seed in range(4) if found(dates(seed, 20_000))] == []


def test_a_shift_beyond_the_past_is_found_in_its_column_alone() -> None:
    drifted = [found(dates(seed, shift=1.0)) for seed in range(10)]
    assert [[(one.column, one.seasonal) for one in each] for each in drifted] == [[("c0", False)]] * 10
    one = drifted[0][0]
    assert one.shift is not None
    assert one.usual_shift is not None
    assert one.psi is not None
    assert 0.7 < one.shift < 1.3
    assert one.usual_shift < 0.15
    assert one.psi > 0.3


def test_a_column_that_went_empty_is_found_by_its_distribution() -> None:
    assert [one.column for one in found(dates(1, missing=0.5))] == ["c0"]


def test_a_season_that_last_year_shows_raises_no_alarm_and_a_shift_on_top_of_it_does() -> None:
    seasonal = [one for seed in range(10) for one in found(dates(seed, season=1.0))]
    assert [one for one in seasonal if not one.seasonal] == []
    on_top = [found(dates(seed, season=1.0, shift=3.0)) for seed in range(10)]
    assert [[(one.column, one.seasonal) for one in each] for each in on_top] == [[("c0", False)]] * 10


def test_a_cohort_that_doubles_is_found() -> None:
    assert [one.column for one in found(dates(1, grown=2.0))] == [COHORT]

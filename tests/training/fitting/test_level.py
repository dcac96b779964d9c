"""The year before tells how many leave, where the record holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.event_store import EventStore
from features.timeline import DAY, Horizon
from tests.training.simulated import NOW, UTC, plan
from tests.training.worlds import INACTIVITY, day
from training.bundle.calibration import Calibration
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits
from training.fitting.calibration import SHAPES
from training.fitting.level import DatedPredictions, by_date, by_each, level_dates, level_uncertainty
from training.train import learn

CHURN = replace(INACTIVITY, horizon=Horizon(20))


def said(rates: dict[float, float], p: float = 0.3, n: int = 2_000) -> DatedPredictions:
    """A model that says the same of everybody, and how many left on each day since the origin."""
    dates = np.repeat([day(n) for n in rates], n)
    churned = np.concatenate([np.arange(n) < rate * n for rate in rates.values()])
    zeros = np.zeros(len(dates))
    rows = LabelledRows(
        np.arange(len(dates)), zeros.astype(np.uint64), dates, np.zeros((len(dates), 0)), churned, zeros,
        np.zeros((len(dates), 0)), (), (),
    )  # fmt: skip
    return DatedPredictions(rows, np.full(len(dates), p))


def splits(first: float = -1_000) -> TemporalSplits:
    return TemporalSplits((), (), (), (), False, (), 0, day(first))


def test_a_date_is_levelled_by_its_own_year_before() -> None:
    model = said({0: 0.6, 60: 0.1, 300: 0.3, 365: 0.6, 425: 0.1})
    found = by_date(model, [day(300)], [day(365), day(425)], splits(), CHURN, Calibration())
    assert abs(found[:2_000].mean() - 0.6) < 0.01
    assert abs(found[2_000:].mean() - 0.1) < 0.01


def test_a_date_without_a_year_before_has_the_level_of_the_latest_dates() -> None:
    model = said({0: 0.6, 300: 0.5, 500: 0.2})
    found = by_date(model, [day(300)], [day(500)], splits(), CHURN, Calibration())
    assert abs(found.mean() - 0.5) < 0.01


def test_a_season_is_trusted_as_far_as_its_history_reaches() -> None:
    dates, churn = [day(0), day(300)], replace(CHURN, active_days=100)
    whole, part, short = (level_dates(day(365), dates, day(first), churn) for first in (-100, -75, -40))
    assert (whole.trust, part.trust, short.trust) == (1.0, 0.75, 0.0)
    assert whole.season == part.season == (day(0),)
    assert short.season == ()
    assert part.mixed(latest=1.0, season=2.0) == 1.75


def test_shapes_are_told_apart_with_the_level_set_right() -> None:
    model = said({0: 0.6, 60: 0.1, 300: 0.3, 365: 0.6, 425: 0.1})
    found = by_each(model, [day(300)], [day(365), day(425)], splits(), CHURN)
    for shape in SHAPES:
        assert abs(found[shape][:2_000].mean() - 0.6) < 0.01


def test_a_moving_level_gives_a_wide_interval_and_a_steady_one_a_narrow_one() -> None:
    steady = said(dict.fromkeys(range(0, 200, 20), 0.3))
    moving = said({at: 0.15 + 0.3 * (at // 20 % 2) for at in range(0, 200, 20)})
    few = said({0: 0.3, 20: 0.3})
    uncertain = [level_uncertainty(one, dated(one), CHURN, Calibration()) for one in (steady, moving, few)]
    spreads = [one.spread for one in uncertain]
    assert spreads[0] < spreads[2] < spreads[1]
    assert [one.misses for one in uncertain] == [9, 9, 1]


def dated(predictions: DatedPredictions) -> TemporalSplits:
    return replace(splits(), every=tuple(np.unique(predictions.rows.as_of).tolist()))


def seasonal(folder: Path, days: int) -> EventStore:
    """Customers who buy twice as often in one half of the year as in the other."""
    draw = np.random.default_rng(3)
    rates = draw.gamma(2.0, 0.03, 500)
    who = np.repeat(np.arange(500), draw.poisson(rates * 2 * days))
    at = draw.random(len(who)) * days
    kept = draw.random(len(who)) < np.where(np.sin(2 * np.pi * at / 365) > 0, 1.0, 0.35)
    folder.mkdir()
    store = EventStore(folder)
    events = {
        "customer_id": pa.array([f"c{n:03}" for n in who[kept]]),
        "occurred_at": pa.array(day(0) + (at[kept] * DAY).astype(np.int64), pa.timestamp("us", "UTC")),
        "kind": ["purchase"] * int(kept.sum()),
    }
    store.add(pa.table(events), source="shop", timeline=UTC, now=NOW)
    return EventStore(folder)


def test_a_shop_with_seasons_is_told_how_many_leave_when_the_season_turns(tmp_path: Path) -> None:
    """Trained at the end of the good half of the second year, on what was known by then."""
    store = seasonal(tmp_path / "state", 620)
    until = day(2 * 365 - 182.5)
    bundle, evidence = learn(store, plan(), until=until)
    assert bundle.calibration.levelled
    assert bundle.calibration.c > 0.2
    assert bundle.settings["calibration"]["season"]
    assert "calibration/level/log_loss" in evidence.figures

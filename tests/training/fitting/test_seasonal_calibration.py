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
from training.data.dataset import LabelledRows
from training.fitting.seasonal_calibration import DatedPredictions, by_each, season_at
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


def test_a_date_is_levelled_by_its_own_year_before() -> None:
    model = said({0: 0.6, 60: 0.1, 300: 0.3, 365: 0.6, 425: 0.1})
    found = by_each(model, [day(300)], [day(365), day(425)], CHURN)
    assert np.allclose(found["identity"], 0.3)
    assert abs(found["season"][:2_000].mean() - 0.6) < 0.01
    assert abs(found["season"][2_000:].mean() - 0.1) < 0.01


def test_dates_without_a_year_before_have_no_season() -> None:
    model = said({0: 0.6, 300: 0.3, 365: 0.6, 500: 0.2})
    found = by_each(model, [day(300)], [day(365), day(500)], CHURN)
    assert np.isnan(found["season"][2_000:]).all()
    assert season_at(model, day(500), CHURN, Calibration()) is None
    assert "season" not in by_each(model, [day(0)], [day(300)], CHURN)


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
    assert bundle.calibration.season
    assert bundle.calibration.c > 0.2
    assert bundle.settings["calibration"]["season"]
    assert "calibration/season/log_loss" in evidence.figures

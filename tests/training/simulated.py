"""Shops whose customers leave with a probability that is known, as a store on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.defaults import indicators
from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.timeline import DAY, Timeline
from tests.training.worlds import ORIGIN
from training.bundle.tiers import TierSettings
from training.fitting.lightgbm import TreeParameters
from training.labels.settings import ChurnSettings
from training.training_config import TrainingConfig

UTC = Timeline("UTC")
NOW = UTC.instant("2026-01-01")
HORIZON = 20


@dataclass(frozen=True)
class Shop:
    """Events of customers who each buy at a steady rate of their own, and never stop."""

    events: pa.Table
    rates: NDArray[np.float64]
    """Purchases a day, by customer number."""

    def churn_probability(self, days: int = HORIZON) -> NDArray[np.float64]:
        """P(no purchase in so many days), exactly: purchases are a Poisson process."""
        return np.exp(-self.rates * days)

    def store(self, folder: Path, *, before: int | None = None, shuffled: int | None = None) -> EventStore:
        """The shop's events (those before an instant), perhaps ingested in another order."""
        events = self.events
        if before is not None:
            events = events.filter(
                pa.array(events.column("occurred_at").cast(pa.int64()).to_numpy() < before)
            )
        if shuffled is not None:
            events = events.take(np.random.default_rng(shuffled).permutation(len(events)))
        folder.mkdir(parents=True, exist_ok=True)
        store = EventStore(folder)
        store.add(events, source="shop", timeline=UTC, now=NOW)
        return EventStore(folder)


def shop(
    customers: int = 300, days: int = 320, *, seed: int = 0, amounts: bool = True, rate: float = 0.06
) -> Shop:
    """A shop whose customers' rates follow a gamma distribution with this mean."""
    draw = np.random.default_rng(seed)
    rates = draw.gamma(1.5, rate / 1.5, customers) + 0.004
    counts = draw.poisson(rates * days)
    who = np.repeat(np.arange(customers), counts)
    when = ORIGIN + (draw.random(len(who)) * days * DAY).astype(np.int64)
    spend = draw.lognormal(3.0, 0.4, customers)[who] * draw.lognormal(0.0, 0.3, len(who))
    table = pa.table(
        {
            "customer_id": pa.array([f"c{n:04}" for n in who]),
            "occurred_at": pa.array(when, pa.timestamp("us", "UTC")),
            "kind": pa.array(["purchase"] * len(who)),
            "value": pa.array(spend if amounts else [None] * len(who), pa.float64()),
            "detail": pa.array(np.array(["food", "toys", "books"])[who % 3]),
            "event_id": pa.array([f"e{n}" for n in range(len(who))]),
        }
    )
    return Shop(table, rates)


def shop_with_regions(customers: int = 300, days: int = 300) -> Shop:
    """The same, whose slower half lives in the north and whose faster half in the south; nobody moves."""
    there = shop(customers, days, amounts=True)
    slow = there.rates < np.median(there.rates)
    regions = pa.table(
        {
            "customer_id": pa.array([f"c{n:04}" for n in range(customers)]),
            "occurred_at": pa.array(np.full(customers, ORIGIN), pa.timestamp("us", "UTC")),
            "kind": pa.array(["attribute.region"] * customers),
            "value": pa.nulls(customers, pa.float64()),
            "detail": pa.array(np.where(slow, "north", "south")),
            "event_id": pa.array([f"r{n}" for n in range(customers)]),
        }
    )
    return Shop(pa.concat_tables([there.events, regions]), there.rates)


def plan(*, threads: int = 1, **churn: object) -> TrainingConfig:
    """Churn is no purchase for twenty days, among those with one in the last forty; few, quick trees."""
    settings = {"active_days": 40, "horizon_days": HORIZON} | churn
    return TrainingConfig(
        timeline=UTC,
        indicators=indicators({}),
        features=FeatureSettings(windows=(7, 30, 90)),
        churn=ChurnSettings.model_validate(settings),
        tiers=TierSettings(),
        contacts=30,
        models=TreeParameters(trees=60, rate=0.08, depth=4, leaves=10, threads=threads),
    )

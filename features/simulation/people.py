"""The simulated customers: hidden traits that determine what they do."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from features.simulation.world import (
    AGE_BANDS,
    CATEGORIES,
    CATEGORY_GROUPS,
    DAY,
    FEATURE_GROUPS,
    FEATURES,
    REGIONS,
    Flags,
    Floats,
    RecordPeriod,
    Times,
)

HELPS, NOTHING, DRIVES_AWAY = 0, 1, 2
EFFECTS = ("helps", "nothing", "drives_away")
NEVER = np.iinfo(np.int64).max // 4
"""A time that does not come."""


@dataclass(frozen=True, eq=False)
class SimulatedCustomers:
    """n customers; every array has a row for each."""

    numbers: NDArray[np.int64]
    """Their numbers in the whole population."""
    start: Times
    """When their first contract starts."""
    frequency: Floats
    """How active they are; 1 on average."""
    hour: Floats
    """The hour of the day around which they are active."""
    plan: NDArray[np.int64]
    temper: Floats
    """How satisfied they are by nature, in points of the 0–10 question."""
    base: Floats
    """Their hazard of leaving per day without any cause."""
    breadth: NDArray[np.int64]
    """How many features they use."""
    features: NDArray[np.int64]
    """[n, features]: the features in the order of their liking."""
    adopted: Times
    """From when those who used hardly any feature use several."""
    categories: NDArray[np.int64]
    """[n, categories]: the categories in the order of their liking."""
    tired: Times
    """From when they no longer buy their favourite category."""
    fading: Times
    """From when they use the service less and less."""
    recovered: Times
    """From when they use it as before."""
    effect: NDArray[np.int64]
    """What being contacted does to them: a position in `EFFECTS`."""
    answers: Flags
    """Whether they ever answer a survey."""
    subscribed: Flags
    """Whether they take the newsletter."""
    social: Flags
    """Whether they are on social media."""
    region: NDArray[np.int64]
    age_band: NDArray[np.int64]
    birthday: NDArray[np.int64]
    """Day of a year of 365 days."""
    do_not_contact: Flags

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64]) -> SimulatedCustomers:
        """Some of the customers."""
        return SimulatedCustomers(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


def draw_customers(
    draw: np.random.Generator, first: int, count: int, span: RecordPeriod
) -> SimulatedCustomers:
    """The customers with the numbers `first` to `first + count - 1`."""
    early = draw.random(count) < 0.35
    month = 30 * DAY
    room = max(span.end - span.start - month, DAY)
    start = span.start + np.where(
        early, draw.random(count) * min(month, room), min(month, room) + draw.random(count) * (room - DAY)
    ).astype(np.int64)
    start = np.minimum(start, span.end - DAY)
    narrow = draw.random(count) < 0.3
    adopts = narrow & (draw.random(count) < 0.35)
    fades = draw.random(count) < 0.35
    fading = start + ((30 + draw.exponential(200, count)) * DAY).astype(np.int64)
    recovers = draw.random(count) < 0.4
    tires = draw.random(count) < 0.25
    return SimulatedCustomers(
        numbers=np.arange(first, first + count),
        start=start,
        frequency=draw.gamma(2.5, 1 / 2.5, count) + 0.05,
        hour=np.clip(draw.normal(draw.choice([8.0, 12.5, 20.5], count), 1.0), 0, 23),
        plan=draw.choice(3, count, p=[0.45, 0.4, 0.15]),
        temper=draw.normal(8.8, 1.1, count),
        base=0.0005 * draw.lognormal(0.0, 0.35, count),
        breadth=np.where(narrow, 1 + (draw.random(count) < 0.5), 4 + draw.integers(0, 4, count)),
        features=_order(draw, count, FEATURE_GROUPS, len(FEATURES)),
        adopted=np.where(adopts, start + ((60 + draw.exponential(120, count)) * DAY).astype(np.int64), NEVER),
        categories=_order(draw, count, CATEGORY_GROUPS, len(CATEGORIES)),
        tired=np.where(tires, start + ((120 + draw.exponential(150, count)) * DAY).astype(np.int64), NEVER),
        fading=np.where(fades, fading, NEVER),
        recovered=np.where(
            fades & recovers, fading + ((60 + draw.exponential(60, count)) * DAY).astype(np.int64), NEVER
        ),
        effect=draw.choice(3, count, p=[0.35, 0.5, 0.15]),
        answers=draw.random(count) < 0.45,
        subscribed=draw.random(count) < 0.8,
        social=draw.random(count) < 0.3,
        region=draw.choice(len(REGIONS), count, p=[0.4, 0.25, 0.15, 0.12, 0.08]),
        age_band=draw.choice(len(AGE_BANDS), count, p=[0.2, 0.27, 0.25, 0.17, 0.11]),
        birthday=draw.integers(0, 365, count),
        do_not_contact=draw.random(count) < 0.03,
    )


def draw_newcomers(
    draw: np.random.Generator, first: int, count: int, span: RecordPeriod
) -> SimulatedCustomers:
    """Customers whose first contract starts at any time of a period, evenly."""
    crowd = draw_customers(draw, first, count, span)
    start = span.start + (draw.random(count) * (span.end - span.start - DAY)).astype(np.int64)
    shift = start - crowd.start
    later = {
        name: np.where(getattr(crowd, name) < NEVER, getattr(crowd, name) + shift, NEVER)
        for name in ("adopted", "tired", "fading", "recovered")
    }
    return replace(crowd, start=start, **later)


def _order(draw: np.random.Generator, count: int, groups: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """[count, size]: everything in an order of liking, where what belongs together is liked together."""
    mine = draw.integers(0, groups.max() + 1, count)
    liking = draw.random((count, size)) + 1.1 * (groups[None, :] == mine[:, None])
    order: NDArray[np.int64] = np.argsort(-liking, axis=1)
    return order

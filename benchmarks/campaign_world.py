"""Simulated campaigns whose effect is known: customers leave and buy for twelve months after the draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MONTHS = 12
MEASURES = ("retained", "spend")


@dataclass(frozen=True)
class CampaignWorld:
    """How customers behave, and what contact changes."""

    customers: int = 5_000
    control: float = 0.1
    hazard_ratio: float = 1.0
    """Of leaving in a month, for whom is in the treatment arm."""
    purchase_ratio: float = 1.0
    """Of buying in a month."""


@dataclass(frozen=True, eq=False)
class SimulatedCampaign:
    """One campaign: its draw, what was known before it, and the months after it."""

    treated: NDArray[np.bool_]
    covariates: Floats
    """float64[customers, 2]: the score and the expected value of the day of assignment."""
    outcomes: Floats
    """float64[customers, 24]: still there after month 1 … 12, then spend until the end of month 1 … 12."""


COVARIATES = ("score", "expected value")


def simulate_campaign(world: CampaignWorld, generator: np.random.Generator) -> SimulatedCampaign:
    """Draw customers, arms and twelve months.

    Customers leave in a month with their own probability, 6 % in the mean, and buy, while they are there,
    with theirs, 8 %; 80 % have bought nothing after three months. A purchase is lognormal (σ = 1). The score
    and the expected value know part of it.
    """
    count = world.customers
    treated = np.zeros(count, dtype=np.bool_)
    treated[generator.permutation(count)[round(world.control * count) :]] = True
    outcomes, covariates = _months(world, treated, generator)
    return SimulatedCampaign(treated, covariates, outcomes)


def true_effects(world: CampaignWorld, customers: int = 2_000_000, seed: int = 1) -> Floats:
    """The mean effect on each outcome over very many customers, each once with and once without contact."""
    generator = np.random.default_rng(seed)
    block = 100_000
    total = np.zeros(2 * MONTHS)
    for _ in range(customers // block):
        state = generator.bit_generator.state
        contacted, _ = _months(world, np.ones(block, dtype=np.bool_), generator)
        generator.bit_generator.state = state  # the same customers and the same luck, without contact
        total -= _months(world, np.zeros(block, dtype=np.bool_), generator)[0].mean(axis=0)
        total += contacted.mean(axis=0)
    return total / (customers // block)


def _months(
    world: CampaignWorld, treated: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[Floats, Floats]:
    count = len(treated)
    frailty, appetite, size = generator.normal(size=(3, count))
    hazard = 0.05 * np.exp(0.7 * frailty - 0.1)
    buying = np.minimum(0.075 * np.exp(0.8 * appetite - 0.3), 0.9)
    amount = np.exp(3 + 0.6 * size)
    noise = generator.normal(size=(2, count))
    score = 1 - (1 - np.minimum(0.05 * np.exp(0.7 * (frailty + 0.7 * noise[0]) / 1.2), 0.9)) ** 6
    value = 6 * 0.075 * np.exp(0.7 * (appetite + 0.6 * noise[1])) * amount
    hazard = np.where(treated, hazard * world.hazard_ratio, hazard)
    buying = np.where(treated, buying * world.purchase_ratio, buying)
    stays = generator.random((count, MONTHS)) >= np.minimum(hazard, 0.9)[:, np.newaxis]
    retained = np.logical_and.accumulate(stays, axis=1)
    there = np.column_stack([np.ones(count, dtype=np.bool_), retained[:, :-1]])
    buys = there & (generator.random((count, MONTHS)) < buying[:, np.newaxis])
    spend = np.where(buys, amount[:, np.newaxis] * np.exp(generator.normal(size=(count, MONTHS))), 0.0)
    outcomes = np.hstack([retained.astype(np.float64), spend.cumsum(axis=1)])
    return outcomes, np.column_stack([score, value])

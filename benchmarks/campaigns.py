"""Whether effects of campaigns are as sure as they say: `python -m benchmarks.campaigns --json`.

Simulated campaigns (seeded, the same at every run) count how often intervals exclude zero without an
effect, and hold the truth with one. Public histories, with arms drawn at random over real customers, say
how much narrower covariates make the interval. The public e-mail test of Hillstrom is loaded by the
command's own code.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.campaign_histories import WidthRatio, width_ratios
from benchmarks.campaign_world import (
    COVARIATES,
    MEASURES,
    MONTHS,
    CampaignWorld,
    simulate_campaign,
    true_effects,
)
from benchmarks.machine import machine
from serving.experiments.outside.outside_campaign import TableColumns, outside_campaign
from training.causal.effect import Effect, compare_arms

Floats = NDArray[np.float64]

REVIEW_MONTHS = (1, 3, 6, 12)
NO_EFFECT = CampaignWorld()
AN_EFFECT = CampaignWorld(hazard_ratio=0.7, purchase_ratio=1.15)


@dataclass(frozen=True, eq=False)
class CoverageCounts:
    """Over simulated campaigns, for one measure: how often each kind of interval held the truth."""

    pointwise: Floats
    """Per review date."""
    simultaneous: float
    """At all review dates together."""
    sequence: float
    """At all twelve monthly looks together."""
    excludes_zero: float
    """The simultaneous interval of any review date."""
    simultaneous_width: float
    """Median, in widths of the pointwise interval."""
    sequence_width: float
    factor: float
    """Median factor of the simultaneous intervals."""


@dataclass(frozen=True, eq=False)
class CampaignIntervals:
    """Of one simulated campaign and measure: which intervals held the truth, and how wide they were."""

    pointwise: NDArray[np.bool_]
    simultaneous: bool
    sequence: bool
    excludes_zero: bool
    simultaneous_width: float
    sequence_width: float
    factor: float


@dataclass(frozen=True)
class LoadedEffect:
    """An effect of the public e-mail test."""

    treated: str
    outcome: str
    difference: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CampaignFigures:
    """All figures of a run; what needs the public data is None without them."""

    campaigns: int
    without_effect: dict[str, CoverageCounts]
    with_effect: dict[str, CoverageCounts]
    width_ratios: tuple[WidthRatio, ...] | None
    width_ratio_median: float | None
    hillstrom: tuple[LoadedEffect, ...] | None
    seconds: int
    machine: str

    def to_json(self) -> str:
        """The figures as one JSON object."""
        return json.dumps(asdict(self), default=np.ndarray.tolist)


def coverage(
    world: CampaignWorld, campaigns: int, truth: Floats, *, seed: int = 0
) -> dict[str, CoverageCounts]:
    """Simulate campaigns and count, for each measure, how often intervals hold the true effects."""
    held: dict[str, list[CampaignIntervals]] = {measure: [] for measure in MEASURES}
    for number in range(campaigns):
        campaign = simulate_campaign(world, np.random.default_rng([seed, number]))
        found = compare_arms(campaign.outcomes, campaign.treated, campaign.covariates, COVARIATES)
        for place, measure in enumerate(MEASURES):
            looks = [MONTHS * place + month for month in range(MONTHS)]
            dates = [looks[month - 1] for month in REVIEW_MONTHS]
            factor = found.simultaneous_factor(dates)
            point, together, sequence = (
                np.array([_ends(found.effect(outcome, factor=one)) for outcome, one in pairs])
                for pairs in (
                    [(outcome, 1.959963984540054) for outcome in dates],
                    [(outcome, factor) for outcome in dates],
                    list(zip(looks, found.sequence_factors(looks).tolist(), strict=True)),
                )
            )
            zero = np.zeros(len(dates))
            held[measure].append(
                CampaignIntervals(
                    _inside(point, truth[dates]),
                    bool(_inside(together, truth[dates]).all()),
                    bool(_inside(sequence, truth[looks]).all()),
                    not _inside(together, zero).all(),
                    float(np.median(np.ptp(together, axis=1) / np.ptp(point, axis=1))),
                    float(
                        np.median(
                            np.ptp(sequence[np.array(REVIEW_MONTHS) - 1], axis=1) / np.ptp(point, axis=1)
                        )
                    ),
                    factor,
                )
            )
    return {measure: _counts(rows) for measure, rows in held.items()}


def _counts(found: list[CampaignIntervals]) -> CoverageCounts:
    return CoverageCounts(
        np.mean([one.pointwise for one in found], axis=0),
        float(np.mean([one.simultaneous for one in found])),
        float(np.mean([one.sequence for one in found])),
        float(np.mean([one.excludes_zero for one in found])),
        float(np.median([one.simultaneous_width for one in found])),
        float(np.median([one.sequence_width for one in found])),
        float(np.median([one.factor for one in found])),
    )


def _ends(effect: Effect) -> tuple[float, float]:
    if effect.low is None or effect.high is None:
        raise ValueError("a simulated arm has one customer")
    return effect.low, effect.high


def _inside(intervals: Floats, truth: Floats) -> NDArray[np.bool_]:
    return np.asarray((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))


def measure(data: Path, campaigns: int, draws: int, seeds: tuple[int, int] = (0, 1)) -> CampaignFigures:
    """All figures: coverage without and with an effect (by seed), widths on histories, Hillstrom."""
    start = time.perf_counter()
    truth = true_effects(AN_EFFECT)
    ratios = tuple(width_ratios(data, draws)) if data.is_dir() else None
    return CampaignFigures(
        campaigns,
        coverage(NO_EFFECT, campaigns, np.zeros_like(truth), seed=seeds[0]),
        coverage(AN_EFFECT, campaigns, truth, seed=seeds[1]),
        ratios,
        None if ratios is None else float(np.median([one.ratio for one in ratios])),
        hillstrom(data) if data.is_dir() else None,
        round(time.perf_counter() - start),
        machine(),
    )


def hillstrom(data: Path) -> tuple[LoadedEffect, ...]:
    """The e-mail test of Hillstrom (2008): all e-mails and each, on visit, conversion and spend."""
    columns = TableColumns("row", "segment", ("visit", "conversion", "spend"))
    loaded = outside_campaign("hillstrom", data / "hillstrom/customers.parquet", columns, control="No E-Mail")
    return tuple(
        LoadedEffect(one.treated, one.outcome, one.adjusted.difference, one.adjusted.low, one.adjusted.high)
        for one in loaded.effects
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--campaigns", type=int, default=1_000)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1), help="without and with an effect")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.data, options.campaigns, options.draws, tuple(options.seeds))
    print(figures.to_json() if options.json else json.dumps(json.loads(figures.to_json()), indent=1))


if __name__ == "__main__":
    main()

"""Intervals of tiers, value and populations come from resampling customers."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.intervals import (
    population_intervals,
    reliability_intervals,
    tier_intervals,
    value_intervals,
)
from training.evaluation.metrics import HeldOutOutcomes, rank_correlation, weighted_kappa

N, TIERS = 3_000, 4


@pytest.fixture(scope="module")
def outcomes() -> HeldOutOutcomes:
    draw = np.random.default_rng(0)
    return HeldOutOutcomes(
        draw.random(N) < 0.3, np.repeat(np.arange(N // 3), 3), np.tile(np.arange(3), N // 3), 100
    )


def test_the_intervals_of_populations_hold_the_figures(outcomes: HeldOutOutcomes) -> None:
    p = np.clip(np.random.default_rng(1).normal(0.35, 0.1, N), 0, 1)
    ends = population_intervals(p, outcomes)
    for name, value in {
        "base_rate": outcomes.churned.mean(),
        "mean_probability": p.mean(),
        "drift": p.mean() - outcomes.churned.mean(),
    }.items():
        assert ends[f"{name}_low"] < value < ends[f"{name}_high"]
    assert 0.02 < ends["base_rate_high"] - ends["base_rate_low"] < 0.05


def test_the_intervals_of_tiers_hold_the_figures(outcomes: HeldOutOutcomes) -> None:
    draw = np.random.default_rng(2)
    now = draw.integers(0, TIERS, N).astype(np.int8)
    then = np.where(draw.random(N) < 0.6, now, draw.integers(0, TIERS, N)).astype(np.int8)
    said = draw.dirichlet(np.ones(TIERS), N) + np.eye(TIERS)[now]
    said /= said.sum(axis=1, keepdims=True)
    ends = tier_intervals(said, np.full((N, TIERS), 0.25), now, then, draw.random(N), outcomes)
    guess = said.argmax(axis=1).astype(np.int8)
    for name, value in {
        "tier/log_loss": -np.log(said[np.arange(N), then]).mean(),
        "tier/accuracy": (guess == then).mean(),
        "tier/kappa": weighted_kappa(then, guess, TIERS),
        "tier/unchanged/kappa": weighted_kappa(then, now, TIERS),
        "reliability/tier_2/happened": outcomes.churned[now == 2].mean(),
    }.items():
        assert ends[f"{name}_low"] < value < ends[f"{name}_high"]
    assert ends["tier/unchanged/log_loss_low"] == pytest.approx(np.log(4))


def test_the_intervals_of_value_hold_the_figures(outcomes: HeldOutOutcomes) -> None:
    draw = np.random.default_rng(3)
    spent = draw.lognormal(3, 1, N) * (draw.random(N) < 0.7)
    said = spent * draw.lognormal(0, 0.5, N) + 5
    ends, stayed = value_intervals(said, spent, outcomes), ~outcomes.churned
    top = np.array_split(np.argsort(said[stayed]), 10)[-1]
    for name, value in {
        "value/total_ratio": said[stayed].sum() / spent[stayed].sum(),
        "value/rank_correlation": rank_correlation(said[stayed], spent[stayed]),
        "value/mean_absolute_error": np.abs(said - spent)[stayed].mean(),
        "value/decile_10/happened": spent[stayed][top].mean(),
        "value/decile_10/said": said[stayed][top].mean(),
        "value/top_decile_lift": spent[stayed][top].mean() / spent[stayed].mean(),
    }.items():
        assert ends[f"{name}_low"] < value < ends[f"{name}_high"]
    assert value_intervals(said, np.zeros(N), outcomes) == {}


def test_the_intervals_of_groups_hold_what_was_said_and_what_happened(outcomes: HeldOutOutcomes) -> None:
    p, mine = np.random.default_rng(4).random(N), np.arange(N) % 3 == 0
    ends = reliability_intervals(
        [("segment_plan-gold", mine), ("segment_plan-none", mine & False)], p, outcomes
    )
    for name, value in {"said": p[mine].mean(), "happened": outcomes.churned[mine].mean()}.items():
        low, high = (ends[f"reliability/segment_plan-gold/{name}_{end}"] for end in ("low", "high"))
        assert low < value < high
        assert high - low < 0.1
    assert not any("none" in name for name in ends)
    assert reliability_intervals([], p, outcomes) == {}

"""Simulated campaigns in short form: intervals hold what they promise, and the truth is that of the world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.campaign_world import MONTHS, CampaignWorld, simulate_campaign, true_effects
from benchmarks.campaigns import AN_EFFECT, coverage


def test_a_few_campaigns_without_effect_hold_zero_about_as_often_as_promised() -> None:
    counts = coverage(CampaignWorld(customers=2_000), 40, np.zeros(2 * MONTHS))
    for measure in ("retained", "spend"):
        of_measure = counts[measure]
        assert of_measure.pointwise.mean() >= 0.88
        assert of_measure.simultaneous == pytest.approx(1 - of_measure.excludes_zero)
        assert of_measure.simultaneous >= 0.85
        assert of_measure.sequence >= 0.9
        assert of_measure.simultaneous_width <= 1.3
        assert of_measure.sequence_width <= 2.0


def test_the_true_effect_is_none_without_contact_and_grows_with_it() -> None:
    assert not true_effects(CampaignWorld(), 100_000).any()
    truth = true_effects(AN_EFFECT, 100_000)
    assert (truth > 0).all()
    assert truth[: MONTHS - 1].tolist() == sorted(truth[: MONTHS - 1])


def test_a_simulated_campaign_is_the_same_at_every_run() -> None:
    world = replace(AN_EFFECT, customers=500)
    one, other = (simulate_campaign(world, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.outcomes, other.outcomes)
    assert int((~one.treated).sum()) == 50
    assert (np.diff(one.outcomes[:, :MONTHS], axis=1) <= 0).all()

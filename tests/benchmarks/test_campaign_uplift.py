"""The simulated campaigns of the uplift benchmark are what their names say, and a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import campaign_uplift
from benchmarks.campaign_uplift import CONTROL, HARDER, WORLDS, judge, planned, simulate, simulated_campaign

FIGURES = ("qini", "low", "high", "response_qini", "difference_low", "best_qini", "effect", "retained")


@pytest.mark.parametrize("world", [*WORLDS, HARDER])
def test_what_is_known_tells_whom_contact_helps_only_where_it_should(world: str) -> None:
    campaign = simulated_campaign(world, 0)
    assert (~campaign.treated).mean() == CONTROL
    spread = campaign.expected.std()
    assert spread > 0.03 if WORLDS.get(world, True) else spread < 0.015
    assert campaign.effect.mean() == pytest.approx(campaign.expected.mean(), abs=0.005)
    assert 0.6 < campaign.retained.mean() < 0.9


def test_a_sleeping_dog_is_driven_away() -> None:
    campaign = simulated_campaign("persuadables and sleeping dogs", 0)
    assert 0.2 < (campaign.effect < 0).mean() < 0.35
    assert 0.15 < (campaign.expected < 0).mean() < 0.4


def test_a_campaign_has_the_same_figures_again() -> None:
    first = judge("persuadables", 3, customers=1_500)
    assert first == judge("persuadables", 3, customers=1_500)
    assert first.low <= first.qini <= first.high


def test_half_of_the_planned_campaigns_are_without_heterogeneity() -> None:
    plan = planned(100)
    counts = [sum(WORLDS.get(world) is tells for world, _ in plan) for tells in (True, False)]
    assert counts == [100, 100]
    assert len(set(plan)) == len(plan) == 210


def test_a_stopped_run_goes_on_after_the_last_judged_campaign(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    figures = dict.fromkeys(FIGURES, 1.0)
    lines = [
        json.dumps({"world": world, "number": number, "used": True, "reason": "used", **figures})
        for world, number in planned(1)
    ]
    record.write_text("\n".join(lines) + "\n")
    assert [one.used for one in simulate(record, 1)] == [True] * 3
    assert record.read_text() == "\n".join(lines) + "\n"
    assert np.isfinite(float(campaign_uplift.table(simulate(record, 1)).split("|")[-3]))
